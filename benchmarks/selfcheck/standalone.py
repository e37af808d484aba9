"""A script as a sceptic would write it: one PyTorch implementation, its own loop, its own clock, none of the engine.

``python benchmarks/selfcheck/standalone.py IMPLEMENTATION ARRAYS BATCH STEPS BLOCKS CPU,...`` prints the median seconds
of a step. IMPLEMENTATION is a file such as ``impls/mnist_mlp/mnist_mlp_torch.py``, so that both sides time the same
code; ARRAYS is a folder with ``train_x.npy``, ``train_y.npy`` and ``weights.npz``: the engine's own batches
and weights, because other ones change what a step costs.
"""

import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def main(implementation: Path, arrays: Path, batch: int, steps: int, blocks: int) -> None:
    workload = load(implementation.parent / "workload.py").WORKLOADS[0]
    file = load(implementation)
    model = file.build(workload)
    optimizer = file.optimizer(workload, model)
    with np.load(arrays / "weights.npz") as weights, torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(torch.from_numpy(weights[name].T))
    order = np.random.default_rng(0).permutation(np.load(arrays / "train_y.npy").size)
    x, y = np.load(arrays / "train_x.npy", mmap_mode="r"), np.load(arrays / "train_y.npy", mmap_mode="r")
    chosen = [order[i : i + batch] for i in range(0, len(order), batch)]
    pool = [(torch.from_numpy(x[i]), torch.from_numpy(y[i])) for i in chosen]
    seen = []
    for _ in range(blocks + 1):
        start = time.perf_counter()
        for i in range(steps):
            file.train_step(model, optimizer, *pool[i % len(pool)])
        seen.append((time.perf_counter() - start) / steps)
    print(statistics.median(seen[1:]))


if __name__ == "__main__":
    if sys.argv[6]:
        os.sched_setaffinity(0, map(int, sys.argv[6].split(",")))
    torch.set_flush_denormal(True)  # before the thread pool starts, whose threads inherit it
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
