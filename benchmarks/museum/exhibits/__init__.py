"""One module per mistake; :mod:`benchmarks.museum` says what each holds."""
