"""Inside the worker: one training, scored on validation data every few steps with the clock stopped."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from benchmarks.parts.time_to_accuracy.schema import is_reached
from benchmarks.session import Session


def answer(session: Session, *, recipe: str, target: float, every: int, steps: int) -> dict[str, Any]:
    """Train until the target is reached, ``steps`` at most. The folder's test set holds the validation data."""
    declared = session.workload.recipe(recipe)
    workload = session.workload.trained_by(declared)
    judged = dataclasses.replace(workload, also_batch_statistics=None)  # the metric is all that is asked
    start = time.perf_counter()
    epochs = session.epochs(session.fresh(workload), workload, declared.epochs)
    session.adapter.synchronize()
    build = seconds = time.perf_counter() - start
    evaluation, taken, points = 0.0, 0, []
    start = time.perf_counter()
    for program, batches in epochs:
        for _, placed in batches:
            program.train_step(*placed)
            taken += 1
            if taken % every and taken != steps:
                continue
            session.adapter.synchronize()
            seconds += time.perf_counter() - start
            start = time.perf_counter()
            metric = session.score(program, judged)[workload.metric]
            evaluation += time.perf_counter() - start
            points.append({"steps": taken, "seconds": seconds, "metric": metric if math.isfinite(metric) else None})
            if is_reached(workload.metric, points[-1]["metric"], target) or taken == steps:
                return {"build_seconds": build, "evaluation_seconds": evaluation, "points": points}
            start = time.perf_counter()
    raise RuntimeError(f"the recipe ended after {taken} steps, it was to take {steps}")
