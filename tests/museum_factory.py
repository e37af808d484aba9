"""Visits to the museum made by hand."""

from benchmarks.museum.schema import Case, Claimed, Exhibit, Museum
from benchmarks.schema.results import Interpreter, Machine


def sample(seconds, steps, *, disturbed=False):
    evidence = {"idle_worker_cpu_seconds": 0.0, "cpu_throttles": int(disturbed)}
    return Claimed(seconds=seconds, steps=steps, evidence=evidence, disturbed=disturbed)


def case(*factors, right=0.001, disturbed=False, **changes):
    """One case whose wrong number is ``factors`` times the right one, by repetition."""
    fields = {
        "workload": "mnist_mlp_ablation/batchnorm",
        "stack": "torch:eager:cpu",
        "status": "ok" if factors else "unavailable",
        "reason": "" if factors else "there is nothing to leave out",
        "batch_size": 64,
        "right": [sample(right * 10, 10, disturbed=disturbed) for _ in factors],
        "wrong": [sample(right * f * 20, 20) for f in factors],
    }
    return Case(**(fields | changes))


def visit(exhibits, **changes):
    """A whole visit; ``exhibits`` maps names to cases."""
    facts = Machine(
        name="a-machine", cpu="A CPU", physical_cores=2, logical_cores=2, governor=None, memory_bytes=1, system="x"
    )
    fields = {
        "started": "2026-11-26T12:00:00+00:00",
        "seconds": 240.0,
        "minutes": None,
        "command": "python -m benchmarks museum",
        "profile": "quick",
        "device": "cpu",
        "threads": 2,
        "machine": facts,
        "interpreter": Interpreter(name="default", python="CPython 3", packages={"torch": "2.13", "numpy": "2"}),
        "git_commit": None,
        "git_dirty": None,
        "exhibits": [Exhibit(name=name, cases=cases) for name, cases in exhibits.items()],
    }
    return Museum(**(fields | changes))
