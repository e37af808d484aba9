"""The parity certificate: one stack's arithmetic compared with the float64 reference.

For every compared tensor the error is ‖x − x*‖ / ‖x*‖ (for weights and running
statistics, of the change since the start). The tolerance is a multiple of what
moving every weight and input by one unit in the last place of float32, and
keeping tensors in float32 between steps, does to the reference itself: a model
that amplifies rounding is allowed what it amplifies. Where a unit stands so close
to its kink that rounding decides whether it is on, what both decisions differ by
is allowed too.

Some gradients are exactly zero by the mathematics (a bias just below a batch
norm); their error is taken relative to the gradient of the whole layer.
"""

from __future__ import annotations

import dataclasses
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.certificate.reference import Reference
from benchmarks.certificate.reference_layers import Arrays
from benchmarks.frameworks.base import Conventions
from benchmarks.layers import BatchNorm, ReLU
from benchmarks.schema.results import Certificate, Probe, TensorError
from benchmarks.tasks.inputs import generator
from benchmarks.tasks.text import PROMPT
from benchmarks.workload import Adam, Workload

STEPS = 5
DRAWS = 2
TRACES = 3  # of the reference at a time
ULP = 2.0**-23

# Both for models of up to DEPTH ReLU layers; rounding adds up from layer to layer, so deeper ones get as much per
# layer. Measured over all workloads and frameworks: see docs/PROTOCOL.md, "Parity tolerances".
MULTIPLE = 32.0
# Decisions closer than this share of a layer's root mean square may fall either way in float32 ...
KINK = 32 * ULP
DEPTH = 4
# ... and together they may do this many times what taking them all one way and all the other does.
KINK_MULTIPLE = 3.0
# Below this a float32 sum of a few hundred terms cannot be expected to agree.
FLOOR = 2e-6
# Nothing is allowed more than this, however sensitive: a comparison that lets everything pass proves nothing. The
# largest error measured was 1.0e-2 (dead rows of the CNN's fc1 under Adam, which amplifies gradients of 1e-8).
CEILING = 0.05
# Two logits closer than this share of the largest may swap places in float32.
TIE = 1e-5
# A tensor smaller than this share of its layer is zero by the mathematics and holds rounding only.
ZERO = 1e-9

Batches = list[tuple[np.ndarray, ...]]
Tolerance = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a certificate compares, check -> tensor -> float64 array, and the tensors after the steps."""

    values: dict[str, Arrays]
    final: Arrays


def trace(workload: Workload, tensors: Arrays, batches: Batches, conventions: Conventions, **switches: Any) -> Trace:
    """Run the reference: first batch forward and backward, all batches as steps, then evaluation.

    ``switches`` are those of :class:`Reference`.
    """
    reference = Reference(workload, tensors, conventions, **switches)
    values: dict[str, Arrays] = {}
    for i, batch in enumerate(batches):
        logits, loss, gradients = reference.step(*batch)
        if i == 0:
            values["forward"] = {"logits": logits}
            values["loss"] = {"loss 1": np.array(loss)}
            values["gradient"] = gradients
        else:
            values["loss"][f"loss {i + 1}"] = np.array(loss)
    final = reference.tensors
    values |= changes(workload, tensors, final)
    logits = reference.evaluate(batches[0][0])
    values["evaluation"] = values["transplanted_evaluation"] = {"logits": logits}
    return Trace(values=values, final=final)


def changes(workload: Workload, before: Arrays, after: Arrays) -> dict[str, Arrays]:
    """Change of every tensor; weights, running statistics and states apart."""
    out: dict[str, Arrays] = {"update": {}, "running_statistics": {}, "state": {}}
    for t in workload.tensors:
        moved = np.asarray(after[t.name], np.float64) - np.asarray(before[t.name], np.float64)
        out["update" if t.trainable else "state" if t.state else "running_statistics"][t.name] = moved
    return {check: arrays for check, arrays in out.items() if arrays}


def depth(workload: Workload) -> float:
    """How many times as much rounding adds up as in a model of :data:`DEPTH` ReLU layers; at least 1."""
    return max(1.0, sum(isinstance(leaf.layer, ReLU) for leaf in workload.leaves) / DEPTH)


def running_statistics(workload: Workload) -> bool:
    return any(not t.trainable and not t.state for t in workload.tensors)


def sizes(values: dict[str, Arrays]) -> dict[str, dict[str, float]]:
    """Check -> tensor -> the norm that its error is divided by: its own, or its layer's where its own is rounding."""
    out: dict[str, dict[str, float]] = {}
    for check, arrays in values.items():
        own = {name: float(np.linalg.norm(value)) for name, value in arrays.items()}
        layers: dict[str, float] = {}
        for name, size in own.items():
            layers[name.rsplit(".", 1)[0]] = float(np.hypot(layers.get(name.rsplit(".", 1)[0], 0.0), size))
        whole = {name: layers[name.rsplit(".", 1)[0]] for name in own}
        out[check] = {name: (size if size > ZERO * whole[name] else whole[name]) or 1.0 for name, size in own.items()}
    return out


def error(value: Any, reference: np.ndarray, size: float) -> float | None:
    """Euclidean norm of the difference over ``size``; None when not finite or of another shape."""
    value = np.asarray(value, np.float64)
    if value.shape != reference.shape:
        return None
    out = float(np.linalg.norm(value - reference)) / size
    return out if np.isfinite(out) else None


@dataclass(frozen=True, kw_only=True)
class Arbiter:
    """The reference for one workload, one seed, one batch size and one framework's conventions."""

    workload: Workload
    conventions: Conventions
    initial: Arrays
    trace: Trace
    tolerance: Tolerance
    difference_of_forms: dict[str, float]


class Case:
    """One workload without dropout, its weights and batches; every trace of the reference is computed once."""

    def __init__(self, workload: Workload, tensors: Arrays, batches: Batches, *, seed: int) -> None:
        self.workload, self.tensors, self.batches, self.seed = workload, tensors, batches, seed
        self._exact: dict[Conventions, Trace] = {}
        self._tolerance: dict[str, Tolerance] = {}

    def exact(self, conventions: Conventions) -> Trace:
        """The reference under ``conventions``; a convention that plays no part here makes no difference."""
        if not isinstance(self.workload.optimiser, Adam):
            conventions = dataclasses.replace(conventions, adam_epsilon="after")
        if not running_statistics(self.workload):
            conventions = dataclasses.replace(conventions, running_variance="unbiased")
        if conventions not in self._exact:
            if conventions.running_variance == "biased":
                found = self._biased(self.exact(dataclasses.replace(conventions, running_variance="unbiased")))
            else:
                found = trace(self.workload, self.tensors, self.batches, conventions)
            self._exact[conventions] = found
        return self._exact[conventions]

    def _biased(self, other: Trace) -> Trace:
        """``other`` with the biased variance running: no step depends on it, only what runs and evaluation do."""
        final = dict(other.final)
        for leaf in self.workload.leaves:
            if isinstance(leaf.layer, BatchNorm):
                name = f"{leaf.layer.name}.running_variance"
                n = len(self.batches[0][0]) * math.prod(leaf.input_shape[:-1])
                start = (1 - leaf.layer.momentum) ** len(self.batches) * self.tensors[name].astype(np.float64)
                final[name] = start + (final[name] - start) * (n - 1) / n
        values = other.values | changes(self.workload, self.tensors, final)
        biased = Conventions(adam_epsilon="after", running_variance="biased")  # evaluation takes no step
        logits = Reference(self.workload, final, biased).evaluate(self.batches[0][0])
        values["evaluation"] = values["transplanted_evaluation"] = {"logits": logits}
        return Trace(values=values, final=final)

    def arbiter(self, conventions: Conventions) -> Arbiter:
        """The reference under ``conventions``, and what the other conventions would have given."""
        form = conventions.adam_epsilon if isinstance(self.workload.optimiser, Adam) else ""
        if form not in self._tolerance:  # how the variance runs amplifies nothing
            self._tolerance[form] = self._tolerances(conventions)
        return Arbiter(
            workload=self.workload,
            conventions=conventions,
            initial=self.tensors,
            trace=self.exact(conventions),
            tolerance=self._tolerance[form],
            difference_of_forms=self._other_forms(conventions),
        )

    def _tolerances(self, conventions: Conventions) -> Tolerance:
        """Check -> tensor -> allowed error, from the reference's own sensitivity."""
        deep = depth(self.workload)
        # Side by side, one CPU each: what lies between the products knows no threads. More do not fit small memories.
        with threadpool_limits(1), ThreadPoolExecutor(min(TRACES, os.cpu_count() or 1)) as pool:
            known = pool.submit(self.exact, conventions)  # the first to start, so that the others may wait for it

            def shaken(draw: int) -> Tolerance:
                rng = generator(self.seed, "ulp", draw)
                nudged = {name: _nudge(value, rng) for name, value in self.tensors.items()}
                fed = [tuple(_nudge(a, rng) if a.dtype.kind == "f" else a for a in batch) for batch in self.batches]
                other = trace(self.workload, nudged, fed, conventions, rounded=True)
                final = {name: _nudge(value, rng) for name, value in known.result().final.items()}
                self._transplant(other, final, fed[0][0], conventions)
                return _moved(other, known.result())

            def decided(kink: float) -> Tolerance:
                other = trace(self.workload, self.tensors, self.batches, conventions, kink=kink)
                self._transplant(other, known.result().final, self.batches[0][0], conventions, kink=kink)
                return _moved(other, known.result())

            # Near-ties one way and the other: decided against those of a trace that has itself moved they could cancel.
            ways = [pool.submit(decided, kink) for kink in (KINK * deep, -KINK * deep)]
            draws = [pool.submit(shaken, draw) for draw in range(DRAWS)]
            if isinstance(self.workload.optimiser, Adam):
                pool.submit(self.exact, _other_epsilon(conventions)).result()  # which _other_forms will ask for
            exact = known.result()
            kinks, rounding = [f.result() for f in ways], [f.result() for f in draws]
        return {
            check: {
                name: min(
                    CEILING,
                    max(FLOOR, MULTIPLE * deep * max(r[check][name] for r in rounding))
                    + KINK_MULTIPLE * sum(k[check][name] for k in kinks),
                )
                for name in arrays
            }
            for check, arrays in exact.values.items()
        }

    def _transplant(
        self, other: Trace, final: Arrays, x: np.ndarray, conventions: Conventions, **switches: Any
    ) -> None:
        """Evaluation on tensors handed over does not inherit what the steps before amplified."""
        reference = Reference(self.workload, final, conventions, **switches)
        other.values["transplanted_evaluation"] = {"logits": reference.evaluate(x)}

    def _other_forms(self, conventions: Conventions) -> dict[str, float]:
        """Worst relative change of an update (or running statistic) under the other form of each convention."""
        out, exact = {}, self.exact(conventions)
        if isinstance(self.workload.optimiser, Adam):
            form = _other_epsilon(conventions)
            out[f"adam_epsilon={form.adam_epsilon}"] = max(_moved(self.exact(form), exact)["update"].values())
        if running_statistics(self.workload):
            form = dataclasses.replace(
                conventions, running_variance="biased" if conventions.running_variance == "unbiased" else "unbiased"
            )
            moved = _moved(self.exact(form), exact)["running_statistics"]
            out[f"running_variance={form.running_variance}"] = max(moved.values())
        return out


def _other_epsilon(conventions: Conventions) -> Conventions:
    return dataclasses.replace(conventions, adam_epsilon="before" if conventions.adam_epsilon == "after" else "after")


def _moved(other: Trace, exact: Trace) -> Tolerance:
    """How far ``other`` is from ``exact``, tensor by tensor; infinite where it is not finite."""
    size = sizes(exact.values)
    out: Tolerance = {}
    for check, arrays in exact.values.items():
        errors = {name: error(other.values[check][name], x, size[check][name]) for name, x in arrays.items()}
        out[check] = {name: np.inf if e is None else e for name, e in errors.items()}
    return out


def _nudge(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each value moved to a float32 about one unit in the last place away."""
    return (value.astype(np.float64) * (1.0 + ULP * rng.choice((-1.0, 1.0), value.shape))).astype(np.float32)


def judge(ref: Arbiter, seen: dict[str, Arrays], probes: list[Probe], *, batch_size: int) -> Certificate:
    """Compare what a worker computed with the reference."""
    tensors = []
    size = sizes(ref.trace.values)
    for check, arrays in ref.trace.values.items():
        for name, value in arrays.items():
            e = error(seen.get(check, {}).get(name, np.nan), value, size[check][name])
            limit = ref.tolerance[check][name]
            tensors.append(
                TensorError.model_validate(
                    {
                        "check": check,
                        "tensor": name,
                        "error": e,
                        "tolerance": limit,
                        "passed": e is not None and e <= limit,
                    }
                )
            )
    bad = [
        f"{t.check} of {t.tensor}: error {_figure(t.error)}, tolerance {t.tolerance:.1e}"
        for t in tensors
        if not t.passed
    ]
    bad += [f"probe {p.name}: {p.detail}" for p in probes if not p.passed]
    return Certificate(
        status="parity_failed" if bad else "ok",
        reason="; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else ""),
        steps=len(ref.trace.values["loss"]),
        batch_size=batch_size,
        conventions=dataclasses.asdict(ref.conventions),
        difference_of_forms=ref.difference_of_forms,
        tensors=tensors,
        probes=probes,
    )


def _figure(value: float | None) -> str:
    return "not finite or of another shape" if value is None else f"{value:.1e}"


def dropout_probes(workload: Workload, first: Arrays, second: Arrays) -> list[Probe]:
    """Judge two calls of every dropout layer on ones: values, rate, independence, renewal.

    Limits are five standard errors, so a sound layer fails about once in a million.
    """
    declared = {layer.name: layer.rate for layer in workload.dropouts}
    out = []
    for name, rate in declared.items():
        if name not in first or name not in second:
            out.append(Probe(name=f"dropout {name}", passed=False, detail="the layer was not found in the model"))
            continue
        mask, again = first[name], second[name]
        kept = mask != 0
        scale_ok = np.allclose(mask[kept], 1.0 / (1.0 - rate), rtol=1e-6, atol=0)
        share, se = 1.0 - kept.mean(), np.sqrt(rate * (1 - rate) / mask.size)
        rate_ok = abs(share - rate) <= 5 * se
        renewed = abs(_correlation(mask, again)) <= 5 / np.sqrt(mask.size)
        out.append(
            Probe(
                name=f"dropout {name}",
                passed=bool(scale_ok and rate_ok and renewed),
                detail=f"dropped {share:.4f} of {mask.size} ones (declared {rate}), survivors "
                + ("scaled by 1/keep" if scale_ok else "NOT scaled by 1/keep")
                + (", a new mask at the next call" if renewed else ", the SAME mask at the next call"),
            )
        )
    names = [n for n in declared if n in first]
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            r = _correlation(first[a], first[b])
            limit = 5 / np.sqrt(first[a].size)
            out.append(
                Probe(
                    name=f"dropout {a} against {b}",
                    passed=bool(abs(r) <= limit),
                    detail=f"correlation of the masks {r:+.4f}, limit {limit:.4f}",
                )
            )
    return out


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 1.0


def order_probe(seen: str, expected: str) -> Probe:
    same = seen == expected
    detail = f"ids and labels of an epoch's first batches hash to {seen[:12]}" + (
        "" if same else f", expected {expected[:12]}"
    )
    return Probe(name="sample order", passed=same, detail=detail)


def generation_probe(ref: Arbiter, words: np.ndarray, seen: np.ndarray) -> Probe:
    """Greedy words from the reference's final weights; another word passes only where its logit is as good as equal."""
    reference = Reference(ref.workload, ref.trace.final, ref.conventions)
    text, ties = list(words[0, :PROMPT]), 0
    for at, word in enumerate(seen):
        logits = reference.evaluate(np.array([text]))[0, -1]
        if logits.max() - logits[word] > TIE * np.abs(logits).max():
            return Probe(name="generation", passed=False, detail=f"greedy word {at + 1} differs from float64's")
        ties += word != logits.argmax()
        text.append(word)
    return Probe(name="generation", passed=True, detail=f"all {len(seen)} greedy words as in float64, {ties} by a tie")
