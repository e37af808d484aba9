"""Check result files against the schema and the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from benchmarks.analysis.pilot import replacements, total
from benchmarks.experiments import read_result
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Launch, Result, Row
from benchmarks.verify import experiments as verify_answers
from benchmarks.verify import recompute
from benchmarks.verify import schedule as verify_schedule


def verify_paths(paths: Sequence[Path]) -> int:
    """Print one line per violation; 1 if there is any, 0 otherwise."""
    bad = 0
    for path in paths:
        violations = list(verify_file(path))
        for violation in violations:
            click.echo(f"{path}: {violation}")
        if not violations:
            click.echo(f"{path}: ok")
        bad += len(violations)
    return 1 if bad else 0


def verify_file(path: Path) -> Iterator[str]:
    """Violations of one file, or of the ``result.json`` in a folder, in words."""
    if path.is_dir():
        path = path / "result.json"
    try:
        result = read_result(path)
    except OSError as error:
        yield f"cannot be read: {error.strerror}"
        return
    except UnicodeDecodeError:
        yield "is not UTF-8 text"
        return
    except ValidationError as error:
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"]) or "the file"
            yield f"{where}: {item['msg']}"
        return
    except ValueError as error:
        yield str(error)
        return
    yield from verify(result)


def verify(result: Result) -> Iterator[str]:
    """Violations of a result that has the right shape."""
    if result.edited:
        yield "digest does not match the content: the file was changed after it was written"
    yield from recompute.check(result)
    declared = {d.place for d in result.declared}
    seen = set()
    for row in result.rows:
        name = f"{row.workload}/{row.variant} on {row.stack.key}"
        if name in seen:
            yield f"{name}: appears twice"
        seen.add(name)
        if row.place not in declared:
            yield f"{name}: its workload is not declared in this result"
        for violation in _row(result, row):
            yield f"{name}: {violation}"
    yield from _baselines(result)
    yield from verify_answers.check(result)
    yield from verify_schedule.check(result)
    seen_data = {d.place for d in result.data}
    for key in {r.place for r in result.rows if r.launches or r.accuracy} - seen_data:
        yield f"{'/'.join(key)}: its data are not described"
    if result.complete != (result.finished is not None):
        yield "complete and finished contradict each other"


def _row(result: Result, row: Row) -> Iterator[str]:
    if row.status != "ok" and not row.reason:
        yield f"status {row.status} without a reason"
    if row.status == "unavailable":
        launched = any(la.status != "unavailable" or la.blocks for la in row.launches)  # some say so as they build
        if launched or row.certificate or row.accuracy:
            yield "unavailable, yet it holds measurements"
        return
    measure = result.options.measure
    if row.status == "interrupted" and result.complete:
        yield "interrupted in a run that is complete"
    yield from _trained(result, row)
    if row.status == "ok":
        yield from _complete(result, row)
    for launch in row.launches:
        for violation in _launch(result, launch, timed="training" in measure):
            yield f"pass {launch.pass_index + 1}: {violation}"
    expected = _first_failure(result, row)
    if expected and row.status != expected and row.status != "interrupted":
        yield f"status {row.status}, but its first failing phase is {expected}"
    if row.status not in ("ok", "interrupted") and expected is None:
        yield f"status {row.status}, but no phase of it failed"
    certificate = row.certificate
    if certificate and certificate.status == "ok":
        if not certificate.tensors or not certificate.probes:
            yield "the certificate is empty"
        if certificate.batch_size != (size := PROFILES[result.options.profile].certified(row.batch_size)):
            yield f"certified at batch size {certificate.batch_size} instead of {size}"
        for check in ("gradient", "update"):
            certified = {t.tensor.rsplit(".", 1)[0] for t in certificate.tensors if t.check == check}
            if certificate.tensors and certified != _tensors(recompute.declaration(result, row)):
                yield f"the certificate does not compare the {check} of every layer"
    if certificate:
        sound = all(t.passed for t in certificate.tensors) and all(p.passed for p in certificate.probes)
        if certificate.status == "ok" and not sound:
            yield "the certificate is ok although a comparison or probe failed"


def _trained(result: Result, row: Row) -> Iterator[str]:
    """A declared recipe, from as many seeds as were planned."""
    accuracy = row.accuracy
    if accuracy is None:
        return
    if accuracy.recipe not in {r["name"] for r in recompute.declaration(result, row).get("recipes", [])}:
        yield f"trained recipe {accuracy.recipe}, which its workload does not declare"
    elif len(accuracy.trainings) != result.options.accuracy_seeds and result.complete:
        yield f"{len(accuracy.trainings)} trainings, {result.options.accuracy_seeds} were planned"


def _tensors(declaration: dict[str, Any]) -> set[str]:
    """Names of what has parameters, layers within branches and the loss too: each must be in the certificate."""
    found: set[str] = set()
    waiting: list[Any] = [*declaration.get("layers", []), declaration.get("loss")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found |= {part["name"]} if "weight" in part else set()
            waiting += [*part.get("body", []), *part.get("shortcut", [])]
    return found


def _complete(result: Result, row: Row) -> Iterator[str]:
    measure = result.options.measure
    timed = bool({"training", "inference", "certificate"} & set(measure))
    if timed and result.complete:
        passes = [launch.pass_index for launch in row.launches]
        pilots = {p.place: p for p in result.pilots}
        planned = total(result.options, pilots.get(row.place))
        cuts = {c.place: c.passes for c in result.budget.cuts} if result.budget else {}
        planned = cuts.get(row.place, planned)
        if row.place in pilots:
            mine = [r for r in result.rows if r.place == row.place]
            planned += replacements(mine, planned)
        if passes != list(range(planned)):
            yield f"has passes {[p + 1 for p in passes]}, {planned} were planned"
    if row.stack.replica:
        return  # the canary owes rounds and nothing else
    if "certificate" in measure and row.certificate is None:
        yield "ok without a parity certificate"
    if "inference" in measure and row.launches and row.launches[0].inference is None:
        yield "ok without an inference measurement"


def _launch(result: Result, launch: Launch, *, timed: bool) -> Iterator[str]:
    if launch.status != "ok":
        if not launch.reason:
            yield f"status {launch.status} without a reason"
        return
    if not timed:
        return
    phases = launch.phases
    if None in (phases.import_seconds, phases.build_seconds, phases.first_step_seconds, phases.warm_up):
        yield "a phase was not timed"
    if launch.inference and len(launch.inference.single.seconds) != launch.inference.single.calls:
        yield "single inference does not hold one latency per call"


def _first_failure(result: Result, row: Row) -> str | None:
    for launch in row.launches:
        if launch.status != "ok":
            return launch.status
    if row.certificate and row.certificate.status != "ok":
        return row.certificate.status
    accuracy = row.accuracy
    for training in accuracy.trainings if accuracy else []:
        if training.status != "ok":
            return training.status
    if accuracy and accuracy.judged:
        accepted = recompute.accepted(result, row, accuracy.recipe)
        for training in accuracy.trainings:
            if accepted and training.metric is not None and accepted.missed(training.metric, training.also):
                return "accuracy_failed"
    return None


def _baselines(result: Result) -> Iterator[str]:
    """A baseline is measured or says why not, on the data and threads of the stacks, and claims no metric of theirs."""
    declared = {d.place: d.declaration for d in result.declared}
    keys = [b.key for b in result.baselines]
    yield from (f"{key}: appears twice" for key in dict.fromkeys(keys) if keys.count(key) > 1)
    if result.baselines and "accuracy" not in result.options.measure:
        yield "has baselines, though it trained nothing to an accuracy"
    for b in result.baselines:
        if b.place not in declared:
            yield f"{b.key}: its workload is not declared in this result"
        asked = (result.options.recipe, result.options.seed, result.options.threads)
        if (b.recipe, b.seed, b.threads) != asked:
            yield f"{b.key}: it was not given the recipe, seed and threads of the run"
        measured = [b.seconds is not None, b.processed is not None, bool(b.scores)]
        if b.status == "ok" and not (all(measured) and b.version):
            yield f"{b.key}: ok without version, time or scores"
        if b.status != "ok" and any(measured):
            yield f"{b.key}: {b.status}, yet it holds measurements"
        if b.status != "ok" and not b.reason:
            yield f"{b.key}: status {b.status} without a reason"
        if b.status == "interrupted" and result.complete:
            yield f"{b.key}: interrupted in a run that is complete"
        if declared.get(b.place, {}).get("metric") in b.scores:
            yield f"{b.key}: claims the stacks' metric, which only the declared model has"
