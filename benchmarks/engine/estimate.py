"""What a run will cost, before it starts."""

from __future__ import annotations

import math

from benchmarks.analysis.pilot import MOST, TYPICAL_SPREAD, passes_needed
from benchmarks.engine.context import NONE, Experiments
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.layers import Embedding
from benchmarks.protocol.profiles import FASTEST, MEASURES, PROFILES
from benchmarks.workload import Workload

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


def estimate(plan: Plan, experiments: Experiments = NONE) -> float:
    """Seconds: start-up, rounds, inference, certificates, training, experiments, and what --solo measures again."""
    return sum(entry_seconds(plan, i, experiments) for i in range(len(plan.entries)))


def extremes(plan: Plan, experiments: Experiments = NONE) -> tuple[float, float]:
    """Seconds where every pilot asks for the fewest passes, and where every one asks for the most."""
    counts = [plan.options.passes, plan.options.passes if plan.options.pilot is None else MOST]
    least, most = (estimate(plan.with_request(passes=n, pilot=None), experiments) for n in counts)
    return least, most


def expected_passes(plan: Plan, entry: Entry) -> int:
    """As many as are to be made; before a pilot, as many as it asks for where launches vary as they usually do."""
    if plan.options.pilot is None:
        return plan.options.passes
    return passes_needed(TYPICAL_SPREAD, pairs=max(1, math.comb(judged_together(entry), 2))) or MOST


def judged_together(entry: Entry) -> int:
    """Stacks of the larger family, documented or tuned, without the canary."""
    tuned = [p.stack.tuned for p in entry.runnable() if not p.stack.replica]
    return max(tuned.count(which) for which in (False, True))


def entry_seconds(plan: Plan, index: int, experiments: Experiments) -> float:
    """Of one workload."""
    entry, options = plan.entries[index], plan.options
    profile, measure = PROFILES[options.profile], options.measure
    workload, runnable = entry.sized, entry.runnable()
    macs, passes = multiply_accumulates(workload), expected_passes(plan, entry)
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
        steps = recipe.epochs * workload.steps(recipe.train_examples or workload.dataset.train_examples)
        frameworks = len({p.stack.kind for p in runnable})
        trained = frameworks if "training" in measure else len(entry.trainable())
        total += trained * options.accuracy_seeds * (START_SECONDS + steps * step)
        words = recipe.epochs * (recipe.train_examples or workload.dataset.train_examples)
        total += sum(not b.reason for b in entry.baselines) * (START_SECONDS + words / BASELINE_WORDS)
    for name in measure:
        if name not in MEASURES:
            total += sum(experiments[name].seconds(plan, entry, p) for p in runnable if not p.stack.replica)
    return total


def step_seconds(entry: Entry) -> float:
    """Of a training step as the run takes it."""
    return 6 * entry.batch_size * multiply_accumulates(entry.declared) / FLOPS + STEP_OVERHEAD


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
