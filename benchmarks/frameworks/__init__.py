"""One adapter per framework and, beside it, a light file that says which modes it has."""

from benchmarks.workload import FRAMEWORKS

__path__[:] = map(str, FRAMEWORKS)
