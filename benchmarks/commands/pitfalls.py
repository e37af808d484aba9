"""``python -m benchmarks pitfalls``. Imports that cost time stand inside."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click

from benchmarks.commands.options import KEPT, THREADS, NewFile

INTERRUPTED = 130
MINUTES = 5


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only these cases (comma-separated or repeated).")
@click.option("--list", "list_only", is_flag=True, help="List the cases and exit.")
@click.option("--profile", type=click.Choice(["smoke", "quick"]), default="quick", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@THREADS
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help=f"Start no new case after this many minutes; list the ones skipped. Default: {MINUTES}.",
)
@click.option("--json", "json_file", type=NewFile(), help="Write the raw samples to this file.")
@KEPT
@click.option(
    "--write",
    "page",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Update the table in this page (docs/MUSEUM.md).",
)
def pitfalls(
    only: tuple[str, ...],
    list_only: bool,
    profile: str,
    device: str,
    threads: int | None,
    minutes: float | None,
    json_file: Path | None,
    kept: Path | None,
    page: Path | None,
) -> None:
    """Show how far classic benchmarking mistakes move a number (five minutes)."""
    if list_only:
        return _list()
    if kept is not None and (only or json_file or threads or minutes):
        raise click.UsageError("--from shows a saved file; it goes with --write only")
    names = [name.strip() for words in only for name in words.split(",") if name.strip()]
    if kept is not None:
        from benchmarks.museum.schema import read

        found = read(kept)
    else:
        from benchmarks.commands.run import _command
        from benchmarks.museum.visit import visit

        # Also where the shell had SIGINT ignored, as it does for background jobs: an explicit SIGINT counts.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            found = visit(
                only=names,
                profile=profile,  # type: ignore[arg-type]  # click has checked it
                device=device,  # type: ignore[arg-type]  # as above
                threads=threads,
                minutes=minutes or MINUTES,
                command=_command(),
                say=_Say(),
            )
        except KeyboardInterrupt:
            click.echo("interrupted; nothing is kept", err=True)
            sys.exit(INTERRUPTED)
    if json_file is not None:
        from benchmarks.museum.schema import write

        write(found, json_file)
        click.echo(json_file)
    if page is not None:
        from benchmarks.museum.page import document
        from benchmarks.schema.markdown import renew

        click.echo(f"{page}: {'renewed' if renew(page, 'museum', document(found)) else 'is up to date'}")
    from benchmarks.museum.page import show

    show(found)
    sys.exit(int(any(case.status not in ("ok", "unavailable") for case in found.cases)))


class _Say:
    """Print progress with the seconds since the start."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def __call__(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self.begun:5.0f} s  {text}", err=True)


def _list() -> None:
    from benchmarks.museum import exhibit, names

    for name in names():
        places = ", ".join(dict.fromkeys(f"{p.workload} on {p.stack}" for p in exhibit(name).PLACES))
        click.echo(f"{name:20} {exhibit(name).TITLE} ({places})")


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
