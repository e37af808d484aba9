"""From a plan and its journal to the result. Pure: the same events give the same result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import __version__
from benchmarks.analysis import multimodal
from benchmarks.analysis.agreement import agree_all
from benchmarks.analysis.carry_over import carry_over
from benchmarks.analysis.pilot import total
from benchmarks.analysis.verdicts import compare_all, rank_all
from benchmarks.engine import clock
from benchmarks.engine.budget import finds
from benchmarks.engine.journal import Event
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.solo import ALONE, chosen, isolated
from benchmarks.schema.results import (
    Accuracy,
    Answer,
    Baseline,
    Budget,
    CarryOver,
    Certificate,
    Data,
    Declared,
    Isolated,
    Launch,
    Phases,
    Pilot,
    Result,
    Row,
    Status,
    Training,
    WarmUp,
)
from benchmarks.workload import Accepted, Workload

PHASES = ("import_seconds", "build_seconds", "first_step_seconds")
MEMORY = (
    "imported_resident",
    "build_peak_resident",
    "training_peak_resident",
    "inference_peak_resident",
    "training_peak_device",
    "inference_peak_device",
)


def assemble(plan: Plan, events: list[Event]) -> Result:
    """Derive the result; what is missing because the run ended early has status interrupted."""
    rows: list[Row] = []
    declared, notes = [], list(plan.notes)
    carried: list[CarryOver] = []
    alone: list[Isolated] = []
    for entry in plan.entries:
        workload = entry.load()
        declared.append(
            Declared(name=entry.workload, variant=entry.variant, hash=workload.hash, declaration=workload.declaration())
        )
        mine = mark_rounds([_row(plan, entry, workload, planned, events) for planned in entry.stacks])
        mine = [row.model_copy(update={"multimodal": multimodal.find(row.launches)}) for row in mine]
        rows += mine
        carried += [found] if (found := carry_over(mine)) else []
        if stacks := chosen(events, entry.key):
            alone.append(_isolated(entry, mine, stacks, events))
    last = next((e for e in reversed(events) if e["event"] == "finished"), None)
    notes += [e["text"] for e in events if e["event"] == "note" and e["text"] not in notes]
    data = {e["data"]["workload"] + "/" + e["data"]["variant"]: e["data"] for e in events if e["event"] == "data"}
    comparisons = compare_all(rows)
    return Result(
        schema_version=1,
        suite_version=__version__,
        id=plan.id,
        started=plan.started,
        finished=last["time"] if last else None,
        complete=last is not None,
        command=plan.command,
        options=plan.options,
        git_commit=plan.git_commit,
        git_dirty=plan.git_dirty,
        machine=plan.machine,
        interpreters=plan.interpreters,
        affinity=plan.affinity,
        notes=notes,
        declared=declared,
        data=[Data.model_validate(d) for d in data.values()],
        rows=rows,
        baselines=[found for entry in plan.entries for found in _baselines(plan, entry, events)],
        comparisons=comparisons,
        verdict_rule=3,
        rankings=rank_all(rows, comparisons),
        agreements=agree_all(rows, declared, data=plan.options.data),
        pilots=list(_pilots(events).values()),
        carry_over=carried,
        isolated=alone,
        budget=_budget(plan, rows, events),
        answers=[Answer.model_validate(e["answer"]) for e in events if e["event"] == "answer"],
    )


def _budget(plan: Plan, rows: Sequence[Row], events: list[Event]) -> Budget | None:
    if plan.options.budget_seconds is None:
        return None
    cuts = list(clock.cuts(events).values())
    return Budget(spent_seconds=clock.spent(events), cuts=cuts, finds=finds(rows))


def _baselines(plan: Plan, entry: Entry, events: list[Event]) -> list[Baseline]:
    out = []
    for planned in entry.baselines:
        mine = [e for e in events if (e.get("key"), e.get("name")) == (entry.key, planned.name)]
        end = next((e["baseline"] for e in mine if e["event"] == "baseline"), None)
        end = end or {"status": "interrupted", "reason": "the run ended early"}
        if planned.reason:
            end = {"status": "unavailable", "reason": planned.reason}
        facts = planned.model_dump(exclude={"reason"})
        asked = {"recipe": plan.options.recipe, "seed": plan.options.seed, "threads": plan.options.threads}
        place = {"workload": entry.workload, "variant": entry.variant}
        out.append(Baseline.model_validate({**place, **facts, **asked, **end}))
    return out


def _pilots(events: list[Event]) -> dict[tuple[str, str], Pilot]:
    """The decision for each workload variant that has one."""
    found = [Pilot.model_validate(e["decision"]) for e in events if e["event"] == "pilot"]
    return {(p.workload, p.variant): p for p in found}


def mark_rounds(rows: Sequence[Row]) -> list[Row]:
    """The rows of one workload variant, each block told whether its round was disturbed for any stack.

    Rounds of launches that were not interleaved are their own.
    """
    disturbed = {
        (la.pass_index, b.round)
        for row in rows
        for la in row.launches
        for b in la.blocks
        if la.interleaved and b.disturbed
    }

    def marked(la: Launch) -> Launch:
        own = {(la.pass_index, b.round) for b in la.blocks if b.disturbed}
        seen = disturbed if la.interleaved else own
        blocks = [b.model_copy(update={"round_disturbed": (la.pass_index, b.round) in seen}) for b in la.blocks]
        return la.model_copy(update={"blocks": blocks})

    return [row.model_copy(update={"launches": [marked(la) for la in row.launches]}) for row in rows]


def _isolated(entry: Entry, rows: Sequence[Row], stacks: Sequence[str], events: list[Event]) -> Isolated:
    launches = {}
    for planned in entry.runnable():
        if planned.stack.key in stacks:
            mine = [e for e in events if e.get("row") == entry.row(planned) + ALONE]
            launches[planned.stack.key] = _launches(mine)
    marked = mark_rounds([r.model_copy(update={"launches": launches.get(r.stack.key, [])}) for r in rows])
    found = {r.stack.key: r.launches for r in marked if r.stack.key in launches}
    return isolated(rows, found, compare_all(rows))


def _row(plan: Plan, entry: Entry, workload: Workload, planned: Planned, events: list[Event]) -> Row:
    mine = [e for e in events if e.get("row") == entry.row(planned)]
    launches = _launches(mine)
    certificate = next((e["certificate"] for e in reversed(mine) if e["event"] == "certificate"), None)
    certificate = Certificate.model_validate(certificate) if certificate else None
    accuracy = _accuracy(plan, entry, workload, mine, corpus=_corpus(entry, events))
    passes = total(plan.options, _pilots(events), entry.workload, entry.variant)
    cut = clock.cuts(events).get((entry.workload, entry.variant))
    passes = passes if cut is None else cut.passes
    trains = planned in entry.trainable()
    status, reason = _status(plan, planned, launches, certificate, accuracy, events, passes=passes, trains=trains)
    return Row(
        workload=entry.workload,
        variant=entry.variant,
        stack=planned.stack,
        status=status,
        reason=reason,
        implementation=planned.implementation,
        implementation_hash=planned.implementation_hash,
        batch_size=entry.batch_size,
        items=workload.items,
        unit=workload.unit,
        launches=launches,
        certificate=certificate,
        accuracy=accuracy,
    )


def _launches(mine: list[Event]) -> list[Launch]:
    """The last attempt of each pass."""
    latest: dict[int, int] = {}
    for e in mine:
        if e["event"] == "launch":
            latest[e["pass_index"]] = max(e["attempt"], latest.get(e["pass_index"], 0))
    return [
        _launch([e for e in mine if e.get("pass_index") == p and e.get("attempt") == attempt])
        for p, attempt in sorted(latest.items())
    ]


def _launch(mine: list[Event]) -> Launch:
    start = next(e for e in mine if e["event"] == "launch")
    cut: Event = {"status": "interrupted", "reason": "the run ended early"}
    end = next((e for e in mine if e["event"] == "end"), cut)
    fields: dict[str, Any] = {}
    for e in mine:
        if e["event"] == "phase":
            fields |= e["fields"]
    return Launch(
        pass_index=start["pass_index"],
        attempt=start["attempt"],
        status=end["status"],
        reason=end["reason"],
        log_tail=end.get("log_tail", []),
        caches=start["caches"],
        interleaved=start["interleaved"],
        versions=fields.get("versions", {}),
        environment=fields.get("environment", {}),
        settings=fields.get("settings", {}),
        used=fields.get("used", {}),
        precision_error=fields.get("precision_error"),
        phases=Phases(
            **{name: fields.get(name) for name in PHASES},
            warm_up=WarmUp.model_validate(fields["warm_up"]) if "warm_up" in fields else None,
        ),
        blocks=[e["block"] for e in mine if e["event"] == "block"],
        stretch=fields.get("stretch"),
        memory={name: fields.get(name) for name in MEMORY},  # type: ignore[arg-type]
        inference=fields.get("inference"),
    )


def _corpus(entry: Entry, events: list[Event]) -> str | None:
    """Which text the workload was given; None for images, generated data, and runs from before this was kept."""
    return next((e["data"].get("corpus") for e in events if e["event"] == "data" and e["key"] == entry.key), None)


def _accuracy(
    plan: Plan, entry: Entry, workload: Workload, mine: list[Event], *, corpus: str | None
) -> Accuracy | None:
    trainings = []
    seeds = sorted({e["seed"] for e in mine if e["event"] == "training_start"})
    for seed in seeds:
        own = [e for e in mine if e.get("seed") == seed]
        attempt = max(e["attempt"] for e in own if e["event"] == "training_start")
        own = [e for e in own if e["attempt"] == attempt]
        end = next((e["training"] for e in own if e["event"] == "training"), None)
        end = end or {"status": "interrupted", "reason": "the run ended early"}
        curve = [e["point"] for e in own if e["event"] == "curve"]
        trainings.append(Training.model_validate({**end, "seed": seed, "curve": curve}))
    if not trainings:
        return None
    recipe = workload.recipe(plan.options.recipe)
    accepted = recipe.accepted
    judged, reason = isinstance(accepted, Accepted), ""
    if not isinstance(accepted, Accepted):
        reason = f"no measured range: {accepted.reason}"
    elif entry.batch_size != workload.batch_size:
        judged, reason = False, f"the range holds for batch size {workload.batch_size}, not {entry.batch_size}"
    elif elsewhere := accepted.elsewhere(corpus):
        judged, reason = False, elsewhere
    else:
        missed = [
            f"seed {t.seed}: {words}"
            for t in trainings
            if t.metric is not None
            for words in accepted.missed(t.metric, t.also)
        ]
        reason = "; ".join(missed)
    return Accuracy(
        recipe=recipe.name,
        judged=judged,
        reason=reason,
        low=accepted.low if isinstance(accepted, Accepted) else None,
        high=accepted.high if isinstance(accepted, Accepted) else None,
        trainings=trainings,
    )


def _status(
    plan: Plan,
    planned: Planned,
    launches: list[Launch],
    certificate: Certificate | None,
    accuracy: Accuracy | None,
    events: list[Event],
    *,
    passes: int,
    trains: bool,
) -> tuple[Status, str]:
    """The first phase that failed decides."""
    if not planned.available:
        return "unavailable", planned.reason
    for launch in launches:
        if launch.status != "ok":
            return launch.status, f"pass {launch.pass_index + 1}: {launch.reason}"
    if certificate is not None and certificate.status != "ok":
        return certificate.status, f"certificate: {certificate.reason}"
    for training in accuracy.trainings if accuracy else []:
        if training.status != "ok":
            return training.status, f"training, seed {training.seed}: {training.reason}"
    if accuracy and accuracy.judged and accuracy.reason:
        return "accuracy_failed", accuracy.reason
    if not any(e["event"] == "finished" for e in events) and _unfinished(
        plan, planned, launches, certificate, accuracy, passes, trains
    ):
        return "interrupted", "the run ended before this stack was measured"
    return "ok", ""


def _unfinished(
    plan: Plan,
    planned: Planned,
    launches: list[Launch],
    certificate: Certificate | None,
    accuracy: Accuracy | None,
    passes: int,
    trains: bool,
) -> bool:
    """Whether an unfinished run still owes this stack something. Modes that are not trained owe no training."""
    o = plan.options
    if not {"training", "inference", "certificate"} & set(o.measure):
        return trains and "accuracy" in o.measure and (accuracy is None or len(accuracy.trainings) < o.accuracy_seeds)
    owes = "certificate" in o.measure and certificate is None and not planned.stack.replica
    if len(launches) < passes or owes:
        return True
    return accuracy is not None and len(accuracy.trainings) < o.accuracy_seeds
