"""The command line: its commands in sections, each loaded when it is used, and errors in one sentence."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

EXIT_USAGE = 2

SECTIONS = {
    "Measure": {
        "run": "benchmarks.commands.measure.run",
        "doctor": "benchmarks.commands.measure.doctor",
        "list": "benchmarks.commands.measure.list_command",
        "data": "benchmarks.commands.data.data",
    },
    "Check": {
        "verify": "benchmarks.commands.check.verify",
        "selftest": "benchmarks.commands.selftest.selftest",
    },
    "About the suite": {
        "overhead": "benchmarks.commands.suite.overhead",
        "sources": "benchmarks.commands.suite.sources",
        "peers": "benchmarks.commands.suite.peers",
        "pitfalls": "benchmarks.commands.pitfalls.pitfalls",
        "contention": "benchmarks.commands.suite.contention",
    },
}
FORMER_NAMES = {  # of commands and options; they keep working
    "hog": "contention",
    "museum": "pitfalls",
    "canary": "aa-check",
    "no-canary": "no-aa-check",
    "isolated": "solo",
    "read": "from",
    "time-limit": "request-timeout",
}


class Commands(click.Group):
    """A group of lazily loaded commands (click's ``LazyGroup``), listed in sections."""

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.lazy = {name: path for section in sections.values() for name, path in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module, _, name = self.lazy[cmd_name].rpartition(".")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.lazy))
        for title, names in self.sections.items():
            commands = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(title):
                formatter.write_dl([(n.ljust(width), c.get_short_help_str(120)) for n, c in commands.items() if c])

    def invoke(self, ctx: click.Context) -> Any:
        from benchmarks.errors import Problem
        from benchmarks.workload import DeclarationError

        try:
            return super().invoke(ctx)
        except (Problem, DeclarationError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(EXIT_USAGE)
        except OSError as error:  # a folder that is a file, a full disk, a run's folder deleted meanwhile
            if error.filename is None:
                raise
            what = (error.strerror or str(error)).lower()
            click.echo(f"error: {error.filename}: {what}; what was written before is unchanged", err=True)
            ctx.exit(EXIT_USAGE)


@click.group(
    cls=Commands,
    sections=SECTIONS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: FORMER_NAMES.get(name, name),
    },
)
def main() -> None:
    """Measure the same book models in several deep-learning frameworks, and prove that they do the same work."""
