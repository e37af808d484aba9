"""What this computer is and what its counters say."""
