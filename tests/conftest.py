"""With pytest-xdist each worker keeps to CPUs of its own: threads of frameworks that wait for each other spin.

No test asserts a time, Hypothesis's deadline of 200 ms an example included.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fast", deadline=None, max_examples=25)
settings.register_profile("all", deadline=None, max_examples=500)  # pytest --hypothesis-profile=all
settings.load_profile("fast")

# The files that take longest, first: a worker that begins one at the end leaves the others idle meanwhile.
LONGEST = (
    "test_accuracy.py",
    "test_mutations.py",
    "test_contract.py",
    "test_schedule.py",
    "test_operations_of_steps.py",
    "test_limits_and_profile_run.py",
    "test_convenience.py",
    "test_adapters.py",
    "test_peers_work.py",
    "test_engine.py",
    "test_selftest.py",
    "test_baselines.py",
)


def pytest_configure(config):
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if worker and count and hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        own = cpus[int(worker.removeprefix("gw")) :: int(count)]
        os.sched_setaffinity(0, own or cpus)  # inherited by every process that a test starts


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(Path(item.fspath).name, len(place)))  # stable
