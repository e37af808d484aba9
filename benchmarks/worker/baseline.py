"""What a worker does for a baseline: build it, train it against the clock, score its vectors as the stacks' are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import tasks
from benchmarks.tasks.inputs import load_array
from benchmarks.tasks.pairs import PairsTask
from benchmarks.workload import load, load_module


def train(
    *, folder: str, variant: str, name: str, recipe: str, inputs: str, threads: int, seed: int, affinity: list[int]
) -> dict[str, Any]:
    """``baseline_NAME.py`` in ``folder`` on the training words in ``inputs``; ``affinity`` is set already."""
    found = load(Path(folder), variant)
    workload, arrays = found.workload, Path(inputs)
    module = load_module(found.baseline(name), f"baseline_{name}")
    task = tasks.task(workload, arrays, seed)
    assert isinstance(task, PairsTask)
    ids = np.array(load_array(arrays, "train"))
    settings = module.settings(workload, workload.recipe(recipe))
    model = module.build(ids, settings, threads, seed)
    start = time.perf_counter()
    module.train(model, ids)
    seconds = time.perf_counter() - start
    vectors = np.asarray(module.vectors(model, task.pairs.vocabulary))
    if vectors.ndim != 2 or len(vectors) != task.pairs.vocabulary or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be finite, one per word: ({task.pairs.vocabulary}, D), got {vectors.shape}")
    return {
        "settings": settings,
        "seconds": seconds,
        "processed": len(ids) * workload.recipe(recipe).epochs,
        "scores": task.vector_scores(vectors),
    }
