"""From a plan and its journal to the result. Pure: the same events give the same result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from benchmarks import __version__
from benchmarks.analysis import multimodal
from benchmarks.analysis.agreement import agree_all
from benchmarks.analysis.carry_over import carry_over
from benchmarks.analysis.detectable import finds
from benchmarks.analysis.pilot import total
from benchmarks.analysis.rounds import mark_rounds
from benchmarks.analysis.solo import isolated
from benchmarks.analysis.verdicts import compare_all, rank_all
from benchmarks.engine.journal import (
    Answered,
    BaselineEnded,
    BlockTimed,
    Certified,
    EpochTrained,
    Journal,
    Launched,
    LaunchEnded,
    Note,
    PhaseEnded,
    Seen,
    SoloChosen,
    TrainingBegun,
    TrainingEnded,
)
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.schema.results import (
    Accuracy,
    Baseline,
    Budget,
    Certificate,
    Declared,
    Isolated,
    Launch,
    Memory,
    Phases,
    Result,
    Row,
    Status,
    Training,
)
from benchmarks.workload import Accepted, Workload

T = TypeVar("T")
CUT_SHORT = {"status": "interrupted", "reason": "the run ended early"}


def assemble(plan: Plan, journal: Journal) -> Result:
    """Derive the result; what is missing because the run ended early has status interrupted."""
    groups = {entry.key: rows(plan, entry, journal) for entry in plan.entries}
    every = [row for group in groups.values() for row in group]
    declared = [
        Declared(name=e.workload, variant=e.variant, hash=e.declaration_hash, declaration=e.declared.declaration())
        for e in plan.entries
    ]
    comparisons, finished = compare_all(every), journal.finished
    keys = [entry.key for entry in plan.entries]
    return Result(
        schema_version=1,
        suite_version=__version__,
        id=plan.id,
        started=plan.started,
        finished=finished.time if finished else None,
        complete=finished is not None,
        command=plan.command,
        options=plan.options,
        git_commit=plan.git_commit,
        git_dirty=plan.git_dirty,
        machine=plan.machine,
        interpreters=plan.interpreters,
        affinity=plan.affinity,
        notes=list(dict.fromkeys([*plan.notes, *(e.text for e in journal.of(Note))])),
        declared=declared,
        data=_present(map(journal.data, keys)),
        rows=every,
        baselines=[found for entry in plan.entries for found in _baselines(plan, entry, journal)],
        comparisons=comparisons,
        verdict_rule=3,
        rankings=rank_all(every, comparisons),
        agreements=agree_all(every, declared, data=plan.options.data),
        pilots=_present(map(journal.pilot, keys)),
        carry_over=_present(map(carry_over, groups.values())),
        isolated=_present(_isolated(entry, groups[entry.key], journal) for entry in plan.entries),
        budget=_budget(plan, every, journal),
        answers=[e.answer for e in journal.of(Answered)],
    )


def _present(found: Iterable[T | None]) -> list[T]:
    return [one for one in found if one is not None]


def rows(plan: Plan, entry: Entry, journal: Journal) -> list[Row]:
    """Those of one workload variant."""
    found = mark_rounds([_row(plan, entry, planned, journal) for planned in entry.stacks])
    return [row.model_copy(update={"multimodal": multimodal.find(row.launches)}) for row in found]


def _budget(plan: Plan, rows: Sequence[Row], journal: Journal) -> Budget | None:
    if plan.options.budget_seconds is None:
        return None
    cuts = _present(journal.cut(entry.key) for entry in plan.entries)
    return Budget(spent_seconds=journal.spent(), cuts=cuts, finds=finds(rows))


def _baselines(plan: Plan, entry: Entry, journal: Journal) -> list[Baseline]:
    known = {e.name: e.baseline for e in journal.of(BaselineEnded, key=entry.key)}
    lost = {b.name: {"status": "unavailable", "reason": b.reason} if b.reason else CUT_SHORT for b in entry.baselines}
    return [known.get(b.name) or entry.baseline(b, plan.options, **lost[b.name]) for b in entry.baselines]


def _isolated(entry: Entry, rows: Sequence[Row], journal: Journal) -> Isolated | None:
    chosen = journal.of(SoloChosen, key=entry.key)
    if not chosen or not chosen[-1].stacks:
        return None
    planned = [p for p in entry.runnable() if p.stack.key in chosen[-1].stacks]
    launches = {p.stack.key: _launches(entry.row(p), journal, solo=True) for p in planned}
    marked = mark_rounds([r.model_copy(update={"launches": launches.get(r.stack.key, [])}) for r in rows])
    found = {r.stack.key: r.launches for r in marked if r.stack.key in launches}
    return isolated(rows, found, compare_all(rows))


def _row(plan: Plan, entry: Entry, planned: Planned, journal: Journal) -> Row:
    name, workload = entry.row(planned), entry.declared
    launches = _launches(name, journal)
    certified = journal.of(Certified, row=name)
    certificate = certified[-1].certificate if certified else None
    accuracy = _accuracy(plan, entry, workload, name, journal)
    status, reason = _first_failure(launches, certificate, accuracy)
    if not planned.available:
        status, reason = "unavailable", planned.reason
    elif (
        status == "ok"
        and not journal.finished
        and _owes(plan, entry, planned, journal, launches, certificate, accuracy)
    ):
        status, reason = "interrupted", "the run ended before this stack was measured"
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


def _launches(row: str, journal: Journal, *, solo: bool = False) -> list[Launch]:
    """The last attempt of each pass."""
    latest = {e.pass_index: e for e in journal.of(Launched, row=row, solo=solo)}
    return [_launch(latest[index], journal) for index in sorted(latest)]


def _launch(start: Launched, journal: Journal) -> Launch:
    mine = {"row": start.row, "pass_index": start.pass_index, "attempt": start.attempt, "solo": start.solo}
    ends = journal.of(LaunchEnded, **mine)
    end = ends[-1] if ends else LaunchEnded.model_validate({**mine, **CUT_SHORT})
    found: dict[str, object] = {}
    for e in journal.of(PhaseEnded, **mine):
        found |= e.seen.model_dump(exclude_defaults=True)
    seen = Seen.model_validate(found)
    return Launch(
        pass_index=start.pass_index,
        attempt=start.attempt,
        status=end.status,
        reason=end.reason,
        log_tail=end.log_tail,
        caches=start.caches,
        interleaved=start.interleaved,
        versions=seen.versions,
        environment=seen.environment,
        settings=seen.settings,
        used=seen.used,
        precision_error=seen.precision_error,
        phases=Phases(**{name: getattr(seen, name) for name in Phases.model_fields}),
        blocks=[e.block for e in journal.of(BlockTimed, **mine)],
        stretch=seen.stretch,
        memory=Memory(**{name: getattr(seen, name) for name in Memory.model_fields}),
        inference=seen.inference,
    )


def _accuracy(plan: Plan, entry: Entry, workload: Workload, row: str, journal: Journal) -> Accuracy | None:
    begun = {e.seed: e.attempt for e in journal.of(TrainingBegun, row=row)}  # the last attempt of each seed
    trainings = []
    for seed, attempt in sorted(begun.items()):
        mine = {"row": row, "seed": seed, "attempt": attempt}
        ended = [e.training for e in journal.of(TrainingEnded, **mine)]
        found = ended[0] if ended else Training.model_validate({"seed": seed, **CUT_SHORT})
        trainings.append(found.model_copy(update={"curve": [e.point for e in journal.of(EpochTrained, **mine)]}))
    if not trainings:
        return None
    data = journal.data(entry.key)
    recipe = workload.recipe(plan.options.recipe)
    accepted = recipe.accepted
    judged, reason = isinstance(accepted, Accepted), ""
    if not isinstance(accepted, Accepted):
        reason = f"no measured range: {accepted.reason}"
    elif entry.batch_size != workload.batch_size:
        judged, reason = False, f"the range holds for batch size {workload.batch_size}, not {entry.batch_size}"
    elif elsewhere := accepted.elsewhere(data.corpus if data else None):
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


def _first_failure(
    launches: Sequence[Launch], certificate: Certificate | None, accuracy: Accuracy | None
) -> tuple[Status, str]:
    """The first phase that failed decides."""
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
    return "ok", ""


def _owes(
    plan: Plan,
    entry: Entry,
    planned: Planned,
    journal: Journal,
    launches: Sequence[Launch],
    certificate: Certificate | None,
    accuracy: Accuracy | None,
) -> bool:
    """Whether an unfinished run still owes this stack something. Modes that are not trained owe no training."""
    o, cut = plan.options, journal.cut(entry.key)
    missing = accuracy is None or len(accuracy.trainings) < o.accuracy_seeds
    if not {"training", "inference", "certificate"} & set(o.measure):
        return planned in entry.trainable() and "accuracy" in o.measure and missing
    if "certificate" in o.measure and certificate is None and not planned.stack.replica:
        return True
    passes = cut.passes if cut else total(o, journal.pilot(entry.key))
    return len(launches) < passes or (accuracy is not None and missing)
