"""A whole run within the test's own process, for plans of NumPy toys."""

from benchmarks import experiments
from benchmarks.engine.context import opened
from benchmarks.engine.run import run


def measure(plan, folder, *, report=lambda text: None, **options):
    """The result of ``plan``; what is asked of it beside the passes comes from the experiments."""
    with opened(plan, folder, report=report, **options) as ctx:
        return run(ctx, experiments.MEASURING)
