"""``pytest benchmarks``: the engine measures, pytest-benchmark shows, stores and compares.

The tests are planned from what was collected: one engine run for all of them,
because rounds can only interleave across tests when they are measured together.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.protocol.profiles import PROFILES
from benchmarks.workload import DEFAULT_IMPLS


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bookbench")
    group.addoption("--device", default="cpu", choices=["cpu", "cuda"], help="where the stacks run")
    group.addoption("--profile", default="quick", choices=list(PROFILES), help="how much is measured")
    group.addoption("--workload", default="", help="workloads, comma-separated; default all")
    group.addoption("--framework", default="", help="frameworks, comma-separated; default all")
    group.addoption("--mode", default="", help="modes, comma-separated; default all")
    group.addoption("--impls", default=str(DEFAULT_IMPLS), help="folder of workload folders")
    group.addoption("--threads", type=int, default=None, help="threads of each stack")


def pytest_configure(config: pytest.Config) -> None:
    # A stack that is unavailable or has failed hands over no samples; that is told by the test's own outcome.
    for text in ("Benchmark fixture was not used at all", "Not saving anything"):
        config.addinivalue_line("filterwarnings", f"ignore:{text}:pytest_benchmark.logger.PytestBenchmarkWarning")


def _words(config: pytest.Config, name: str) -> list[str]:
    return [w for w in config.getoption(name).split(",") if w]


def _plan(config: pytest.Config) -> Any:
    """The plan, made once per session."""
    if not hasattr(config, "_bookbench_plan"):
        from benchmarks.engine.select import make_plan

        config._bookbench_plan = make_plan(  # type: ignore[attr-defined]
            command="pytest benchmarks",
            workload=_words(config, "--workload"),
            framework=_words(config, "--framework"),
            mode=_words(config, "--mode"),
            device=[config.getoption("--device")],
            profile=config.getoption("--profile"),
            threads=config.getoption("--threads"),
            impls=Path(config.getoption("--impls")),
            canary=False,  # a check for reports, not a benchmark of its own
        )
    return config._bookbench_plan  # type: ignore[attr-defined]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack" in metafunc.fixturenames:
        pairs = [(e, p) for e in _plan(metafunc.config).entries for p in e.stacks]
        ids = [f"{e.key.replace('/', '-')}-{p.stack.framework}-{p.stack.mode}" for e, p in pairs]
        metafunc.parametrize("stack", pairs, ids=ids)


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Any:
    """The engine's result for everything that was collected."""
    from benchmarks.engine.context import opened
    from benchmarks.engine.run import run

    plan = _plan(request.config)
    wanted: dict[str, set[str]] = {}
    measure = set()
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        if callspec and "stack" in callspec.params:
            entry, planned = callspec.params["stack"]
            wanted.setdefault(entry.key, set()).add(planned.stack.key)
            measure.add("inference" if "inference" in str(getattr(item, "originalname", "")) else "training")
    if "training" in measure:
        measure.add("accuracy")
    entries = [
        e.model_copy(update={"stacks": [p for p in e.stacks if p.stack.key in wanted[e.key]]})
        for e in plan.entries
        if e.key in wanted
    ]
    options = plan.options.model_copy(update={"measure": sorted({*measure, "certificate"})})
    plan = plan.model_copy(update={"entries": entries, "options": options})
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    with tempfile.TemporaryDirectory(prefix="bookbench-") as folder:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            reporter.write_line("")

            def report(text: str) -> None:
                print(f"  {text}", file=sys.stderr, flush=True)

            with opened(plan, Path(folder), report=report) as ctx:
                return run(ctx)


class VirtualClock:
    """Returns the seconds of the samples replayed so far: pytest-benchmark's timer for our numbers."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: list[float] = []

    def load(self, samples: list[float]) -> None:
        self._samples = list(reversed(samples))

    def now(self) -> float:
        return self._now

    def advance(self) -> None:
        self._now += self._samples.pop()


CLOCK = VirtualClock()


def worker_seconds() -> float:
    """Timer of the marker; a plain function because pytest-benchmark stores its name."""
    return CLOCK.now()


def replay(benchmark: Any, row: Any, samples: list[float]) -> None:
    """Hand ``samples`` (seconds) to pytest-benchmark with the facts of ``row``."""
    if row.status == "unavailable":
        pytest.skip(f"unavailable: {row.reason}")
    training = row.accuracy.trainings[0] if row.accuracy and row.accuracy.trainings else None
    launch = row.launches[0] if row.launches else None
    benchmark.extra_info.update(
        status=row.status,
        reason=row.reason,
        batch_size=row.batch_size,
        samples_per_second=row.samples_per_second(),
        accuracy=training.metric if training else None,
        certificate=row.certificate.status if row.certificate else None,
        implementation_hash=row.implementation_hash,
        versions=launch.versions if launch else {},
    )
    if not samples:
        pytest.fail(f"{row.status}: {row.reason}", pytrace=False)
    CLOCK.load(samples)
    benchmark.pedantic(CLOCK.advance, rounds=len(samples), iterations=1)
    if row.status != "ok":  # judged after the numbers were kept
        pytest.fail(f"{row.status}: {row.reason}", pytrace=False)
