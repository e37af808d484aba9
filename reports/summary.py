"""The results of the README as Markdown, made from result files: workload variants, then the books' figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.analysis.ratios import PROVISIONAL_BELOW
from benchmarks.schema.markdown import LEFT, RIGHT, plain, table
from benchmarks.schema.results import Result, Row
from reports import baselines, numbers, used
from reports.ranking import JOINT, Ranking, rank
from reports.table import words
from reports.verdict import against_book, as_the_book, judgement, seed_range
from reports.work import (
    Figure,
    Work,
    certified,
    final_metric,
    gather,
    label,
    marked,
    mixed,
    worst,
)

BOOKS = "### The books' own figures"
SPEED = ("Step, ms", "× fastest")  # beside throughput


def markdown(results: Sequence[Result]) -> str:
    """The tables of every workload variant, one per run and family, then a line per run, then the books' figures."""
    works = gather(results)
    apart = mixed(works)
    books = [work for work in works if not work.timed and any(as_the_book(work, row) for row in work.rows)]
    shown = [work for work in works if work not in books]
    several = len({work.result.id for work in shown}) > 1
    parts: list[str] = []
    for work in shown:
        found = rank(work)
        parts += [_table(work, family, several, work.key in apart) for family in found.families]
        parts += [plain(baselines.line(b)) for b in work.baselines]
    for result in results:
        mine = [work for work in shown if work.result is result]
        parts += [about(result, timed=any(work.timed for work in mine))] if mine else []
    parts += [
        f"{plain(key)} appears with {len(apart[key])} declarations: different work, not comparable." for key in apart
    ]
    trained = [work for work in works if any(as_the_book(work, row) for row in work.rows)]
    if trained:
        parts += [BOOKS, _books(trained)]
        parts += [about(result, timed=False) for result in results if any(work.result is result for work in trained)]
    return "\n\n".join(parts) + "\n"


def _table(work: Work, found: Ranking, several: bool, apart: bool) -> str:
    trained = any(row.accuracy for row in work.rows) or "accuracy" in work.result.options.measure
    measure = work.measure
    titles = ["Stack", *((f"{work.unit.capitalize()}/s", *SPEED) if work.timed else ())]
    align = [LEFT, *([RIGHT] * 3 if work.timed else [])]
    if trained:
        book = "book" if work.real else "book (real data)"
        titles += [measure.title + measure.direction, f"{measure.bound.capitalize()} / {book}"]
        align += [LEFT, LEFT]
    titles, align = [*titles, "Certificate: worst error of tolerance" if work.proven else "Status"], [*align, LEFT]
    rows = (*found.ranked, *found.timed, *found.untimed)
    cells = [
        [
            marked(work, row),
            *(_speed(found, row) if work.timed else []),
            *([_metric(work, row), _references(work)] if trained else []),
            _certificate(work, found, row),
        ]
        for row in rows
    ]
    lines = plain_table(titles, align, cells)
    differ = [f"\n{plain(text)}" for text in used.lines(work, found)] if work.timed else []
    return "\n".join([heading(work, rows, several, apart, found.title), "", *lines, *differ])


def heading(work: Work, rows: Sequence[Row], several: bool, apart: bool, family: str = "") -> str:
    facts = [f"batch {work.batches}"] if rows else []
    facts += [f"declaration {work.hash[:8]}"] if apart else []
    facts += [f"run {work.result.id}"] if several else []
    title = ", ".join(filter(None, [work.title, family.lower()]))
    return f"**{plain(title)}** ({', '.join([f'<code>{plain(work.key)}</code>', *map(plain, facts)])})"


def _speed(found: Ranking, row: Row) -> list[str]:
    if row in found.untimed:
        return [numbers.NOTHING] * 3
    rate, seconds = row.samples_per_second(), row.step_seconds()
    assert rate is not None and seconds is not None
    return [numbers.number(rate), numbers.number(seconds * 1e3), _ratio(found, row)]


def _ratio(found: Ranking, row: Row) -> str:
    if row in found.timed:
        return "not ranked"
    if row is found.ranked[0]:
        return "1.00 (shared)" if found.standing == "shared" else "1.00"
    versus = found.against[row.stack.key]
    provisional = versus.word == "provisional"  # said once below the table, and what so few passes find is no news
    word = "" if versus.beaten or provisional else versus.word
    finds = f"finds {versus.finds}" if versus.finds and not provisional else ""
    inside = ", ".join(filter(None, [versus.interval, word, finds]))
    return numbers.ratio(versus.ratio) + (f" ({inside})" if inside else "")


def _metric(work: Work, row: Row) -> str:
    judged, value = judgement(row), final_metric(row)
    if judged == "not trained":
        return numbers.NOTHING
    over = work.measure.over(value, work.optimum)
    return f"{work.measure.text(value)}{f' ({over})' if over else ''}, {judged}"


def _references(work: Work) -> str:
    """The book's figure is for real data, the optimum for generated data."""
    books = [work.printed(f) + ("" if f.held else f", {f.aside or f.name}") for f in work.figures]
    return " / ".join([work.measure.text(work.optimum), "; ".join(books) or numbers.NOTHING])


def _certificate(work: Work, found: Ranking, row: Row) -> str:
    certificate = row.certificate
    if (work.timed and row in found.untimed) or (certificate is None and not work.proven):
        return _outcome(work, row)
    if certificate is None:
        return "none: timing without valid certificate" if work.timed else _outcome(work, row)
    if not certified(row):
        return f"{words(certificate.status)}: {certificate.reason or 'timing without valid certificate'}"
    most = worst(certificate.tensors)
    if most is None or most.error is None:
        return "passed"
    return f"passed, {numbers.number(most.error)} of {numbers.number(most.tolerance)}"


def _outcome(work: Work, row: Row) -> str:
    status = words(row.status, work.measure.name)
    return f"{status}: {row.reason}" if row.reason else status


def about(result: Result, *, timed: bool) -> str:
    """One line: machine, date, versions, passes, and how far the verdicts go."""
    options, machine = result.options, result.machine
    where = ", ".join([machine.cpu, *(gpu.get("name", "GPU") for gpu in machine.gpus)])
    parts = [f"{where}, {numbers.plural(options.threads, 'thread')}", result.started[:10], _versions(result)]
    parts.append(f"{options.profile} profile, {options.data} data")
    if timed:
        parts.append(_passes(result))
    text = f"Run {result.id}: {'; '.join(filter(None, parts))}."
    if timed and options.passes < PROVISIONAL_BELOW:
        text += " × fastest: ratio of step times, 1.00 is the stack measured fastest."
        text += f" Verdicts are provisional: below {PROVISIONAL_BELOW} passes there is no interval."
    elif timed:
        whose = "table" if result.verdict_rule >= 3 else "workload"
        text += (
            f" × fastest: ratio of step times with its joint interval ({JOINT} for all pairs of a {whose} together), "
            "1.00 is the fastest. Verdicts hold jointly too; finds: the smallest difference that would have been found "
            "with a probability of 90 %."
        )
    return plain(text + ("" if result.complete else " Interrupted: figures are partial."))


def _passes(result: Result) -> str:
    """As fixed, or the range of what pilots decided."""
    decided = sorted({p.passes for p in result.pilots}) or [result.options.passes]
    most = numbers.plural(decided[-1], "pass", "es")
    return most if len(decided) == 1 else f"{decided[0]} to {most}"


def _versions(result: Result) -> str:
    """Of the frameworks that ran; interpreters beside the default one by name."""
    names = _frameworks(result.rows)
    found: list[str] = []
    for interpreter in result.interpreters:
        beside = "" if interpreter.name == "default" else f" ({interpreter.name})"
        found += [f"{name} {v}{beside}" for name in names if (v := interpreter.packages.get(name)) is not None]
    return ", ".join(found)


def _books(works: Sequence[Work]) -> str:
    """Book and measured, workload by workload; as many columns as frameworks were trained."""
    frameworks = _frameworks(row for work in works for row in work.rows if as_the_book(work, row))
    titles = ["Workload", "Book", *frameworks.values(), "Book within ± 2 SE of the seeds"]
    rows = []
    for work in works:
        kind = "" if work.measure.proportion else f"{work.measure.name} "
        for figure in work.figures or (None,):
            other = figure is not None and not figure.held
            cells = [f"{work.title}; {figure.what}" if figure and other else work.title]
            cells += [kind + (work.printed(figure) if figure else numbers.NOTHING)]
            if figure is not None and figure.aside:
                rows.append([*cells, *[numbers.NOTHING] * len(frameworks), "not measured"])
                continue
            cells += [_measured(work, framework, figure) for framework in frameworks]
            rows.append([*cells, "trained otherwise" if other else _within(work)])
    return "\n".join(plain_table(titles, [LEFT, RIGHT, *[LEFT] * (len(frameworks) + 1)], rows))


def _frameworks(rows: Iterable[Row]) -> dict[str, str]:
    """Framework -> its name for people, in the order of these."""
    named = {row.stack.known.framework: row.stack.framework for row in rows}
    return {named[label]: label for label in sorted(named)}


def _measured(work: Work, framework: str, figure: Figure | None) -> str:
    """Range over seeds of what the figure is about, their number and the mode; of every stack of the framework."""
    found = []
    for row in work.rows:
        if row.stack.framework != framework or not as_the_book(work, row):
            continue
        where = [row.stack.known.mode]
        where += [word for word in (row.stack.device, row.stack.interpreter) if word not in ("cpu", "default")]
        text = f"{seed_range(work, row, figure)}, {' '.join(where)}"
        found.append(text if row.status == "ok" else f"{text}, {words(row.status, work.measure.name)}")
    if not found:
        found = [_outcome(work, r) for r in work.rows if r.stack.framework == framework and r.status != "ok"]
    return "; ".join(dict.fromkeys(found)) or numbers.NOTHING


def _within(work: Work) -> str:
    if not work.measure.proportion:
        return _standing(work)
    held = [(row, book.within) for row in work.rows if (book := against_book(work, row)) is not None]
    if not held or any(within is None for _, within in held):
        return numbers.NOTHING
    inside = [label(row.stack) for row, within in held if within]
    return "all" if len(inside) == len(held) else numbers.words(inside) or "none"


def _standing(work: Work) -> str:
    """Where there is no standard error: how the seeds alone stand to the book's figure."""
    held = [(label(row.stack), book.word) for row in work.rows if (book := against_book(work, row)) is not None]
    groups = {word: [name for name, w in held if w == word] for _, word in held if word}
    parts = [f"{word}: {'all' if len(n) == len(held) else numbers.words(n)}" for word, n in groups.items()]
    return f"no SE; seeds {'; '.join(parts)}" if parts else numbers.NOTHING


def plain_table(head: Iterable[str], align: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table of text that is no Markdown."""
    return table(map(plain, head), align, (map(plain, row) for row in rows))
