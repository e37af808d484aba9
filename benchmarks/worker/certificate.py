"""Inside the worker: everything that the parity certificate compares, of the program that is timed."""

from __future__ import annotations

import copy
from itertools import islice
from typing import Any, cast

import numpy as np

from benchmarks import tasks
from benchmarks.frameworks.base import Program
from benchmarks.frameworks.discovery import uncompiled
from benchmarks.protocol.profiles import ORDER_BATCHES
from benchmarks.tasks import inputs
from benchmarks.tasks.text import GENERATED, PROMPT, TextTask
from benchmarks.worker.model_handle import Hands, leading, states
from benchmarks.worker.session import Session
from benchmarks.workload import Images, Workload


def answer(session: Session, *, steps: int, batch_size: int, transplant: str, out: str) -> dict[str, Any]:
    """Everything the certificate compares, written to the npz file ``out`` under ``check/tensor`` keys.

    The model is built again without dropout; ``transplant`` holds the tensors whose
    evaluation is compared apart from this stack's own training.
    """
    workload = session.workload.certified(batch_size)
    program = session.adapter.build(session.implementation, workload)
    task, initial = session.task(workload), session.initial(workload)
    host = tasks.first(task, steps)
    batches = [session.place(batch.arrays) for batch in host]
    evaluated = session.place(task.predict_inputs(host[0]))
    found: dict[str, np.ndarray] = {}
    program.set_tensors(initial)
    found["forward/logits"] = program.forward(*session.place(task.forward_inputs(host[0])))
    program.set_tensors(initial)
    loss, gradients = program.gradients(*batches[0])
    found |= {f"gradient/{name}": value for name, value in gradients.items()}
    found["gradient_loss"] = np.array(loss)
    program.set_tensors(initial)
    for i, loss_seen in enumerate(losses(session, program, host)):
        found[f"loss/loss {i + 1}"] = loss_seen
    found |= {f"final/{name}": value for name, value in program.get_tensors().items()}
    found["evaluation/logits"] = session.adapter.to_numpy(leading(program.predict(*evaluated)))
    with np.load(transplant, allow_pickle=False) as stored:
        transplanted = {n: stored[n] for n in stored.files if n not in states(workload)}
    # The program that was timed, its dropout included: in evaluation it must draw nothing.
    session.program.set_tensors(transplanted)
    found["transplanted_evaluation/logits"] = session.adapter.to_numpy(leading(session.program.predict(*evaluated)))
    if isinstance(task, TextTask):
        prompt, rng = host[0].arrays[0][:1, :PROMPT], np.random.default_rng(0)
        hands = Hands(session.adapter, session.program)
        found["generated"] = task.generate(hands, prompt, count=GENERATED, k=1, rng=rng)
    for i, handle in enumerate(batches[0]):
        found[f"fed/{i}"] = _host_layout(session.adapter.to_numpy(handle), host[0].arrays[i].shape)
    shape = (session.workload.batch_size, 800)
    for call in ("dropout1", "dropout2"):
        for name, value in session.program.dropout_on_ones(shape).items():
            found[f"{call}/{name}"] = value
    if any(layer.rate for layer in session.workload.dropouts):
        found["drawn_losses"] = _drawn_losses(session, session.program, session.workload)
    for layer in session.workload.dropouts:
        if layer.rate:
            alone = session.workload.with_dropout_only(layer.name)
            found[f"drawn/{layer.name}"] = _drawn_losses(session, _eager(session, alone), alone)
    if isinstance(session.workload.dataset, Images):
        found["rest"] = _at_rest(session, workload, host[0].arrays)
    np.savez(out, **found)  # type: ignore[arg-type]  # NumPy's own keyword comes first in its stub
    return {"order": _order_digest(session)}


def losses(session: Session, program: Any, host: list[inputs.Batch]) -> list[np.ndarray]:
    """The losses of one step per batch, all in one call where the timed steps come so."""
    if hasattr(program, "train_steps"):
        return list(session.adapter.to_numpy(program.train_steps(*session.stack(host))))
    return [session.adapter.to_numpy(program.train_step(*session.place(batch.arrays))) for batch in host]


def _drawn_losses(session: Session, program: Program, workload: Workload) -> np.ndarray:
    """The step's loss on the first batch, from the initial weights, with two draws of dropout."""
    (first,), initial = tasks.first(session.task(workload), 1), session.initial(workload)
    batch, losses = session.place(first.arrays), []
    for _ in range(2):
        program.set_tensors(initial)
        losses.append(session.adapter.to_numpy(program.train_step(*batch)))
    return np.array(losses)


def _eager(session: Session, workload: Workload) -> Program:
    """``workload`` as the same implementation runs it uncompiled: cheap to build for a step or two."""
    twin = copy.copy(session.adapter)
    twin.mode = uncompiled(session.framework, session.mode)
    return cast("Program", twin.build(session.implementation, workload))


def _at_rest(session: Session, workload: Workload, batch: tuple[np.ndarray, ...]) -> np.ndarray:
    """How far two steps on images of zeros move the first layer's weights, whose gradient then is exactly 0."""
    program, initial = _eager(session, workload), session.initial(workload)
    program.set_tensors(initial)
    placed = session.place((np.zeros_like(batch[0]), *batch[1:]))
    for _ in range(2):
        program.train_step(*placed)
    name = workload.tensors[0].name
    return np.array(np.abs(program.get_tensors()[name] - initial[name]).max())


def _order_digest(session: Session) -> str:
    digest = inputs.OrderDigest()
    for batch in islice(session.task(session.workload).epoch(0), ORDER_BATCHES):
        digest.add(batch.ids, [session.adapter.to_numpy(handle) for handle in session.place(batch.arrays)])
    return digest.hexdigest()


def _host_layout(placed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A batch read back from the device in the host's layout, whether the framework keeps NHWC or NCHW."""
    if placed.shape != shape and placed.ndim == 4:
        placed = placed.transpose(0, 2, 3, 1)
    return placed
