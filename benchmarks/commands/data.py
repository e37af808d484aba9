"""``python -m benchmarks data``: fetch, verify, path."""

from __future__ import annotations

import sys

import click

from benchmarks.data.fetch import data_folder, sets
from benchmarks.data.fetch import fetch as fetch_set
from benchmarks.data.fetch import verify as verify_set


@click.group()
def data() -> None:
    """Download, verify and locate the real data sets."""


@data.command()
@click.argument("names", nargs=-1)
def fetch(names: tuple[str, ...]) -> None:
    """Download data sets into the data folder (default: all)."""
    for name in names or sets():
        for path in fetch_set(name):
            click.echo(path)


@data.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check the hashes of the files; exit with 1 if one is missing or wrong."""
    bad = False
    for name in names or sets():
        wrong = verify_set(name)
        click.echo(f"{name}: ok" if not wrong else "\n".join(wrong))
        bad = bad or bool(wrong)
    sys.exit(1 if bad else 0)


@data.command()
def path() -> None:
    """Print the data folder: BOOKBENCH_DATA, or a folder in the platform's cache."""
    click.echo(data_folder())
