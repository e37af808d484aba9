"""The results table of the README, made from result files."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results import Result, Row
from reports import numbers
from reports.verdict import ENOUGH_PASSES, Ranking, judgement, rank
from reports.work import Work, final_metric, gather, label, mixed, used, worst

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
HEADERS = ("Workload", "Stack", "Samples/s", "Ratio to fastest", "Accuracy", "Book / optimum", "Certificate")
ALIGN = ("---", "---", "---:", "---:", "---", "---", "---")


class MarkersMissing(ValueError):
    """The text has no pair of markers to write between."""


def markdown_table(results: list[Result]) -> str:
    """One row per workload variant and stack, failures with their reason, and a line on each run below."""
    works = gather(results)
    apart = mixed(works)
    lines = [_line(HEADERS), _line(ALIGN)]
    for work in works:
        found = rank(work)
        name = _name(work, len(results) > 1, work.key in apart)
        for row in (*found.ranked, *found.timed, *found.untimed):
            lines.append(_line([name, label(row.stack), *_figures(work, found, row)]))
            name = ""
    lines += ["", *(_about(result) for result in results)]
    for key in apart:
        lines.append(f"- {_plain(key)} appears with {len(apart[key])} declarations: different work, not comparable.")
    return "\n".join(lines) + "\n"


def _name(work: Work, several: bool, apart: bool) -> str:
    name = work.key
    if apart:
        name += f" (declaration {work.hash[:8]})"
    return f"{name}, run {work.result.id}" if several else name


def _figures(work: Work, found: Ranking, row: Row) -> list[str]:
    references = " / ".join([numbers.metric(work.book_figure), numbers.metric(work.optimum)])
    rate = numbers.number(row.samples_per_second())
    if row in found.untimed:
        return [numbers.NOTHING, numbers.NOTHING, _accuracy(row), references, f"{row.status}: {row.reason}"]
    return [rate, _ratio(found, row), _accuracy(row), references, _certificate(row)]


def _ratio(found: Ranking, row: Row) -> str:
    if row in found.timed:
        return "not ranked"
    if row is found.ranked[0]:
        return {"settled": "1.00", "shared": "1.00 (shared)", "alone": "1.00 (alone)"}.get(
            found.standing, "1.00 (provisional)"
        )
    versus = found.against[row.stack.key]
    within = versus.interval if versus.beaten else ", ".join(filter(None, [versus.interval, versus.word]))
    return f"{numbers.ratio(versus.ratio)} ({within})"


def _accuracy(row: Row) -> str:
    judged = judgement(row)
    return judged if judged == "not trained" else f"{numbers.metric(final_metric(row))}, {judged}"


def _certificate(row: Row) -> str:
    certificate = row.certificate
    if certificate is None:
        return "none: timing without valid certificate"
    if certificate.status != "ok":
        return f"{certificate.status}: {certificate.reason or 'timing without valid certificate'}"
    most = worst(certificate.tensors)
    return "passed" if most is None else f"passed, worst {numbers.percent(used(most))} of tolerance"


def _about(result: Result) -> str:
    options, machine = result.options, result.machine
    passes = f"{options.passes} passes" + (", provisional" if options.passes < ENOUGH_PASSES else "")
    facts = [machine.cpu, *(gpu.get("name", "GPU") for gpu in machine.gpus)]
    text = f"- Run {result.id}, {result.started[:10]}: {', '.join(facts)}; {options.threads} threads, "
    text += f"{options.profile} profile, {passes}, {options.data} data."
    return _plain(text + ("" if result.complete else " Interrupted: figures are partial."))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_plain(c) for c in cells) + " |"


def _plain(text: str) -> str:
    """Safe inside a table cell: one line, no cell borders, no markup."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("`", "&#96;")):
        text = text.replace(character, entity)
    return " ".join(text.split())


def replaced(text: str, table: str) -> str:
    """``text`` with everything between the two markers exchanged for ``table``."""
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < start:
        raise MarkersMissing(f"there is no {BEGIN} followed by {END}")
    return f"{text[: start + len(BEGIN)]}\n{table}{text[end:]}"
