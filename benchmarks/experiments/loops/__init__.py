"""What the high-level loops of books and tutorials cost beside the bare loop of training steps."""
