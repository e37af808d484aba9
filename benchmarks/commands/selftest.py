"""``python -m benchmarks selftest``: the promises, kept or not; ``selftest bank`` measures the launches they need."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from benchmarks.commands.options import THREADS, NewFile
from benchmarks.errors import Problem
from benchmarks.selftest.checks import Check
from benchmarks.workload import DEFAULT_IMPLS

FOLDER = Path(__file__).parents[1] / "selftest" / "bank"
WORKLOADS = 3  # that the suite's own banks must be of: one alone may be well-behaved


@click.group(invoke_without_command=True)
@click.option("--runs", type=click.IntRange(100), default=5000, show_default=True, help="Simulated runs per check.")
@click.option("--trials", type=click.IntRange(50), default=400, show_default=True, help="Trials per bank and check.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--banks", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default="the suite's")
@click.option("--json", "json_file", type=NewFile(), help="Write the figures to this file.")
@click.pass_context
def selftest(context: click.Context, runs: int, trials: int, seed: int, banks: Path, json_file: Path | None) -> None:
    """Check how often verdicts err, on simulated and on recorded launches."""
    if context.invoked_subcommand is None:
        sys.exit(run_selftest(runs=runs, trials=trials, seed=seed, banks=banks, json_file=json_file))


@selftest.command()
@click.option("--workload", required=True, help="A workload, or workload/variant.")
@click.option("--stack", required=True, help="FRAMEWORK:MODE.")
@click.option(
    "--launches",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Launches that the bank holds, in whole passes of four; by default two for every pass a pilot can ask for.",
)
@click.option(
    "--blocks",
    type=click.IntRange(2),
    default=20,
    show_default=True,
    help="Blocks of a launch, half of them plain; by default as many as a full pass has rounds.",
)
@THREADS
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default="the suite's")
@click.option("--impls", type=click.Path(path_type=Path, file_okay=False, exists=True), default=DEFAULT_IMPLS)
def bank(workload: str, stack: str, launches: int, blocks: int, threads: int | None, out: Path, impls: Path) -> None:
    """Record launches of one stack. Resumes where it stopped; run nothing else meanwhile."""
    from benchmarks.selftest.bank import measure

    path = measure(
        workload=workload,
        stack=stack,
        launches=launches,
        blocks=blocks,
        threads=threads,
        out=out,
        impls=impls,
        say=lambda text: click.echo(text, err=True),
    )
    click.echo(path)


def run_selftest(*, runs: int, trials: int, seed: int, banks: Path, json_file: Path | None) -> int:
    """Print every check; 1 when one failed, or when the suite's own folder lacks banks for the claim."""
    from benchmarks.machine.computer import machine
    from benchmarks.selftest.bank import differences, read
    from benchmarks.selftest.simulated import run_simulations
    from benchmarks.selftest.trials import run_trials

    begun = time.monotonic()
    paths = sorted(banks.glob("*.json"))
    if not paths:
        raise Problem(f"{banks} holds no bank of launches; measure one with `python -m benchmarks selftest bank`")
    kept = [read(path) for path in paths]
    here = machine()
    for one in kept:
        for words in differences(one, here, impls=DEFAULT_IMPLS):
            click.echo(f"warning: the bank of {one.name}: {words}", err=True)
    checks = [check for one in kept for check in run_trials(one, trials=trials, seed=seed)]
    checks += run_simulations(runs=runs, seed=seed)
    show(checks)
    failed = sum(not check.passed for check in checks)
    missing = lacking({one.workload.split("/")[0] for one in kept}) if banks.resolve() == FOLDER.resolve() else ""
    spent = time.monotonic() - begun
    click.echo(f"{len(checks)} checks, {failed or 'none'} failed; {spent:.0f} s, seed {seed}")
    if missing:
        click.echo(missing)
    if json_file:
        figures = {"seed": seed, "runs": runs, "trials": trials, "checks": [plain(check) for check in checks]}
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if failed or missing else 0


def lacking(workloads: Collection[str]) -> str:
    """What the suite's own banks lack, in a sentence; empty when they are of enough workloads."""
    if len(workloads) >= WORKLOADS:
        return ""
    return (
        f"Banks of {len(workloads)} of the {WORKLOADS} different workloads that the claim needs "
        f"({', '.join(sorted(workloads))}): measure more with `python -m benchmarks selftest bank`"
    )


def plain(check: Check) -> dict[str, object]:
    low, high = check.interval
    return {
        "part": check.part,
        "what": check.what,
        "count": check.count,
        "trials": check.trials,
        "share": check.share,
        "wilson_low": low,
        "wilson_high": high,
        "bound": check.bound,
        "passed": check.passed,
        "detail": check.detail,
    }


def show(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    table = Table(title="Do the verdicts keep their promises?", title_justify="left")
    for name, justify in (("part", "left"), ("what", "left"), ("count", "right"), ("share", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("95 % Wilson", "bound", "", "remarks"):
        table.add_column(name)
    for c in checks:
        low, high = c.interval
        table.add_row(
            c.part,
            c.what,
            f"{c.count:,} of {c.trials:,}",
            f"{c.share:.2%}",
            f"{low:.2%} to {high:.2%}",
            c.bound,
            "ok" if c.passed else "[bold red]FAILED[/bold red]",
            c.detail,
        )
    console.print(table)
