"""The command line. Every import that costs time stands inside the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmarks import experiments
from benchmarks.commands.output import NewFile
from benchmarks.protocol.profiles import MEASURES, PROFILES
from benchmarks.workload import DEFAULT_IMPLS, DeclarationError

EXIT_NOT_OK = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    _Words = click.ParamType[list[str]]
else:
    _Words = click.ParamType  # not subscriptable before click 8.2


class Several(_Words):
    """Values separated by commas; the option may also be repeated."""

    name = "name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if isinstance(value, list):
            return value
        return [word.strip() for word in str(value).split(",") if word.strip()]


def several(flag: str, help: str) -> Callable[[F], F]:
    def flatten(ctx: click.Context, param: click.Parameter, value: tuple[list[str], ...]) -> list[str]:
        return list(dict.fromkeys(word for words in value for word in words))

    return click.option(flag, multiple=True, type=Several(), callback=flatten, help=help)


class Commands(click.Group):
    """Turns known errors into one sentence and a non-zero exit; loads some only when asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "data", "museum", "selftest"])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "data":
            from benchmarks.commands.data import data

            return data
        if name == "museum":
            from benchmarks.museum.cli import museum

            return museum
        if name == "selftest":
            from benchmarks.selftest.cli import selftest

            return selftest
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        from benchmarks.errors import Problem

        try:
            return super().invoke(ctx)
        except (Problem, DeclarationError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(EXIT_USAGE)
        except OSError as error:  # a folder that is a file, a full disk, a run's folder deleted meanwhile
            if error.filename is None:
                raise
            what = (error.strerror or str(error)).lower()
            click.echo(f"error: {error.filename}: {what}; what was kept before stays as it is", err=True)
            ctx.exit(EXIT_USAGE)


IMPLS = click.option(
    "--impls",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=DEFAULT_IMPLS,
    show_default="impls",
    help="Folder that holds workload folders.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure the same book models in several deep-learning frameworks, and prove that they do the same work."""


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of a table.")
@several("--env", "NAME=PYTHON: also list stacks under another interpreter.")
@IMPLS
def list_command(as_json: bool, env: list[str], impls: Path) -> None:
    """Every workload on every stack, and whether it can run here."""
    from benchmarks.commands.list import print_list

    print_list(impls, env, as_json=as_json)


@main.command()
@several("--workload", "Workloads, or workload/variant. Default: all.")
@several("--framework", "Frameworks. Default: all.")
@several("--mode", "Modes. Default: all but the tuned ones.")
@several("--stack", "FRAMEWORK:MODE pairs, for combinations that --framework and --mode cannot name.")
@click.option("--tuned", is_flag=True, help="Tuned modes too, such as max-autotune; `list` marks them.")
@several("--device", "cpu, cuda. Default: cpu.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick", show_default=True)
@click.option(
    "--data",
    type=click.Choice(["embedded", "real"]),
    default="embedded",
    show_default=True,
    help="Generated data, or the official files (see `data`). BOOKBENCH_TEXT names another UTF-8 text for language "
    "models; BOOKBENCH_CORPUS is text8, enwiki, prefix or a text file for word vectors. Accuracy is judged only on the "
    "text that its range was measured on.",
)
@click.option("--passes", type=click.IntRange(1), help="Fresh processes of every stack. Default: the profile's.")
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds in a pass. Default: the profile's.")
@click.option("--batch-size", type=click.IntRange(1), help="Another batch size; accuracy is then not judged.")
@click.option("--threads", type=click.IntRange(1), help="Threads and CPUs of each stack. Default: all physical cores.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--accuracy-seeds", type=click.IntRange(1), help="Trainings per trained stack. Default: the profile's.")
@click.option("--recipe", help="Another recipe of the workloads: book, short, quick, smoke.")
@several(
    "--measure", f"What to measure: {', '.join(MEASURES)} (default: these four), or {', '.join(experiments.names())}."
)
@several("--sweep", "batch, threads: the same as --measure sweep_batch, sweep_threads; alone, only the sweep is run.")
@IMPLS
@several("--env", "NAME=PYTHON: run every stack also under another interpreter; default=PYTHON replaces this one.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with --out, or with the latest unfinished run.")
@several("--require", "FRAMEWORK:MODE:DEVICE that must be available; otherwise nothing is measured.")
@click.option("--budget", metavar="TIME", help="90s, 5m, 1h: fit the run into it, and say what it could detect.")
@click.option(
    "--price-per-hour",
    type=click.FloatRange(0, 1e9, min_open=True),
    help="What an hour of this machine costs, in any currency: the report turns seconds into cost.",
)
@click.option("--isolated", is_flag=True, help="Measure the top stacks again, each alone on the machine.")
@click.option("--canary/--no-canary", default=None, help="Launch one stack twice, as a check. Default: in full only.")
@click.option("--time-limit", type=click.FloatRange(1), help="Seconds any one request to a worker may take.")
@click.option("--report", is_flag=True, help="Render report.html beside the result and print its path last.")
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:
    """Measure, and keep the result under results/local/ (or --out)."""
    from benchmarks.commands.run import run_command

    given = [k for k in options if context.get_parameter_source(k) is click.core.ParameterSource.COMMANDLINE]
    if options["resume"] and (fixed := sorted(set(given) - {"resume", "out", "time_limit", "report"})):
        names = ", ".join("--" + word.replace("_", "-") for word in fixed)
        raise click.UsageError(f"--resume goes on with what was asked for then; leave out {names}")

    sys.exit(run_command(**options))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify(paths: tuple[Path, ...]) -> None:
    """Check result files against the schema and the protocol: one line per violation, exit 1 if any."""
    from benchmarks.verify.file import verify_paths

    sys.exit(verify_paths(paths))


@main.command()
@click.option(
    "--pairs", type=click.IntRange(1), default=16, show_default=True, help="Engine/script pairs of processes."
)
@click.option("--threads", type=click.IntRange(1))
def overhead(pairs: int, threads: int | None) -> None:
    """What the engine itself costs per step, and its step time beside a stand-alone script's."""
    from benchmarks.selfcheck.overhead import run_overhead

    sys.exit(run_overhead(pairs=pairs, threads=threads))


@main.command()
@several("--workload", "Workloads, or workload/variant. Default: all of the quick profile.")
@click.option("--stack", default="torch:eager", show_default=True, help="FRAMEWORK:MODE that takes the steps.")
@click.option("--pairs", type=click.IntRange(6), default=20, show_default=True, help="Pairs of blocks.")
@click.option("--threads", type=click.IntRange(1))
@click.option("--json", "json_file", type=NewFile(), help="Write the ratios here.")
def sources(workload: list[str], stack: str, pairs: int, threads: int | None, json_file: Path | None) -> None:
    """Whether a step takes as long on embedded data as on real data (which must be there: see `data`)."""
    from benchmarks.selfcheck.sources import run_sources

    sys.exit(run_sources(workloads=workload, stack=stack, pairs=pairs, threads=threads, json_file=json_file))


@main.command()
@several("--workload", "Workloads. Default: all that have peers.")
@several("--stack", "FRAMEWORK:MODE pairs. Default: all in which a peer is compared.")
@click.option("--passes", type=click.IntRange(1), default=3, show_default=True, help="Fresh processes of each pair.")
@click.option("--rounds", type=click.IntRange(2), default=12, show_default=True, help="Fewer for slow steps.")
@click.option("--seconds", type=click.FloatRange(0.01), default=0.2, show_default=True, help="Least length of a block.")
@click.option("--threads", type=click.IntRange(1))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@IMPLS
@click.option(
    "--json",
    "json_file",
    type=NewFile(),
    help="Keep raw ratios here; go on from what is there.",
)
@click.option(
    "--from", "kept", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Show such a file instead."
)
@click.option(
    "--write",
    "page_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Renew the table in this page (docs/SPEED.md).",
)
@click.pass_context
def peers(context: click.Context, /, **options: Any) -> None:
    """Are our implementations as fast as the best public ones in the same framework? (about 15 minutes)"""
    from benchmarks.peers.measure import run_peers

    given = [k for k in options if context.get_parameter_source(k) is click.core.ParameterSource.COMMANDLINE]
    if options["kept"] and (more := sorted(set(given) - {"kept", "page_file"})):
        raise click.UsageError(f"--from measures nothing; leave out {', '.join(more)}")
    options["workloads"], options["stacks"] = options.pop("workload"), options.pop("stack")
    sys.exit(run_peers(**options))


@main.command()
@click.option("--workload", default="mnist_mlp", show_default=True)
@several("--stack", "Two FRAMEWORK:MODE. Default: torch:eager,tensorflow:graph.")
@click.option("--passes", type=click.IntRange(1), default=5, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=4, show_default=True)
@click.option("--threads", type=click.IntRange(1))
def hog(workload: str, stack: list[str], passes: int, rounds: int, threads: int | None) -> None:
    """Measure two stacks beside a busy neighbour, and show what detecting it is worth (about four minutes)."""
    from benchmarks.selfcheck.hog import run_hog

    stacks = stack or ["torch:eager", "tensorflow:graph"]
    sys.exit(run_hog(workload=workload, stacks=stacks, passes=passes, rounds=rounds, threads=threads))


@main.command()
def doctor() -> None:
    """What is installed, what is missing and why, and what would disturb a measurement now."""
    from rich.console import Console

    from benchmarks.commands.doctor import run_doctor

    run_doctor(Console())
