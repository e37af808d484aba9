"""Types and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmarks.workload import DEFAULT_IMPLS

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    _Words = click.ParamType[list[str]]
else:
    _Words = click.ParamType  # not subscriptable before click 8.2


class CommaSeparated(_Words):
    """Values separated by commas; the option may also be repeated."""

    name = "name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if isinstance(value, list):
            return value
        return [word.strip() for word in str(value).split(",") if word.strip()]


class NewFile(click.Path):
    """A file to be written. Its folder is made at once: nothing is measured that could then not be kept."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.fail(f"{path}: cannot make its folder: {(error.strerror or str(error)).lower()}", param, ctx)
        return path


def comma_separated(flag: str, help: str, *, hidden: bool = False) -> Callable[[F], F]:
    """Make an option whose value is a list of distinct words, in the order given."""

    def flatten(ctx: click.Context, param: click.Parameter, value: tuple[list[str], ...]) -> list[str]:
        return list(dict.fromkeys(word for words in value for word in words))

    return click.option(flag, multiple=True, type=CommaSeparated(), callback=flatten, help=help, hidden=hidden)


def given(context: click.Context) -> dict[str, str]:
    """Return the options on the command line: name of the parameter -> the option's own name."""
    named = {p.name: p.opts[0] for p in context.command.params if p.name}
    source = click.core.ParameterSource.COMMANDLINE
    return {name: option for name, option in named.items() if context.get_parameter_source(name) is source}


IMPLS = click.option(
    "--impls",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=DEFAULT_IMPLS,
    show_default="impls",
    help="Folder that holds workload folders.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(1), help="Threads and CPUs of each stack. Default: all physical cores."
)
KEPT = click.option(
    "--from",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Show a saved file; measure nothing.",
)
