"""How much a run measures. The protocol is the same in all; only amounts differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

MEASURES = ("training", "inference", "certificate", "accuracy")
POOL = 8  # distinct batches that rotate in timed blocks
ORDER_BATCHES = 512  # batches of an epoch whose order the certificate checks
FASTEST = 3  # stacks that --solo measures again, and those that cannot be told from the first


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Amounts per workload. Times in seconds.

    A block is at least ``block_seconds`` and ``block_steps`` long (``slow_steps``
    where a step takes longer than 0.2 s). With a ``pilot`` of so many passes their number is decided
    after it (:mod:`benchmarks.analysis.pilot`), ``passes`` at least.
    ``canary``: one stack is launched twice. ``inference_passes`` is how many passes
    measure inference. ``side_by_side`` workers are prepared and closed at a time: more than
    one makes phases meaningless and is for smoke runs only; blocks are always timed alone. ``imports`` workers import
    at a time, before any of them builds: an import keeps one core busy, so that on two cores a pair waits for nothing.
    ``trains_in_pass``: one seed trains in the pass's own process, in the first mode of each framework,
    instead of the fastest mode in a fresh one. ``certificate_batch`` makes certificates of smaller
    batches than the timed ones, which None stands for. ``repeats``: rounds that may be measured again because of a
    disturbance, per planned round. ``warm_windows``: windows of warm-up steps that must be steady. A ``stretch`` of so
    many seconds in ``stretch_windows`` follows the rounds of the first ``stretch_passes``.
    """

    passes: int
    pilot: int | None = None
    canary: bool = False
    rounds: int
    block_seconds: float
    block_steps: int
    slow_steps: int
    lead_in: int
    warm_floor: float
    warm_ceiling: float
    warm_windows: int
    stretch: float
    stretch_windows: int
    stretch_passes: int
    repeats: float
    single_calls: int
    single_warm: int
    offline_sizes: tuple[int, ...]
    offline_seconds: float
    inference_passes: int
    accuracy_seeds: int
    side_by_side: int = 1
    imports: int = 1
    trains_in_pass: bool = False
    certificate_batch: int | None = None
    recipes: dict[str, str]  # data source -> recipe name

    def certified(self, batch_size: int) -> int:
        """Return the samples per step of a certificate, where ``batch_size`` is timed."""
        return min(self.certificate_batch or batch_size, batch_size)

    def extra_rounds(self, rounds: int) -> int:
        """Return how many rounds may be repeats, where ``rounds`` are planned."""
        return math.ceil(self.repeats * rounds)

    def steps(self, step_seconds: float) -> int:
        """Return the steps of one block, from the step time measured in the warm-up."""
        least = self.slow_steps if step_seconds > 0.2 else self.block_steps
        return max(least, -int(-1.1 * self.block_seconds // step_seconds))  # a tenth more: steps vary


PROFILES = {
    "smoke": Profile(
        passes=1,
        rounds=2,
        block_seconds=0.01,
        block_steps=2,
        slow_steps=1,
        lead_in=1,
        warm_floor=0.0,
        warm_ceiling=0.0,
        warm_windows=1,
        stretch=0.01,
        stretch_windows=2,
        stretch_passes=1,
        repeats=0.0,
        single_calls=16,
        single_warm=2,
        offline_sizes=(16,),
        offline_seconds=0.01,
        inference_passes=1,
        accuracy_seeds=1,
        side_by_side=3,
        trains_in_pass=True,
        certificate_batch=16,
        recipes={"embedded": "smoke", "real": "short"},
    ),
    "quick": Profile(
        passes=2,
        rounds=3,
        block_seconds=0.5,
        block_steps=10,
        slow_steps=3,
        lead_in=3,
        warm_floor=0.5,
        warm_ceiling=6.0,
        warm_windows=12,
        stretch=1.0,
        stretch_windows=100,
        stretch_passes=1,
        repeats=1.0,
        single_calls=1024,
        single_warm=32,
        offline_sizes=(256, 1024),
        offline_seconds=0.5,
        inference_passes=1,
        accuracy_seeds=1,
        imports=2,
        recipes={"embedded": "quick", "real": "short"},
    ),
    "full": Profile(
        passes=5,
        pilot=3,
        canary=True,
        rounds=10,
        block_seconds=0.5,
        block_steps=10,
        slow_steps=3,
        lead_in=3,
        warm_floor=1.0,
        warm_ceiling=20.0,
        warm_windows=12,
        stretch=3.0,
        stretch_windows=200,
        stretch_passes=20,
        repeats=1.0,
        single_calls=2048,
        single_warm=64,
        offline_sizes=(64, 256, 1024, 4096),
        offline_seconds=1.0,
        inference_passes=5,
        accuracy_seeds=3,
        recipes={"embedded": "quick", "real": "book"},
    ),
}
