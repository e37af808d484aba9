"""Inside the worker: one training, scored on validation data every few steps with the clock stopped."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from benchmarks.errors import Unavailable
from benchmarks.experiments.time_to_accuracy.schema import is_reached
from benchmarks.worker.evidence import Watch
from benchmarks.worker.session import Session


def answer(session: Session, *, recipe: str, target: float, every: int, steps: int) -> dict[str, Any]:
    """Train until the target is reached, ``steps`` at most. The folder's test set holds the validation data."""
    declared = session.workload.recipe(recipe)
    workload = session.workload.trained_by(declared)
    judged = dataclasses.replace(workload, also_batch_statistics=None)  # the metric is all that is asked
    watch = Watch(session)
    watch.start()
    built = session.fresh(workload)
    session.adapter.synchronize()
    watch.stop()
    if (together := getattr(built, "together", 1)) > 1:
        raise Unavailable(f"this mode takes {together} steps at once, and a target is looked for between single ones")
    build, evaluation, taken, points = watch.seconds, 0.0, 0, []
    epochs = session.epochs(built, workload, declared.epochs)
    del built  # where a fresh optimiser is wanted, the program before it is to be freed
    watch.start()
    for program, batches in epochs:
        for _, placed in batches:
            program.train_step(*placed)
            taken += 1
            if taken % every and taken != steps:
                continue
            session.adapter.synchronize()
            watch.stop()
            start = time.perf_counter()
            metric = session.score(program, judged)[workload.metric]
            evaluation += time.perf_counter() - start
            points.append(
                {"steps": taken, "seconds": watch.seconds, "metric": metric if math.isfinite(metric) else None}
            )
            if is_reached(workload.metric, points[-1]["metric"], target) or taken == steps:
                found = {"build_seconds": build, "evaluation_seconds": evaluation, "points": points}
                return found | watch.sample()
            watch.start()
    raise RuntimeError(f"the recipe ended after {taken} steps, it was to take {steps}")
