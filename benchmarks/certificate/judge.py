"""From what a worker sent back to its certificate: comparisons with the reference, and probes of what it was fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import tasks
from benchmarks.certificate import parity
from benchmarks.certificate.reference import Reference
from benchmarks.certificate.reference_layers import Arrays
from benchmarks.protocol.profiles import ORDER_BATCHES
from benchmarks.schema.results import Certificate, Probe
from benchmarks.tasks import inputs
from benchmarks.workload import Workload

# Relative differences of losses that rounding makes: of one program with itself, and with the float64 reference.
SAME_DRAW = 2e-6
NO_DRAW = 1e-5


@dataclass(frozen=True)
class Fed:
    """What a stack is given: a workload as it is timed, the folder of its arrays, the seed of weights and order."""

    workload: Workload
    folder: Path
    seed: int
    batch_size: int  # of the certificate

    @property
    def certified(self) -> Workload:
        return self.workload.certified(self.batch_size)

    @cached_property
    def batches(self) -> list[tuple[np.ndarray, ...]]:
        """Those of the certificate, on the host."""
        made = tasks.first(tasks.task(self.certified, self.folder, self.seed), parity.STEPS)
        return [batch.arrays for batch in made]

    @cached_property
    def timed(self) -> tuple[np.ndarray, ...]:
        """The first batch at the size that is timed."""
        return tasks.first(tasks.task(self.workload, self.folder, self.seed), 1)[0].arrays

    @cached_property
    def order(self) -> str:
        """Digest of the first epoch's batches."""
        digest = inputs.OrderDigest()
        for batch in islice(tasks.task(self.workload, self.folder, self.seed).epoch(0), ORDER_BATCHES):
            digest.add(batch.ids, batch.arrays)
        return digest.hexdigest()

    def tensors(self, workload: Workload) -> Arrays:
        """The initial weights of a form of the workload."""
        return inputs.initial_tensors(workload, self.seed)


def judge(fed: Fed, ref: parity.Arbiter, found: Mapping[str, np.ndarray], order: str) -> Certificate:
    """``found`` holds arrays under ``check/tensor`` keys, ``order`` the worker's digest: see the worker's request."""
    seen: dict[str, dict[str, np.ndarray]] = {}
    for name, value in found.items():
        if "/" in name:
            check, tensor = name.split("/", 1)
            seen.setdefault(check, {})[tensor] = value
    seen |= parity.changes(ref.workload, ref.initial, seen.pop("final"))
    read_back = seen.pop("fed")
    probes = [
        *parity.dropout_probes(fed.workload, seen.pop("dropout1", {}), seen.pop("dropout2", {})),
        parity.order_probe(order, fed.order),
        feed_probe([read_back[name] for name in sorted(read_back)], fed.batches[0]),
        _same_loss(found),
    ]
    if any(layer.rate for layer in fed.workload.dropouts):
        drawn = {"": found["drawn_losses"]} | seen.pop("drawn")
        probes += dropout_at_work(fed, ref, drawn)
    if "rest" in found:
        probes.append(rest_probe(float(found["rest"])))
    if "generated" in found:
        probes.append(parity.generation_probe(ref, fed.batches[0][0][:1], found["generated"]))
    return parity.judge(ref, seen, probes, batch_size=fed.batch_size)


def feed_probe(seen: Sequence[np.ndarray], sent: Sequence[np.ndarray]) -> Probe:
    same = all(a.shape == b.shape and bool(np.array_equal(a, b)) for a, b in zip(seen, sent, strict=True))
    detail = "the first batch read back from the device equals the one sent" if same else "the batch changed on the way"
    return Probe(name="feed", passed=same, detail=detail)


def _same_loss(found: Mapping[str, np.ndarray]) -> Probe:
    """The timed step and the function whose gradients are compared see the same loss."""
    a, b = float(found["gradient_loss"]), float(found["loss/loss 1"])
    near = abs(a - b) <= 1e-5 * max(abs(a), abs(b))
    return Probe(name="one loss", passed=near, detail=f"timed step {b:.7f}, gradient function {a:.7f}")


def dropout_at_work(fed: Fed, ref: parity.Arbiter, drawn: Mapping[str, np.ndarray]) -> list[Probe]:
    """The step draws: two losses from the same weights and batch differ, and not both are dropout-free.

    ``drawn`` holds two losses of the timed step under "", and of steps where only the named layer drops.
    """
    plain = fed.workload.without_dropout()
    _, loss, _ = Reference(plain, fed.tensors(plain), ref.conventions).gradients(*fed.timed)
    out = []
    for layer, losses in drawn.items():
        a, b = (float(value) for value in losses)
        works = bool(np.isfinite(losses).all() and abs(a - b) > SAME_DRAW * loss)
        works = works and max(abs(a - loss), abs(b - loss)) > NO_DRAW * loss
        whose = f"losses of two draws of {layer} alone" if layer else "timed step's losses of two draws"
        detail = f"{whose} {a:.7f} and {b:.7f}, without dropout {loss:.7f}"
        out.append(Probe(name=f"dropout {layer} at work" if layer else "dropout at work", passed=works, detail=detail))
    return out


def rest_probe(moved: float) -> Probe:
    """Where the gradient is exactly 0 nothing may move a weight: no decay of weights, no other hidden term."""
    detail = f"two steps on images of zeros moved the first layer's weights by {moved:.1e} at most"
    return Probe(name="at rest", passed=moved == 0.0, detail=detail)
