"""The child process: one stack, one launch, and the requests it answers."""
