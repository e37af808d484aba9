"""Options of ``run``, ``list`` and ``doctor``. Every import that costs time stands inside a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from benchmarks import experiments
from benchmarks.commands.options import IMPLS, THREADS, comma_separated, given
from benchmarks.protocol.profiles import MEASURES, PROFILES


@click.command()
@comma_separated("--workload", "Workloads, or WORKLOAD/VARIANT. Default: all.")
@comma_separated("--framework", "Frameworks. Default: all.")
@comma_separated("--mode", "Modes. Default: all except the tuned ones.")
@comma_separated("--stack", "FRAMEWORK:MODE pairs, for combinations that --framework and --mode cannot name.")
@click.option("--tuned", is_flag=True, help="Include tuned modes, such as max-autotune; `list` marks them.")
@comma_separated("--device", "cpu, cuda. Default: cpu.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="Amounts of the run: a few steps for tests, provisional verdicts, or verdicts.",
)
@click.option(
    "--data",
    type=click.Choice(["embedded", "real"]),
    default="embedded",
    show_default=True,
    help="Generated data, or the official files (see `data`). BOOKBENCH_TEXT names another UTF-8 text for language "
    "models; BOOKBENCH_CORPUS is text8, enwiki, prefix or a text file for word vectors. Accuracy is judged only on the "
    "text that its range was measured on.",
)
@click.option("--passes", type=click.IntRange(1), help="Passes (fresh processes) per stack. Default: the profile's.")
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds per pass. Default: the profile's.")
@click.option("--batch-size", type=click.IntRange(1), help="Another batch size; accuracy is then not judged.")
@THREADS
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of weights, batches and schedule."
)
@click.option("--accuracy-seeds", type=click.IntRange(1), help="Trainings per trained stack. Default: the profile's.")
@click.option("--recipe", help="Training recipe (book, short, quick, smoke).")
@comma_separated(
    "--measure",
    f"What to measure: {', '.join(MEASURES)} (default: these four), or experiments: {', '.join(experiments.names())}.",
)
@comma_separated("--sweep", "Former spelling of --measure sweep_batch, sweep_threads.", hidden=True)
@IMPLS
@comma_separated(
    "--env", "Also run every stack with another interpreter (NAME=PYTHON). default=PYTHON replaces the current one."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Resume the run in --out, or the latest unfinished one.")
@comma_separated("--require", "Abort unless this stack (FRAMEWORK:MODE:DEVICE) is available.")
@click.option(
    "--budget",
    metavar="TIME",
    help="Reduce the run to fit this time (90s, 5m, 1h), and report the minimum detectable difference.",
)
@click.option(
    "--price-per-hour",
    type=click.FloatRange(0, 1e9, min_open=True),
    help="Price of an hour of this machine, in any currency: the report turns seconds into cost.",
)
@click.option("--solo", "isolated", is_flag=True, help="Re-measure the fastest stacks solo (no other worker resident).")
@click.option(
    "--aa-check/--no-aa-check",
    "canary",
    default=None,
    help="Include an A/A check: launch one stack twice. Default: in full only.",
)
@click.option(
    "--request-timeout", "time_limit", type=click.FloatRange(1), help="Timeout in seconds for each request to a worker."
)
@click.option("--report", is_flag=True, help="Render report.html next to the result and print its path last.")
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:
    """Measure, and write the result under results/local/ (or --out)."""
    from benchmarks.commands.run import run_command

    asked = given(context)
    if options["resume"] and (fixed := sorted(set(asked) - {"resume", "out", "time_limit", "report"})):
        names = ", ".join(asked[name] for name in fixed)
        raise click.UsageError(f"--resume keeps the original options; remove {names}")
    sys.exit(run_command(**options))


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of a table.")
@comma_separated("--env", "Also list stacks of another interpreter (NAME=PYTHON).")
@IMPLS
def list_command(as_json: bool, env: list[str], impls: Path) -> None:
    """List every workload on every stack, and whether it can run here."""
    from benchmarks.commands.list import print_list

    print_list(impls, env, as_json=as_json)


@click.command()
def doctor() -> None:
    """Show what is installed or missing, and what would disturb a measurement now."""
    from rich.console import Console

    from benchmarks.commands.doctor import run_doctor

    run_doctor(Console())
