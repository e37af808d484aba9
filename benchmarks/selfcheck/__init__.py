"""What the suite measures of itself: its overhead, a busy neighbour, embedded against real data."""
