"""``python -m reports PATH... --out report.html``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from pydantic import ValidationError

from benchmarks.errors import Problem
from benchmarks.experiments import read_result
from benchmarks.schema import markdown
from benchmarks.schema.results import Result
from reports import numbers, summary


def find(paths: Sequence[Path]) -> list[Path]:
    """The result files that ``paths`` name: files as they are, folders for the ``result.json`` in or below them."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            here = [path / "result.json"] if (path / "result.json").is_file() else sorted(path.rglob("result.json"))
            if not here:
                raise click.ClickException(f"{path} holds no result.json.")
            files += here
        elif path.is_file():
            files.append(path)
        else:
            raise click.ClickException(f"{path} does not exist.")
    return files


def load(files: Sequence[Path]) -> list[Result]:
    """Every result once, however often it is named."""
    results: list[Result] = []
    for file in files:
        try:
            result = read_result(file)
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{file} cannot be read: {error}.") from None
        except ValueError as error:
            raise click.ClickException(f"{file} is not a Bookbench result: {_invalid(error)}.") from None
        if result not in results:
            results.append(result)
    return results


def _invalid(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place + ': ' if place else ''}{first['msg']}{more}"


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="HTML file to write [report.html]")
@click.option(
    "--readme", type=click.Path(dir_okay=False, path_type=Path), help="text file whose results table to renew"
)
@click.option(
    "--questions", type=click.Path(dir_okay=False, path_type=Path), help="text file whose answers of parts to renew"
)
@click.option("--check", is_flag=True, help="write nothing; exit 1 if --readme or --questions is not up to date")
def main(paths: tuple[Path, ...], out: Path | None, readme: Path | None, questions: Path | None, check: bool) -> None:
    """Make a report from result files, or from folders that hold result.json.

    The last line printed is the path of the report.

    With --readme, renew the table between <!-- results:begin --> and
    <!-- results:end --> in that file, and with --questions what parts of a
    run (--measure profile and the like) found; the HTML page is then written
    only where --out asks for it.
    """
    if check and ((readme is None and questions is None) or out is not None):
        raise click.UsageError("--check goes with --readme or --questions and without --out.")
    results = load(find(paths))
    if readme is not None:
        _renew(readme, "results table", summary.markdown(results), check)
    if questions is not None:
        from reports.questions import markdown as answers  # draws charts, to throw them away

        _renew(questions, "page of answers", answers(results), check)
    if out is not None or (readme is None and questions is None):
        _write(out or Path("report.html"), results)


def _renew(page: Path, what: str, found: str, check: bool) -> None:
    try:
        changed = markdown.renew(page, "results", found, write=not check)
    except Problem as error:
        raise click.ClickException(f"{error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{page} cannot be used: {error}.") from None
    if check and changed:
        raise click.ClickException(f"The {what} in {page} is not up to date.")
    click.echo(f"{page}: {what} {'renewed' if changed else 'is up to date'}.")


def _write(out: Path, results: list[Result]) -> None:
    from reports.render import html  # seaborn takes a moment; the table does without

    text = html(results)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error}.") from None
    click.echo(f"Report of {numbers.plural(len(results), 'run')}, {len(text.encode()) / 1024:,.0f} KiB:")
    click.echo(out)  # alone on the last line, for scripts
