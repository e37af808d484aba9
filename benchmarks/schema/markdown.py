"""Markdown as the suite writes it: tables, and the generated part of a page between two markers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.errors import Problem

LEFT, RIGHT = ":---", "---:"


def plain(text: str) -> str:
    """Make foreign text safe inside a cell: one line, no cell borders, no markup."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("`", "&#96;")):
        text = text.replace(character, entity)
    return " ".join(text.split())


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(head: Iterable[str], align: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table; ``align`` holds LEFT or RIGHT per column."""
    return [line(head), line(align), *map(line, rows)]


def markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def renew(page: Path, name: str, body: str, *, write: bool = True) -> bool:
    """Put ``body`` between the markers ``name`` of ``page``, and say whether that changes it.

    Raises Problem where the page lacks them.
    """
    text = page.read_text("utf-8")
    begin, end = markers(name)
    head, opened, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed):
        raise Problem(f"{page}: there is no {begin} followed by {end}")
    new = f"{head}{begin}\n{body}{end}{tail}"
    if write and new != text:
        page.write_text(new, encoding="utf-8")
    return new != text
