"""With pytest-xdist each worker keeps to CPUs of its own: threads of frameworks that wait for each other spin.

No test asserts a time, Hypothesis's deadline of 200 ms an example included.
"""

import os

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config):
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if worker and count and hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        own = cpus[int(worker.removeprefix("gw")) :: int(count)]
        os.sched_setaffinity(0, own or cpus)  # inherited by every process that a test starts
