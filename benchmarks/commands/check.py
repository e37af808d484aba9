"""Options of ``verify``. Every import that costs time stands inside a command."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify(paths: tuple[Path, ...]) -> None:
    """Check result files against schema, protocol and their own samples.

    Prints one line per violation; exits with 1 if there is any.
    """
    from benchmarks.verify.file import verify_paths

    sys.exit(verify_paths(paths))
