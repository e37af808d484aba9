"""What the parts of committed runs found, as Markdown: the generated half of ``docs/QUESTIONS.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks import experiments as measured
from benchmarks.schema.markdown import LEFT, RIGHT, plain
from benchmarks.schema.results import Result
from reports import parts as shown
from reports.summary import about, heading, plain_table
from reports.table import Cell, Column, Line, Table
from reports.work import Work, gather


def markdown(results: Sequence[Result]) -> str:
    """Part by part in the order of ``results``; in each its runs, in each run its workloads.

    What a part's answers have in common (how it was measured, what was not proven) is told once, at the part's end.
    """
    works = gather(results)
    asked = dict.fromkeys(part for result in results for part in measured.chosen(result.options.measure))
    out: list[str] = []
    for part in asked:
        schema = measured.schema(part)
        out += [f"## {schema.TITLE}", f"{schema.QUESTION[:1].upper()}{schema.QUESTION[1:]}."]
        for result in results:
            if part in result.options.measure:
                out += _run(part, [work for work in works if work.result is result])
                out.append(about(result, timed=False))
    return "\n\n".join(out) + "\n"


def _run(part: str, works: Sequence[Work]) -> Iterator[str]:
    found = [(work, seen) for work in works if (seen := shown.section(work, part, part)) is not None]
    shared = [c for c in found[0][1].caveats if all(c in s.caveats for _, s in found)] if found else []
    for work, seen in found:
        own = [c for c in seen.caveats if c not in shared]
        yield f"{heading(work, work.rows, several=False, apart=False)}: {plain(' '.join([seen.sentence, *own]))}"
        for index, (caption, table) in enumerate(seen.tables):
            text = _table(table)
            yield text if index == 0 else f"<details><summary>{plain(caption)}</summary>\n\n{text}\n\n</details>"
    yield from (plain(text) for text in dict.fromkeys([*shared, *(n for _, s in found for n in s.notes)]))


def _table(table: Table) -> str:
    rows = [[*map(_cell, row)] for row in table.rows] + [_words(text, len(table.columns)) for text in table.lines]
    align = (RIGHT if c.number else LEFT for c in table.columns)
    lines = plain_table(map(_head, table.columns), align, rows)
    notes = [f"{table.mark(note)}: {plain(note)}" for note in table.notes]
    return "\n".join(lines) + ("\n\n" + " ".join(notes) if notes else "")


def _head(column: Column) -> str:
    return f"{column.title} ({column.sub})" if column.sub else column.title


def _cell(cell: Cell) -> str:
    text = f"{cell.text} ({cell.sub})" if cell.sub else cell.text
    return f"{text} [{cell.mark}]" if cell.mark else text


def _words(found: Line, columns: int) -> list[str]:
    return [", ".join(found.names), f"{found.word}: {found.text}", *[""] * (columns - 2)]
