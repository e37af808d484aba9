"""``hog``: what a busy neighbour does to a verdict, without and with the engine's detection of disturbance.

Two stacks are measured three times: on the machine as it is, with a process that keeps one of their CPUs busy during
most of the planned rounds, and with it there throughout. What a run without detection would say comes from the same
blocks, read as if no block had been marked and no round repeated.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import click

from benchmarks.analysis.solo import DECIDED, agree
from benchmarks.analysis.verdicts import compare_all
from benchmarks.engine.context import opened
from benchmarks.engine.run import run
from benchmarks.engine.select import make_plan
from benchmarks.errors import Problem
from benchmarks.schema.results import Comparison, Row
from benchmarks.workload import DEFAULT_IMPLS

SPIN = "while True: pass"
WITHHELD = ("untrustworthy", "provisional", "undecided")
NOTHING_SHOWN = 3  # exit code


class Hog(AbstractContextManager["Hog"]):
    """A process that keeps one CPU busy while ``busy``; ended for good on leaving.

    It is bound to the first of the workers' CPUs, ``affinity``: elsewhere, where workers do not use all CPUs, it would
    disturb nobody. Empty where binding is not offered: the system then places it.
    """

    def __init__(self, affinity: Sequence[int] = ()) -> None:
        self._cpus = list(affinity[:1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def busy(self) -> bool:
        return self._process is not None

    @busy.setter
    def busy(self, wanted: bool) -> None:
        if wanted and self._process is None:
            self._process = subprocess.Popen([sys.executable, "-c", SPIN])
            if self._cpus:
                os.sched_setaffinity(self._process.pid, self._cpus)
        elif not wanted and self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.busy = False


def run_hog(
    *,
    workload: str,
    stacks: Sequence[str],
    passes: int,
    rounds: int,
    threads: int | None,
    impls: Path = DEFAULT_IMPLS,
    profile: str = "quick",
    env: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: click.echo(f"  {text}", err=True),
) -> int:
    """Print the verdicts; 0 when detection kept or withheld each verdict that the neighbour turned, 1 when a wrong one
    came through, 3 when the neighbour misled nobody, which shows nothing.
    """

    def measure(hogged: Collection[int], *, throughout: bool = False) -> list[Row]:
        plan = make_plan(
            command="python -m benchmarks contention",
            workload=[workload],
            stack=list(stacks),
            profile=profile,
            passes=passes,
            rounds=rounds,
            threads=threads,
            measure=["training"],
            impls=impls,
            env=env,
        )
        runnable = [p for e in plan.entries for p in e.runnable()]
        if len(plan.entries) != 1 or len(runnable) != 2:
            raise Problem(f"hog compares two stacks on one workload; {workload} with {', '.join(stacks)} is not that")
        with tempfile.TemporaryDirectory(prefix="bookbench-hog-") as folder, Hog(plan.affinity) as hog:

            def on_round(index: int, number: int) -> None:
                hog.busy = throughout or number in hogged

            with opened(plan, Path(folder), report=say, on_round=on_round) as ctx:
                rows = run(ctx).rows
        bad = next((r for r in rows if r.status not in ("ok", "unavailable")), None)
        if bad is not None:
            raise Problem(f"{bad.stack.label}: {bad.status}: {bad.reason}")
        return rows

    most = range(rounds // 4, rounds)  # three quarters: the medians are of disturbed blocks
    quiet = measure(())
    truth = verdict(quiet)
    if quiet[0].disturbed_passes() or truth.verdict == "untrustworthy":
        raise Problem("the machine is disturbed already, so there is nothing to compare with; see `doctor`")
    click.echo(f"{workload}: step time of {truth.first} over that of {truth.second}")
    click.echo(_line("nobody beside", truth))
    misled = failed = False
    for name, rows in (
        (f"hog in {len(most)} of {rounds} rounds", measure(most)),
        ("hog throughout", measure((), throughout=True)),
    ):
        blind, seeing = verdict(blinded(rows)), verdict(rows)
        withheld = seeing.verdict in WITHHELD  # by what it publishes alone, whatever it left out on the way
        extra = sum(b.repeats is not None for la in rows[0].launches for b in la.blocks)
        misled |= contradicts(blind, truth)
        wrong = not withheld and contradicts(seeing, truth)
        failed |= wrong
        click.echo(_line(f"{name}, without detection", blind) + ("  WRONG" if contradicts(blind, truth) else ""))
        told = f"withheld: {seeing.why or seeing.verdict}" if withheld else "WRONG" if wrong else "agrees"
        click.echo(_line(f"{name}, with detection", seeing) + f"  {told}; {extra} rounds repeated")
    if failed:
        return 1
    if not misled:
        click.echo("shows nothing: the neighbour misled nobody; try another --workload or --stack")
        return NOTHING_SHOWN
    return 0


def verdict(rows: Sequence[Row]) -> Comparison:
    """Of the two rows that were measured."""
    (found,) = compare_all([r for r in rows if r.launches])
    return found


def blinded(rows: Sequence[Row]) -> list[Row]:
    """The rows as a run without detection would have them: planned rounds only, no block marked."""
    clean = {"disturbed": False, "round_disturbed": False}
    return [
        row.model_copy(
            update={
                "launches": [
                    la.model_copy(update={"blocks": [b.model_copy(update=clean) for b in la.planned_blocks]})
                    for la in row.launches
                ]
            }
        )
        for row in rows
    ]


def contradicts(one: Comparison, truth: Comparison) -> bool:
    """Whether two verdicts cannot both be right: decided differently, or intervals that do not meet."""
    if one.verdict in DECIDED and truth.verdict in DECIDED and not agree(one, truth):
        return True
    if one.low is None or one.high is None or truth.low is None or truth.high is None:
        return False
    return one.high < truth.low or truth.high < one.low


def _line(name: str, c: Comparison) -> str:
    within = "" if c.low is None or c.high is None else f" ({c.low:.2f} to {c.high:.2f})"
    return f"{name:<42} {c.ratio:.2f}{within}, {c.verdict}"
