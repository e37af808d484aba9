"""``run``: plan, show the estimated cost, measure with live progress, summarise."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import experiments
from benchmarks.analysis.agreement import words
from benchmarks.analysis.pilot import MOST
from benchmarks.data import DataError
from benchmarks.engine.context import opened
from benchmarks.engine.estimate import estimate, extremes
from benchmarks.engine.plan import FILE, Plan
from benchmarks.engine.run import run
from benchmarks.engine.select import make_plan
from benchmarks.engine.workers import TIMEOUT
from benchmarks.errors import Problem
from benchmarks.protocol.profiles import MEASURES
from benchmarks.schema.results import Baseline, Key, Result, Row
from benchmarks.workload import ROOT
from benchmarks.workload.metrics import NOTHING, Metric
from benchmarks.workload.metrics import metric as described

LOCAL = ROOT / "results" / "local"


def run_command(*, out: Path | None, resume: bool, time_limit: float | None, report: bool, **options: Any) -> int:
    """Return the exit code: 0 all ok; 1 something failed (it is in the result); 2 bad request; 130 interrupted."""
    console = _console(stderr=True)
    if resume:
        folder = (out or latest_unfinished()).resolve()
        plan = read_plan(folder)
    else:
        plan = make_plan(command=_command(), experiments=experiments.MEASURING, **options)
        if missing := _required(plan):
            raise Problem("; ".join(missing))
        folder = out.resolve() if out else LOCAL / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{plan.machine.name}"
        if (folder / FILE).exists():
            raise Problem(f"{folder} already holds a run; continue it with --resume, or give another --out")
        folder.mkdir(parents=True, exist_ok=True)
        plan.write(folder)
    _announce(console, plan, folder)
    interrupted = False
    # Also where the shell had SIGINT ignored, as it does for background jobs: whoever sends it means it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _as_interrupt)
    with (
        _progress(console) as (say, advance),
        opened(plan, folder, report=say, timeout=time_limit or TIMEOUT, on_progress=advance) as ctx,
    ):
        try:
            result = run(ctx, experiments.MEASURING)
        except KeyboardInterrupt:
            interrupted = True
        except DataError as error:
            raise Problem(str(error)) from None
    path = folder / "result.json"
    if interrupted:
        click.echo(f"interrupted; results so far are in {path}; continue with --resume --out {folder}", err=True)
        return 130
    print_summary(_console(stderr=False), result)
    click.echo(f"result: {path}")
    bad = [row for row in result.rows if row.status not in ("ok", "unavailable")]
    for row in bad:
        click.echo(f"{row.status}: {row.place} on {row.stack.label}: {row.reason}", err=True)
    lost = [b for b in result.baselines if b.status not in ("ok", "unavailable")]
    for b in lost:
        click.echo(f"{b.status}: {b.key}: {b.reason}", err=True)
    unanswered = [a for a in result.answers if a.status not in ("ok", "unavailable")]
    for a in unanswered:
        click.echo(f"{a.status}: {a.key}: {a.reason}", err=True)
    if report:
        page = folder / "report.html"
        subprocess.run([sys.executable, "-m", "reports", str(folder), "--out", str(page)], cwd=ROOT, check=True)
    if all(row.status == "unavailable" for row in result.rows):
        click.echo("nothing was measured: no stack of this run is available here", err=True)
        return 1
    return 1 if bad or lost or unanswered else 0


def _console(*, stderr: bool) -> Console:
    """Return a console, wide enough for the tables where there is no terminal."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=120)


def _as_interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _command() -> str:
    """Return the command line without paths of this machine."""

    def short(word: str) -> str:
        name, equals, value = word.rpartition("=")
        return name + equals + Path(value).name if Path(value).is_absolute() else word

    words = [",".join(map(short, word.split(","))) for word in sys.argv[1:]]
    return shlex.join(["python", "-m", "benchmarks", *words])


def latest_unfinished() -> Path:
    """Return the newest run under results/local whose journal has no end."""
    for folder in sorted(LOCAL.glob("*"), reverse=True):
        journal = folder / "journal.jsonl"
        if (folder / FILE).exists() and not (journal.exists() and '"event": "finished"' in journal.read_text("utf-8")):
            return folder
    raise Problem("there is no unfinished run under results/local; name one with --out")


def read_plan(folder: Path) -> Plan:
    if not (folder / FILE).exists():
        raise Problem(f"{folder} holds no run to resume: {FILE} is not there")
    plan = Plan.read(folder)
    if changed := plan.changed_files():
        raise Problem(
            f"this run cannot be resumed: {', '.join(changed)} changed since it began; start a new run instead"
        )
    return plan


def _required(plan: Plan) -> list[str]:
    out = []
    for wanted in plan.options.require:
        matching = [p for e in plan.entries for p in e.stacks if p.stack.key.startswith(wanted + ":")]
        if not matching:
            out.append(f"--require {wanted}: no workload of this run has that stack")
        elif not any(p.available for p in matching):
            out.append(f"--require {wanted}: {matching[0].reason}")
    return out


def _announce(console: Console, plan: Plan, folder: Path) -> None:
    stacks = {p.stack.label + " " + p.stack.device: p for e in plan.entries for p in e.stacks}
    can = [name for name, p in stacks.items() if p.available]
    console.print(f"[bold]{len(plan.entries)} workloads × {len(can)} stacks[/bold] on {plan.machine.cpu}")
    console.print(f"  {', '.join(e.key for e in plan.entries)}")
    console.print(f"  {', '.join(can) or 'none can run here'}")
    for note in plan.notes:
        console.print(f"  {note}")
    for name, p in stacks.items():
        if not p.available:
            console.print(f"  [yellow]unavailable[/yellow] {name}: {p.reason}", highlight=False)
    for entry in plan.entries:
        for b in entry.baselines:
            can_run = b.reason and f"unavailable: {b.reason}"
            console.print(f"  baseline {b.label} for {entry.key}: {can_run or 'will be run'}", highlight=False)
    o = plan.options
    passes = str(o.passes) if o.pilot is None else f"{o.pilot}, then {o.passes} to {MOST} depending on their spread,"
    console.print(
        f"  profile {o.profile}, {o.data} data, {passes} passes × {o.rounds} rounds, {o.threads} threads, seed {o.seed}"
    )
    console.print(f"  estimated time: {_expected(plan)}; results under {folder}")


def _expected(plan: Plan) -> str:
    """Return how long the run may take, and between which times where pilots decide."""
    about, least, most = (
        max(1, round(s / 60)) for s in (estimate(plan, experiments.MEASURING), *extremes(plan, experiments.MEASURING))
    )
    return f"about {about} min" if least == most else f"about {about} min ({least} to {most}, depending on the pilots)"


@contextmanager
def _progress(console: Console) -> Iterator[tuple[Callable[[str], None], Callable[[float], None]]]:
    """Show a live line on a terminal, elsewhere a line per step; yield how to report a step and the share done."""
    start = time.monotonic()
    if not console.is_terminal:
        yield lambda text: click.echo(f"[{time.monotonic() - start:6.0f} s] {text}", err=True), lambda share: None
        return
    columns = (
        SpinnerColumn(),
        BarColumn(20),
        TextColumn("[progress.percentage]{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield (
            lambda text: progress.update(task, description=text),
            lambda share: progress.update(task, completed=share),
        )


def print_summary(console: Console, result: Result) -> None:
    """Print one table per workload: throughput, ratio to the fastest, metric, certificate, status."""
    groups: dict[Key, list[Row]] = {}
    metrics = {d.place: described(d.declaration.get("metric")) for d in result.declared}
    bounds = {d.place: d.optimum for d in result.data}
    for row in (r for r in result.rows if not r.stack.replica):
        groups.setdefault(row.place, []).append(row)
    for key, rows in groups.items():
        metric, bound = metrics.get(key, described(None)), bounds.get(key)
        told = metric.name + (", lower is better" if metric.lower else "")
        for tuned in (False, True):  # never in one ranking
            family = [row for row in rows if row.stack.tuned == tuned]
            if not family:
                continue
            speeds = {row.stack.key: row.samples_per_second() for row in family}
            best = max((s for s in speeds.values() if s), default=None)
            name = f"{key}, tuned" if tuned else str(key)
            table = Table(title=f"{name}{_bound(metric, bound)}", title_justify="left")
            for column in ("stack", f"{rows[0].unit}/s", "of fastest", told, "certificate", "status"):
                table.add_column(column, justify="left" if column in ("stack", "status") else "right")
            only_parts = not set(result.options.measure) & set(MEASURES)
            for row in sorted(family, key=lambda r: -(speeds[r.stack.key] or 0.0)):
                speed = speeds[row.stack.key]
                table.add_row(
                    row.stack.label,
                    f"{speed:,.0f}" if speed else NOTHING,
                    f"{speed / best:.0%}" if speed and best else NOTHING,
                    _metric(row, metric, bound),
                    _certificate(row),
                    row.status,
                )
            console.print(name if only_parts else table)
        for b in result.baselines:
            if b.place == key:
                console.print(_baseline(b), highlight=False, markup=False, soft_wrap=True)
        verdicts = [*_verdicts(result, key), *_agreements(result, key, metric)]
        for line in [*verdicts, *_answers(result, key)]:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _verdicts(result: Result, key: Key) -> list[str]:
    """Return who is fastest or tied, what compiled nothing, the minimum detectable difference and the A/A check."""
    names = {r.stack.key: r.stack.label for r in result.rows}
    out = []
    for r in result.rows:
        if r.place == key and r.compiled_nothing and not r.stack.replica:
            out.append(f"{r.stack.label} = {r.stack.known.compiles}: it compiled nothing, and is not ranked")
    for ranking in (r for r in result.rankings if r.place == key):
        first = [names[k] for k, place in ranking.ranks.items() if place == 1]
        family = "tuned, " if ranking.tuned else ""
        out.append(f"{family}fastest: {first[0]}" if ranking.best else f"{family}tied for fastest: {', '.join(first)}")
    mine = [c for c in result.comparisons if c.place == key]
    if finds := [
        c.detectable for c in mine if c.detectable is not None and c.verdict != "provisional" and not c.canary
    ]:
        out.append(f"minimum detectable difference: {min(finds) - 1:.1%} to {max(finds) - 1:.1%}, by pair")
    for c in mine:
        if c.canary:
            out.append(f"A/A check: two launches of {names[c.first]}: ratio {c.ratio:.3f}, {c.verdict}")
        elif c.verdict == "untrustworthy":
            out.append(f"untrustworthy: {names[c.first]} against {names[c.second]}: {c.why}")
    return out


def _agreements(result: Result, key: Key, metric: Metric) -> list[str]:
    names = {r.stack.key: r.stack.label for r in result.rows}
    mine = [a for a in result.agreements if a.place == key]
    return [f"{names[a.first]} and {names.get(a.second, a.second)} {words(a, metric)}" for a in mine]


def _answers(result: Result, key: Key) -> list[str]:
    """Return each experiment's title and, stack by stack, its answer in a line."""
    names = {r.stack.key: r.stack.label for r in result.rows}
    out: list[str] = []
    for part in experiments.chosen(result.options.measure):
        mine = [a for a in result.answers if a.part == part and a.place == key]
        out += [experiments.schema(part).TITLE] if mine else []
        for a in mine:
            said = (
                experiments.schema(part).words(experiments.typed(a)) if a.status == "ok" else f"{a.status}: {a.reason}"
            )
            out.append(f"  {names[a.stack]}: {said}")
    return out


def _baseline(b: Baseline) -> str:
    name = " ".join(filter(None, ["baseline", b.label, b.version]))
    rate = b.units_per_second()
    if rate is None:
        return f"{name}: {b.status}: {b.reason}"
    scores = ", ".join(f"{score.replace('_', ' ')} {value:.4g}" for score, value in b.shares().items())
    return f"{name} (other algorithm, not certified, not equal work): {rate:,.0f} {b.unit}/s, {scores}"


def _bound(metric: Metric, bound: float | None) -> str:
    """Return what no model can beat, for metrics that are no proportion."""
    return "" if metric.proportion or bound is None else f" ({metric.bound} {metric.text(bound)})"


def _metric(row: Row, metric: Metric, bound: float | None) -> str:
    values = [t.metric for t in row.accuracy.trainings if t.metric is not None] if row.accuracy else []
    over = metric.over(mean(values), bound) if values else ""
    return (" ".join(map(metric.text, values)) or NOTHING) + (f" ({over})" if over else "")


def _certificate(row: Row) -> str:
    if row.certificate is None:
        return NOTHING
    worst = row.certificate.worst
    if row.certificate.status != "ok" or worst is None or worst.error is None:
        return row.certificate.status
    return f"ok, {worst.error:.0e} of {worst.tolerance:.0e}"
