"""Training throughput against batch size."""
