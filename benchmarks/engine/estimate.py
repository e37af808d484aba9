"""What a run will cost, before it starts."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

from benchmarks import experiments
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.solo import FASTEST
from benchmarks.layers import Embedding
from benchmarks.protocol.profiles import PROFILES
from benchmarks.workload import Workload, load

# Rough figures of a small CPU, from the phases of a published run on two cores (six workloads, eight stacks, 40 min):
# the estimate has to tell a quarter of an hour from half of one, not more.
START_SECONDS = 6.5  # a worker's import, build, first step and end, mean over stacks
COMPILE_SECONDS = {"cold": 25.0, "warm": 8.0}  # more than that in the first step of a compiling mode
STEP_OVERHEAD = 0.004  # seconds of a step that computes nothing
CALL_SECONDS = 0.003  # of a single inference that computes nothing
FLOPS = 60e9
BASELINE_WORDS = 200_000  # words a second of a baseline
SETTLING = 2.0  # warm-ups take this many times their floor
PREPARING = 5.0  # data of a workload
CERTIFICATE_STEPS = 40  # of float32, as long as the float64 reference takes


def estimate(plan: Plan) -> float:
    """Seconds: start-up, rounds, inference, certificates, training, and what --isolated measures again."""
    return sum(entry_seconds(plan, i) for i in range(len(plan.entries)))


def entry_seconds(plan: Plan, index: int) -> float:
    """Of one workload."""
    entry, options = plan.entries[index], plan.options
    profile, measure = PROFILES[options.profile], options.measure
    workload, runnable = _workload(entry.folder, entry.variant), entry.runnable()
    macs, passes = multiply_accumulates(workload), options.passes
    step = 6 * entry.batch_size * macs / FLOPS + STEP_OVERHEAD
    timing = profile.warm_floor * SETTLING
    timing += options.rounds * (profile.lead_in * step + max(profile.block_seconds, step * profile.steps(step)))
    total = PREPARING if runnable else 0.0
    for planned in runnable:
        if {"training", "inference", "certificate"} & set(measure):
            total += _starts(planned, passes, cold=True)
        if "training" in measure:
            total += passes * timing + min(passes, profile.stretch_passes) * profile.stretch
        if "inference" in measure:
            call = CALL_SECONDS + 2 * macs / FLOPS
            once = (profile.single_calls + profile.single_warm) * call + 2 * len(profile.offline_sizes) * max(
                profile.offline_seconds, 2 * max(profile.offline_sizes) * macs / FLOPS
            )
            total += min(passes, profile.inference_passes) * once
        if "certificate" in measure:
            size = profile.certified(entry.batch_size)
            total += 2 + CERTIFICATE_STEPS * (6 * size * macs / FLOPS + STEP_OVERHEAD)
    if options.isolate:
        total += sum(_starts(p, passes, cold=False) + passes * timing for p in runnable[:FASTEST])
    if "accuracy" in measure:
        recipe = workload.recipe(options.recipe)
        sized = dataclasses.replace(workload, batch_size=entry.batch_size)
        steps = recipe.epochs * sized.steps(recipe.train_examples or workload.dataset.train_examples)
        frameworks = len({p.stack.kind for p in runnable})
        trained = frameworks if "training" in measure else len(entry.trainable())
        total += trained * options.accuracy_seeds * (START_SECONDS + steps * step)
        words = recipe.epochs * (recipe.train_examples or workload.dataset.train_examples)
        total += sum(not b.reason for b in entry.baselines) * (START_SECONDS + words / BASELINE_WORDS)
    for name in experiments.chosen(measure):
        total += sum(experiments.measuring(name).seconds(plan, entry, p) for p in runnable if not p.stack.replica)
    return total


def declared(entry: Entry) -> Workload:
    """As it is declared, at the declared batch size."""
    return _workload(entry.folder, entry.variant)


def step_seconds(entry: Entry) -> float:
    """Of a training step as the run takes it."""
    return 6 * entry.batch_size * multiply_accumulates(declared(entry)) / FLOPS + STEP_OVERHEAD


@cache
def _workload(folder: str, variant: str) -> Workload:
    """As it stands now, loaded once: a budget is fitted with hundreds of estimates."""
    return load(Path(folder), variant).workload


def _starts(planned: Planned, passes: int, *, cold: bool) -> float:
    total = passes * START_SECONDS
    if planned.stack.known.caches:
        total += passes * COMPILE_SECONDS["warm"] + cold * (COMPILE_SECONDS["cold"] - COMPILE_SECONDS["warm"])
    return total


def multiply_accumulates(workload: Workload) -> float:
    """Of one sample's forward pass, weights only."""
    total = 0.0
    for placed in workload.leaves:
        if not isinstance(placed.layer, Embedding):
            weights = sum(math.prod(t.shape) for t in placed.tensors if t.trainable and len(t.shape) > 1)
            total += weights * math.prod(placed.output_shape[:-1])
    return total
