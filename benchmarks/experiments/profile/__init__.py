"""Where a step's time goes, seen by the framework's own profiler."""
