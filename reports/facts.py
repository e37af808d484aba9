"""What was measured, on what, and with what: the passport part of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.schema.results import Launch, Result
from benchmarks.schema.samples import Evidence
from reports import numbers as n
from reports.table import Cell, Column, Table
from reports.work import Work, label

Pairs = list[tuple[str, str]]

UNSTEADY = 0.8  # of the best speed at which the run's CPUs ran the fixed loop between blocks


def day(stamp: str) -> str:
    return stamp[:10]


def period(result: Result) -> str:
    start = _time(result.started)
    return f"{start}, unfinished" if result.finished is None else f"{start} to {_time(result.finished)}"


def _time(stamp: str) -> str:
    return stamp.replace("T", " ").replace("Z", " UTC").replace("+00:00", " UTC")


def about(work: Work) -> str:
    """Where the model stands in print."""
    book, section, note = (work.get("source", part) or "" for part in ("book", "section", "note"))
    place = ", ".join(filter(None, [str(book), f"section {section}" if section else ""]))
    return ". ".join(part.rstrip(".") for part in (place, str(note)) if part) + ("." if place or note else "")


def model(work: Work) -> Pairs:
    """The few facts that a reader needs beside the figures."""
    batches = sorted({row.batch_size for row in work.rows})
    declared = work.get("batch_size")
    batch = work.batches
    if batches and isinstance(declared, int) and batches != [declared]:
        batch += f" (declared: {declared:,})"
    pairs = [("Batch", batch), ("Parameters", _count(work.get("parameter_count"))), ("Optimiser", _optimiser(work))]
    recipes = dict.fromkeys(row.accuracy.recipe for row in work.rows if row.accuracy)
    pairs.append(("Recipe", "; ".join(_recipe(work, name) for name in recipes)))
    if work.data is not None:
        noun = {"tokens": "words", "pairs": "words"}.get(work.unit, "examples")
        sizes = f"{work.data.train_examples:,} training and {work.data.test_examples:,} test {noun}"
        pairs.append(("Data", f"{work.data.source}, {sizes}"))
    return [(name, value) for name, value in pairs if value]


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _optimiser(work: Work) -> str:
    found = work.get("optimiser")
    if not isinstance(found, dict):
        return ""
    return f"{found.get('type', '')}, learning rate {found.get('learning_rate', '?')}".lstrip(", ")


def _recipe(work: Work, name: str) -> str:
    found = work.recipe(name)
    parts = [n.plural(found["epochs"], "epoch")] if isinstance(found.get("epochs"), int) else []
    if found.get("learning_rate") is not None:
        parts.append(f"learning rate {found['learning_rate']}")
    if found.get("augmentation"):
        parts.append(f"augmentation {str(found['augmentation']).replace('_', ' ')}")
    return f"{name} ({', '.join(parts)})" if parts else name


def machine(result: Result) -> Pairs:
    found = result.machine
    cores = f"{n.count(found.physical_cores)} physical, {n.count(found.logical_cores)} logical"
    virtual = {True: "yes", False: "no", None: "unknown"}[found.virtualised]
    gpus = [", ".join(f"{value}" for value in gpu.values()) for gpu in found.gpus] or ["none"]
    dirty = {True: ", with uncommitted changes", False: "", None: ", state unknown"}[result.git_dirty]
    return [
        ("Machine", found.name),
        ("Processor", found.cpu),
        ("Cores", cores),
        ("Frequency governor", found.governor or "not readable"),
        ("Memory", n.size(found.memory_bytes)),
        *(("GPU", gpu) for gpu in gpus),
        *([("CUDA driver", found.cuda_driver)] if found.cuda_driver else []),
        ("System", ", ".join(filter(None, [found.system, found.libc]))),
        ("Virtualised", virtual),
        ("CPUs of every worker", n.words(map(str, result.affinity)) or "not bound"),
        ("Command", result.command),
        ("Suite version", result.suite_version),
        ("Commit", f"{result.git_commit}{dirty}" if result.git_commit else "unknown"),
        ("Result digest", result.digest or "none"),
    ]


def options(result: Result) -> Pairs:
    out = []
    for name, value in result.options.model_dump().items():
        if name == "price_per_hour" and value is None:
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else "as declared" if value is None else str(value)
        nothing = "all" if name in ("workloads", "frameworks", "modes") else "none"
        out.append((name.replace("_", " ").capitalize(), text or nothing))
    return out


def software(result: Result) -> Table:
    table = Table([Column(title, number=False) for title in ("Interpreter", "Python", "Packages")])
    for found in result.interpreters:
        packages = ", ".join(f"{name} {version}" for name, version in sorted(found.packages.items()))
        table.rows.append([Cell(found.name), Cell(found.python), Cell(packages)])
    return table


def environment(result: Result) -> Table:
    """Versions, environment and settings as the workers had them; equal for all launches unless said."""
    table = Table([Column(title, number=False) for title in ("Stacks", "Kind", "Name", "Value")])
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in result.rows:
        for launch in row.launches:
            for kind, name, value in _conditions(launch):
                names = found.setdefault((kind, name, value), [])
                if label(row.stack) not in names:
                    names.append(label(row.stack))
    everyone = {label(row.stack) for row in result.rows if any(_any(la) for la in row.launches)}
    for (kind, name, value), names in sorted(found.items()):
        who = "all" if set(names) == everyone else ", ".join(names)
        table.rows.append([Cell(who), Cell(kind), Cell(name), Cell(value)])
    return table


def _any(launch: Launch) -> bool:
    return bool(launch.versions or launch.environment or launch.settings)


def _conditions(launch: Launch) -> Iterable[tuple[str, str, str]]:
    for kind, values in (
        ("version", launch.versions),
        ("environment", launch.environment),
        ("setting", launch.settings),
    ):
        yield from ((kind, name, str(value)) for name, value in values.items())


def data(works: Sequence[Work]) -> Table:
    bounds = dict.fromkeys(work.measure.bound for work in works if work.data is not None)
    bound = " or ".join(sorted(bounds, reverse=True)).capitalize() or "Optimum"
    titles = ("Workload", "Source", "Description", "Training", "Test", bound, "SHA-256")
    table = Table([Column(title, number=title in ("Training", "Test", bound)) for title in titles])
    for work in works:
        d = work.data
        if d is not None:
            cells = [
                work.key,
                d.source,
                d.description,
                n.count(d.train_examples),
                n.count(d.test_examples),
            ]
            kind = "" if work.measure.proportion or d.optimum is None else work.measure.name
            best = Cell(work.measure.text(d.optimum), kind)
            table.rows.append([*(Cell(text) for text in cells), best, Cell(d.digest, tone="hash")])
    return table


def disturbance(result: Result) -> str:
    """The run's own figures for the part on how it was measured."""
    launches = [la for row in result.rows for la in row.launches]
    timed = [b for la in launches for b in la.blocks]
    if not timed:
        only = (
            ""
            if "training" in result.options.measure
            else f": this run measured {n.words(result.options.measure)} only"
        )
        return f"No block was timed{only}."
    idle = max((b.evidence.idle_worker_cpu_seconds or 0.0) / b.seconds for b in timed)
    marked = sum(b.disturbed for b in timed)
    errors = [la.precision_error for la in launches if la.precision_error is not None]
    turns = sum(not la.interleaved for la in launches)
    parts = [
        f"{n.plural(len(timed), 'block')} in {n.plural(sum(bool(la.blocks) for la in launches), 'launch', 'es')}; "
        f"{marked:,} marked as disturbed.",
        f"Waiting workers used at most {n.percent(idle)} of one CPU during a block.",
    ]
    if spoken := cpu_speeds([b.evidence for b in timed]):
        parts.append(spoken)
    if errors:
        parts.append(
            f"Largest precision probe error {n.number(max(errors))} (float32 gives about 1e-7, TF32 above 1e-4)."
        )
    if turns:
        parts.append(f"{n.plural(turns, 'launch', 'es')} not interleaved, for lack of memory.")
    return " ".join(parts)


def cpu_speeds(evidence: Sequence[Evidence]) -> str:
    """What the loop between blocks says of the CPUs; empty where it was not run or they were steady."""
    loops = [e.loop_seconds for e in evidence if e.loop_seconds is not None]
    if not loops:
        return ""
    best = min(min(both) for both in loops)
    slow = sum(best / max(both) < UNSTEADY for both in loops)
    if not slow:
        return ""
    lowest = best / max(max(both) for both in loops)
    return (
        f"The CPUs were unsteady: beside {n.count(slow)} of {n.plural(len(loops), 'block')} a fixed loop ran at less "
        f"than {UNSTEADY * 100:.0f} % of its best speed in this run, down to {lowest * 100:.0f} %. A neighbour on the "
        "same physical core or a lowered clock does that without a trace in this machine's counters; it marks no "
        "block, and widens the intervals."
    )
