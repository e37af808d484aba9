"""Whether a block's time depends on which stack was timed just before it.

Round orders are rows of a Williams design: every stack follows every other equally often, and within a round each
follows another, so what the preceding stack leaves behind (caches, clocks, page tables, busy threads) can be told from
the stack, its launch and the round. The effects of the preceding stack are fitted to the log block times less their
launch's mean, weighted by each stack's noise. Step times are not normal, so the significance comes from permutations
within launches. They assume that, with nothing carried over, a launch's blocks vary independently and so may change
places. Noise that lasts from round to round breaks that: where a stack's neighbouring blocks correlate by 0.5, a run
without carry-over is called one with it in 6 to 7 %, by 0.9 in some 15 %. What a round does to all its blocks stays in
the noise; it is balanced over preceding stacks and makes the test cautious, not false.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.schema.results import CarryOver, Row

PERMUTATIONS = 999
SPARE = 5  # residual degrees of freedom that must be left
RANK = 1e-9


@dataclass(frozen=True)
class Timed:
    """One block: what was timed, when, after what, and the logarithm of its step time."""

    stack: str
    pass_index: int
    round: int
    preceding: str
    log_seconds: float


def carry_over(rows: Sequence[Row]) -> CarryOver | None:
    """The test over all stacks of one workload variant; None with fewer than three stacks or too few quiet blocks."""
    blocks = list(timed(rows))
    found = test(blocks)
    if found is None:
        return None
    p, effects = found
    most = max(effects, key=lambda key: abs(effects[key]))
    effect = float(np.exp(effects[most]))
    workload, variant = rows[0].workload, rows[0].variant
    return CarryOver(workload=workload, variant=variant, blocks=len(blocks), p=p, preceding=most, effect=effect)


def timed(rows: Sequence[Row]) -> Iterator[Timed]:
    """Blocks of interleaved rounds that no disturbance touched, each with the stack timed before it in its pass.

    Blocks of launches that failed later count as predecessors only.
    """
    passes: dict[int, list[tuple[int, int, str, float, bool]]] = {}
    for row in rows:
        for launch in row.launches:
            for b in launch.blocks if launch.interleaved else ():
                counts = launch.status == "ok" and not b.round_disturbed
                seen = (b.round, b.position, row.stack.key, float(np.log(b.seconds / b.steps)), counts)
                passes.setdefault(launch.pass_index, []).append(seen)
    for index, blocks in passes.items():
        blocks.sort()
        for before, (number, _, stack, log_seconds, counts) in pairwise(blocks):
            if counts:
                yield Timed(stack, index, number, before[2], log_seconds)


def test(blocks: Sequence[Timed]) -> tuple[float, dict[str, float]] | None:
    """p of "the preceding stack does not matter", and its effect per preceding stack on the log, mean 0.

    None where the design cannot tell: fewer than three stacks, or fewer than ``SPARE`` blocks beyond the effects.
    """
    preceding = sorted({b.preceding for b in blocks})
    if len({b.stack for b in blocks}) < 3:
        return None  # of two, both follow the same one in every round
    y, stacks = np.array([b.log_seconds for b in blocks]), np.array([b.stack for b in blocks])
    base = _columns([(b.stack, b.pass_index) for b in blocks])
    weights = _weights(y, base, stacks)
    effects = _columns([b.preceding for b in blocks])
    base, effects, y = base * weights[:, None], effects * weights[:, None], y * weights
    known = _basis(base)
    inside = effects - known @ (known.T @ effects)
    tested = _basis(inside)
    spare = len(y) - known.shape[1] - tested.shape[1]
    if tested.shape[1] == 0 or spare < SPARE:
        return None
    residual = y - known @ (known.T @ y)

    def statistic(r: np.ndarray) -> np.ndarray:
        """F of the effects, of each column of ``r`` (n, m)."""
        r = r - known @ (known.T @ r)
        explained = np.sum((tested.T @ r) ** 2, axis=0)
        left = np.maximum(np.sum(r**2, axis=0) - explained, 1e-300)
        return np.asarray(explained / tested.shape[1] / (left / spare))

    rng = np.random.default_rng(len(y))
    shuffled = np.tile(residual[:, None], (1, PERMUTATIONS))
    for one in base.T:  # a launch has one weight, so its residuals may change places
        mine = np.flatnonzero(one)
        shuffled[mine] = rng.permuted(shuffled[mine], axis=0)
    observed = float(statistic(residual[:, None])[0])
    p = (1 + int(np.sum(statistic(shuffled) >= observed))) / (PERMUTATIONS + 1)
    fitted = np.linalg.lstsq(inside, residual, rcond=RANK)[0]
    fitted -= fitted.mean()
    return p, dict(zip(preceding, map(float, fitted), strict=True))


def _columns(labels: Sequence[object]) -> np.ndarray:
    """One indicator column per distinct label, in sorted order: (n, distinct)."""
    distinct = sorted(set(labels))  # type: ignore[type-var]  # strings, or tuples of one shape
    return np.array([[label == one for one in distinct] for label in labels], np.float64)


def _basis(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the same."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(u[:, s > RANK * max(s.max(initial=0.0), 1.0)])


def _weights(y: np.ndarray, base: np.ndarray, stacks: np.ndarray) -> np.ndarray:
    """One over each stack's own noise (median absolute residual), so that a noisy stack does not drown the others."""
    known = _basis(base)
    size = np.abs(y - known @ (known.T @ y))
    noise = {name: float(np.median(size[stacks == name])) for name in set(stacks.tolist())}
    least = 0.1 * float(np.median(list(noise.values()))) or 1.0
    return np.array([1 / max(noise[name], least) for name in stacks.tolist()])
