"""A result against its schema, hashes, protocol and its own samples."""
