"""From results to what the page shows: plain dataclasses, every string still unescaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.schema.results import Result, Row
from reports import agreement, baselines, charts, cost, facts, parts, scores, svg, tables, tuning, used
from reports import findings as notes
from reports import numbers as n
from reports.certificates import CertificateView, certificate, checks
from reports.charts import Chart
from reports.parts import Section
from reports.ranking import Ranking, rank
from reports.table import Table, words
from reports.verdict import Sentence, metric_line, sentences
from reports.work import Work, gather, label, mixed


@dataclass(frozen=True)
class Failure:
    names: tuple[str, ...]
    where: str
    status: str
    reason: str
    log: str


@dataclass(frozen=True)
class Results:
    """The table of one family of stacks, documented or tuned, and the defaults on which these differ."""

    title: str
    table: Table
    lines: list[str]


@dataclass(frozen=True)
class Panel:
    """One workload variant of one run. ``first`` is the first of its kind: same workload, same declaration."""

    anchor: str
    first: bool
    title: str
    key: str
    run: str
    warning: str
    about: str
    facts: list[tuple[str, str]]
    sentence: Sentence
    further: tuple[Sentence, ...]
    metric: str
    line: str
    summaries: list[Results]
    used: Table | None
    accuracies: Table | None
    agreement: str
    agreements: Table | None
    also: Table | None
    baselines: Table | None
    written: list[tuple[str, dict[str, str]]]
    shown: str
    binomial: bool
    generates: str
    charts: list[Chart]
    rounds: Chart | None
    phases: Table | None
    checks: Table | None
    certificates: list[CertificateView]
    failures: list[Failure]
    quality: Table
    findings: list[str]
    alone: str
    sections: list[Section]
    hash: str
    declaration: str
    implementations: list[tuple[str, str, str]]


@dataclass(frozen=True)
class RunView:
    anchor: str
    id: str
    when: str
    warnings: list[str]
    notes: list[str]
    machine: list[tuple[str, str]]
    software: Table
    options: list[tuple[str, str]]
    environment: Table
    data: Table
    disturbance: str


@dataclass(frozen=True)
class Page:
    title: str
    subtitle: str
    runs: list[RunView]
    panels: list[Panel]
    apart: list[str]
    jointly: bool
    tuned: bool


def page(results: Sequence[Result]) -> Page:
    svg.begin(row.stack for result in results for row in result.rows)
    works = gather(results)
    apart = mixed(works)
    several = len(results) > 1
    runs = [_run(result, f"run{i}", [w for w in works if w.result is result]) for i, result in enumerate(results)]
    firsts = {(w.key, w.hash): i for i, w in reversed(list(enumerate(works)))}
    panels = [_panel(w, f"w{i}", firsts[w.key, w.hash] == i, several, apart) for i, w in enumerate(works)]
    tuned = any(row.stack.tuned for result in results for row in result.rows)
    jointly = all(result.verdict_rule >= 2 for result in results)
    return Page("Bookbench report", _subtitle(results), runs, panels, _apart(works, apart), jointly, tuned)


def _subtitle(results: Sequence[Result]) -> str:
    if len(results) > 1:
        return f"{len(results)} runs, each ranked by itself: ratios are never formed across runs."
    result = results[0]
    gpus = [gpu.get("name", "GPU") for gpu in result.machine.gpus]
    return f"Run {result.id} on {n.words([result.machine.cpu, *gpus])}, {facts.day(result.started)}."


def _apart(works: Sequence[Work], apart: dict[str, list[str]]) -> list[str]:
    out = [
        f"{key} comes with {len(hashes)} different declarations ({n.words(h[:12] or 'none' for h in hashes)}). "
        "That is different work under one name: it is shown apart and nothing is compared across."
        for key, hashes in apart.items()
    ]
    seen: dict[tuple[str, str, str], set[str]] = {}
    for work in works:
        for row in work.rows:
            seen.setdefault((work.key, work.hash, label(row.stack)), set()).add(row.implementation_hash)
    changed = sorted({f"{name} on {key}" for (key, _, name), hashes in seen.items() if len(hashes) > 1})
    if changed:
        out.append(f"The implementation differs between these runs for {n.words(changed)}.")
    return out


def _panel(work: Work, anchor: str, first: bool, several: bool, apart: dict[str, list[str]]) -> Panel:
    found = rank(work)
    drawings = [(charts.throughput, family) for family in found.families]
    drawings += [(charts.accuracy, found), (charts.starts, found)]
    shown = [charts.drawn(draw, work, of, f"{anchor}c{i}") for i, (draw, of) in enumerate(drawings)]
    said, *further = sentences(work, found)
    seeds = scores.accuracies(work)
    sections = [*tuning.sections(work, found, f"{anchor}t"), *cost.sections(work)]
    sections += parts.sections(work, f"{anchor}p")
    warning = ""
    if work.key in apart:
        warning = f"Declaration {work.hash[:12] or 'missing'}: not comparable with the other declaration of {work.key}."
    return Panel(
        anchor=anchor,
        first=first,
        title=work.title,
        key=work.key,
        run=_name(work) if several else "",
        warning=warning,
        about=facts.about(work),
        facts=facts.model(work),
        sentence=said,
        further=tuple(further),
        metric=work.measure.title,
        line=metric_line(work),
        summaries=[_results(work, family) for family in found.families if work.timed],
        used=used.table(work),
        accuracies=seeds,
        agreement=agreement.sentence(work),
        agreements=agreement.table(work),
        also=scores.also(work),
        baselines=baselines.table(work),
        written=scores.written(work),
        shown=scores.shown(work),
        binomial=seeds is not None and work.measure.proportion,
        generates=work.asked.removesuffix("s") if tables.generates(work) else "",
        charts=[c for c in shown if c is not None],
        rounds=charts.drawn(charts.rounds, work, found, f"{anchor}r"),
        phases=tables.phases(work, found) if work.timed or any(r.launches for r in work.rows) else None,
        checks=checks(work) if work.proven else None,
        certificates=[certificate(row) for row in work.rows if row.certificate is not None],
        failures=_failures(work),
        quality=tables.quality(work, found),
        findings=notes.findings(work),
        alone=notes.alone(work),
        sections=sections,
        hash=work.hash,
        declaration=json.dumps(work.declared.declaration, indent=1, ensure_ascii=False) if work.declared else "",
        implementations=sorted(
            {(f, h, row.stack.framework) for row in work.rows for f, h in row.implementation.items()}
        ),
    )


def _results(work: Work, family: Ranking) -> Results:
    return Results(family.title, tables.summary(work, family), used.lines(work, family))


def _name(work: Work) -> str:
    """The run that a panel is from; for people, what it measured if not speed."""
    return f"run {work.result.id}" + ("" if work.timed else f", {' and '.join(work.result.options.measure)} only")


def _run(result: Result, anchor: str, works: Sequence[Work]) -> RunView:
    warnings = []
    if not result.complete:
        warnings.append("The run was interrupted: figures are partial. --resume goes on from here.")
    if result.edited:
        warnings.append("The digest does not match: this result file was changed after the run.")
    if result.git_commit is None:
        warnings.append("The commit that was measured is unknown.")
    elif result.git_dirty:
        warnings.append(f"Measured from commit {result.git_commit[:12]} with uncommitted changes.")
    return RunView(
        anchor=anchor,
        id=result.id,
        when=facts.period(result),
        warnings=warnings,
        notes=list(result.notes),
        machine=facts.machine(result),
        software=facts.software(result),
        options=facts.options(result),
        environment=facts.environment(result),
        data=facts.data(works),
        disturbance=facts.disturbance(result),
    )


Event = tuple[str, str, str, str]  # where, status, reason, log


def _events(row: Row) -> Iterator[Event]:
    """Everything of one stack that did not end well, the row's own reason only where nothing below it says the same."""
    found: list[Event] = []
    for la in row.launches:
        where = f"pass {la.pass_index + 1}, {la.caches} caches, attempt {la.attempt}"
        found.append((where, la.status, la.reason, "\n".join(la.log_tail)))
    if row.certificate:
        found.append(
            ("certificate", row.certificate.status, row.certificate.reason, "\n".join(row.certificate.log_tail))
        )
    for t in row.accuracy.trainings if row.accuracy else []:
        found.append((f"training with seed {t.seed}", t.status, t.reason, "\n".join(t.log_tail)))
    found = [event for event in found if event[1] != "ok"]
    if row.status != "ok" and not any(row.reason.endswith(event[2]) for event in found):
        yield ("", row.status, row.reason, "")
    yield from found


def _failures(work: Work) -> list[Failure]:
    """Stacks to which the same happened stand together."""
    metric = work.measure.name
    found: dict[Event, list[str]] = {}
    for row in work.rows:
        for event in _events(row):
            names = found.setdefault(event, [])
            names += [label(row.stack)] if label(row.stack) not in names else []
    for b in work.baselines:
        if b.status != "ok":
            found[("baseline", b.status, b.reason, "\n".join(b.log_tail))] = [b.label]
    return [Failure(tuple(who), where, words(s, metric), reason, log) for (where, s, reason, log), who in found.items()]
