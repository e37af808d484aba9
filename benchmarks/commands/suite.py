"""Options of the commands about the suite itself. Every import that costs time stands inside a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from benchmarks.commands.options import IMPLS, KEPT, THREADS, NewFile, comma_separated, given


@click.command()
@click.option(
    "--pairs", type=click.IntRange(1), default=16, show_default=True, help="Number of engine/script process pairs."
)
@THREADS
def overhead(pairs: int, threads: int | None) -> None:
    """Measure the engine's overhead per step against a stand-alone script."""
    from benchmarks.selfcheck.overhead import run_overhead

    sys.exit(run_overhead(pairs=pairs, threads=threads))


@click.command()
@comma_separated("--workload", "Workloads, or WORKLOAD/VARIANT. Default: all of the quick profile.")
@click.option("--stack", default="torch:eager", show_default=True, help="FRAMEWORK:MODE that takes the steps.")
@click.option("--pairs", type=click.IntRange(6), default=20, show_default=True, help="Number of pairs of blocks.")
@THREADS
@click.option("--json", "json_file", type=NewFile(), help="Write the raw ratios to this file.")
def sources(workload: list[str], stack: str, pairs: int, threads: int | None, json_file: Path | None) -> None:
    """Compare step time on generated and on real data.

    The real data must have been fetched: see `data`.
    """
    from benchmarks.selfcheck.sources import run_sources

    sys.exit(run_sources(workloads=workload, stack=stack, pairs=pairs, threads=threads, json_file=json_file))


@click.command()
@comma_separated("--workload", "Workloads. Default: all that have peers.")
@comma_separated("--stack", "FRAMEWORK:MODE pairs. Default: all in which a peer is compared.")
@click.option("--passes", type=click.IntRange(1), default=3, show_default=True, help="Fresh processes per pair.")
@click.option("--rounds", type=click.IntRange(2), default=12, show_default=True, help="Fewer for slow steps.")
@click.option(
    "--seconds", type=click.FloatRange(0.01), default=0.2, show_default=True, help="Minimum length of a block."
)
@THREADS
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@IMPLS
@click.option("--json", "json_file", type=NewFile(), help="Write the raw samples to this file; resume from it.")
@KEPT
@click.option(
    "--write",
    "page_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Update the table in this page (docs/SPEED.md).",
)
@click.pass_context
def peers(context: click.Context, /, **options: Any) -> None:
    """Compare our code with public reference implementations (15 minutes)."""
    from benchmarks.peers.measure import run_peers

    asked = given(context)
    if options["kept"] and (more := sorted(set(asked) - {"kept", "page_file"})):
        raise click.UsageError(f"--from measures nothing; remove {', '.join(asked[name] for name in more)}")
    options["workloads"], options["stacks"] = options.pop("workload"), options.pop("stack")
    sys.exit(run_peers(**options))


@click.command()
@click.option("--workload", default="mnist_mlp", show_default=True)
@comma_separated("--stack", "Two FRAMEWORK:MODE. Default: torch:eager,tensorflow:graph.")
@click.option("--passes", type=click.IntRange(1), default=5, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=4, show_default=True)
@THREADS
def contention(workload: str, stack: list[str], passes: int, rounds: int, threads: int | None) -> None:
    """Measure two stacks next to a busy process, without and with its detection (four minutes)."""
    from benchmarks.selfcheck.hog import run_hog

    stacks = stack or ["torch:eager", "tensorflow:graph"]
    sys.exit(run_hog(workload=workload, stacks=stacks, passes=passes, rounds=rounds, threads=threads))
