"""Obtain one stack's parity certificate: reference, request to the worker, judgement, journal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import tasks
from benchmarks.certificate import parity
from benchmarks.certificate.reference import Reference
from benchmarks.engine.worker_process import WorkerError
from benchmarks.frameworks.base import Conventions
from benchmarks.schema.results import Certificate, Probe
from benchmarks.tasks import inputs
from benchmarks.worker.proof import ORDER_BATCHES
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.plan import Entry
    from benchmarks.engine.run import Run, Running

# Relative differences of losses that rounding makes: of one program with itself, and with the float64 reference.
SAME_DRAW = 2e-6
NO_DRAW = 1e-5

_CASES: dict[tuple[str, str], parity.Case] = {}
_LOCK = threading.Lock()


def arbiter(run: Run, workload: Workload, conventions: Conventions) -> parity.Arbiter:
    """The reference for this run, computed once per workload variant and set of conventions."""
    key = (str(run.folder), workload.hash)
    if key not in _CASES:
        _CASES.clear()  # a run goes through its workloads one by one
        run.say(f"{workload.key}: float64 reference and its sensitivity")
        plain, seed = certified(run, workload), run.options.seed
        tensors = inputs.initial_tensors(plain, seed)
        batches = [batch.arrays for batch in host_batches(run, workload)]
        _CASES[key] = parity.Case(plain, tensors, batches, seed=seed)
    return _CASES[key].arbiter(conventions)


def certified(run: Run, workload: Workload) -> Workload:
    return workload.certified(run.profile.certified(workload.batch_size))


def host_batches(run: Run, workload: Workload) -> list[inputs.Batch]:
    made = tasks.task(certified(run, workload), run.inputs, run.options.seed)
    return tasks.first(made, parity.STEPS)


def certify(run: Run, entry: Entry, workload: Workload, r: Running) -> None:
    """Journal the certificate; whatever fails on the way leaves one with its status and reason."""
    try:
        certificate = _certificate(run, entry, workload, r)
    except WorkerError as error:
        if run.stopping:
            return
        certificate = _failed(run, workload, r, error.status, error.reason)
    except Exception as error:  # the reference or the comparison stumbled over what the worker sent
        certificate = _failed(run, workload, r, "failed", f"{type(error).__name__}: {error}")
    run.journal.add("certificate", row=r.row, certificate=certificate.model_dump(mode="json"))


def _failed(run: Run, workload: Workload, r: Running, status: str, reason: str) -> Certificate:
    return Certificate(
        status=status,  # type: ignore[arg-type]  # pydantic checks it
        reason=run.clean(reason),
        log_tail=run.log_tail(r),
        steps=parity.STEPS,
        batch_size=run.profile.certified(workload.batch_size),
        conventions=r.conventions,
    )


def _certificate(run: Run, entry: Entry, workload: Workload, r: Running) -> Certificate:
    conventions = Conventions(**r.conventions)  # type: ignore[arg-type]  # they come from such an object
    with _LOCK:
        ref = arbiter(run, workload, conventions)
    short = entry.slug(r.planned)
    transplant, out = str(run.scratch / f"transplant-{short}.npz"), str(run.scratch / f"certificate-{short}.npz")
    np.savez(transplant, **{k: v.astype(np.float32) for k, v in ref.trace.final.items()})  # type: ignore[arg-type]  # NumPy's stub
    size = run.profile.certified(workload.batch_size)
    answer = r.worker.ask(
        "certificate", limit=run.limit, steps=parity.STEPS, batch_size=size, transplant=transplant, out=out
    )
    with np.load(out, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files}
    return judge(run, workload, ref, found, answer["order"])


def judge(run: Run, workload: Workload, ref: parity.Arbiter, found: dict[str, np.ndarray], order: str) -> Certificate:
    seen: dict[str, dict[str, np.ndarray]] = {}
    for name, value in found.items():
        if "/" in name:
            check, tensor = name.split("/", 1)
            seen.setdefault(check, {})[tensor] = value
    seen |= parity.changes(ref.workload, ref.initial, seen.pop("final"))
    fed = seen.pop("fed")
    batch = host_batches(run, workload)[0]
    probes = [
        *parity.dropout_probes(workload, seen.pop("dropout1", {}), seen.pop("dropout2", {})),
        parity.order_probe(order, order_digest(run, workload)),
        _feed_probe([fed[name] for name in sorted(fed)], batch.arrays),
        _same_loss(found),
    ]
    if any(layer.rate for layer in workload.dropouts):
        drawn = {"": found["drawn_losses"]} | seen.pop("drawn")
        probes += _dropout_at_work(run, workload, ref, drawn)
    if "rest" in found:
        probes.append(_rest_probe(float(found["rest"])))
    if "generated" in found:
        probes.append(parity.generation_probe(ref, batch.arrays[0][:1], found["generated"]))
    return parity.judge(ref, seen, probes, batch_size=run.profile.certified(workload.batch_size))


def order_digest(run: Run, workload: Workload) -> str:
    digest = inputs.OrderDigest()
    made = tasks.task(workload, run.inputs, run.options.seed)
    for batch in islice(made.epoch(0), ORDER_BATCHES):
        digest.add(batch.ids, batch.arrays)
    return digest.hexdigest()


def _feed_probe(seen: Sequence[np.ndarray], sent: Sequence[np.ndarray]) -> Probe:
    same = all(a.shape == b.shape and bool(np.array_equal(a, b)) for a, b in zip(seen, sent, strict=True))
    detail = "the first batch read back from the device equals the one sent" if same else "the batch changed on the way"
    return Probe(name="feed", passed=same, detail=detail)


def _same_loss(found: dict[str, np.ndarray]) -> Probe:
    """The timed step and the function whose gradients are compared see the same loss."""
    a, b = float(found["gradient_loss"]), float(found["loss/loss 1"])
    near = abs(a - b) <= 1e-5 * max(abs(a), abs(b))
    return Probe(name="one loss", passed=near, detail=f"timed step {b:.7f}, gradient function {a:.7f}")


def _dropout_at_work(run: Run, workload: Workload, ref: parity.Arbiter, drawn: dict[str, np.ndarray]) -> list[Probe]:
    """The step draws: two losses from the same weights and batch differ, and not both are dropout-free.

    ``drawn`` holds two losses of the timed step under "", and of steps where only the named layer drops.
    """
    (first,) = tasks.first(tasks.task(workload, run.inputs, run.options.seed), 1)
    plain = workload.without_dropout()
    initial = inputs.initial_tensors(plain, run.options.seed)
    _, loss, _ = Reference(plain, initial, ref.conventions).gradients(*first.arrays)
    out = []
    for layer, losses in drawn.items():
        a, b = (float(value) for value in losses)
        works = bool(np.isfinite(losses).all() and abs(a - b) > SAME_DRAW * loss)
        works = works and max(abs(a - loss), abs(b - loss)) > NO_DRAW * loss
        whose = f"losses of two draws of {layer} alone" if layer else "timed step's losses of two draws"
        detail = f"{whose} {a:.7f} and {b:.7f}, without dropout {loss:.7f}"
        out.append(Probe(name=f"dropout {layer} at work" if layer else "dropout at work", passed=works, detail=detail))
    return out


def _rest_probe(moved: float) -> Probe:
    """Where the gradient is exactly 0 nothing may move a weight: no decay of weights, no other hidden term."""
    detail = f"two steps on images of zeros moved the first layer's weights by {moved:.1e} at most"
    return Probe(name="at rest", passed=moved == 0.0, detail=detail)
