"""Obtain one stack's parity certificate: reference, request to the worker, judgement, journal."""

from __future__ import annotations

import threading

import numpy as np

from benchmarks.certificate import parity
from benchmarks.certificate.judge import Fed, judge
from benchmarks.engine.context import Context
from benchmarks.engine.journal import Certified
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.frameworks.base import Conventions
from benchmarks.schema.results import Certificate, Status

_CASES: dict[tuple[str, str], tuple[Fed, parity.Case]] = {}
_LOCK = threading.Lock()


def certify(ctx: Context, launch: Launch) -> Certificate | None:
    """Journal the certificate; whatever fails on the way leaves one with its status and reason."""
    try:
        certificate = _certificate(ctx, launch)
    except WorkerError as error:
        if ctx.workers.stopping:
            return None
        certificate = _failed(ctx, launch, error.status, error.reason)
    except Exception as error:  # the reference or the comparison stumbled over what the worker sent
        certificate = _failed(ctx, launch, "failed", f"{type(error).__name__}: {error}")
    ctx.journal.add(Certified(row=launch.row, certificate=certificate))
    return certificate


def _failed(ctx: Context, launch: Launch, status: Status, reason: str) -> Certificate:
    return Certificate(
        status=status,
        reason=ctx.workers.redact(reason),
        log_tail=ctx.workers.log_tail(launch.process),
        steps=parity.STEPS,
        batch_size=ctx.profile.certified(launch.entry.batch_size),
        conventions=launch.conventions,
    )


def _certificate(ctx: Context, launch: Launch) -> Certificate:
    conventions = Conventions(**launch.conventions)  # type: ignore[arg-type]  # they come from such an object
    with _LOCK:
        fed, case = _case(ctx, launch)
        ref = case.arbiter(conventions)
    slug = launch.entry.slug(launch.planned)
    transplant, out = (str(ctx.workers.scratch / f"{what}-{slug}.npz") for what in ("transplant", "certificate"))
    np.savez(transplant, **{k: v.astype(np.float32) for k, v in ref.trace.final.items()})  # type: ignore[arg-type]  # NumPy's stub
    answer = launch.ask(
        "benchmarks.worker.certificate",
        steps=parity.STEPS,
        batch_size=fed.batch_size,
        transplant=transplant,
        out=out,
    )
    with np.load(out, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files}
    return judge(fed, ref, found, answer["order"])


def _case(ctx: Context, launch: Launch) -> tuple[Fed, parity.Case]:
    """What the stacks of this run are fed, and the reference for it, made once per workload variant."""
    workload = launch.entry.sized
    key = (str(ctx.folder), workload.hash)
    if key not in _CASES:
        _CASES.clear()  # a run goes through its workloads one by one
        ctx.report(f"{workload.key}: float64 reference and its sensitivity")
        size, seed = ctx.profile.certified(workload.batch_size), ctx.request.seed
        fed = Fed(workload, ctx.workers.inputs, seed, size)
        plain = fed.certified
        _CASES[key] = fed, parity.Case(plain, fed.tensors(plain), fed.batches, seed=seed)
    return _CASES[key]
