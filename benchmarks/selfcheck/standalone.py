"""A script as a sceptic would write it: one PyTorch model, its own loop, its own clock, none of the engine.

``python benchmarks/selfcheck/standalone.py STEPS BLOCKS CPU,...`` prints the median seconds of a step. It repeats the
MNIST MLP of ``impls/mnist_mlp`` from scratch so that not even the implementation file is shared.
"""

import os
import statistics
import sys
import time

import torch

BATCH = 500


def main(steps: int, blocks: int) -> None:
    torch.set_flush_denormal(True)
    net = torch.nn.Sequential(
        torch.nn.Dropout(0.2),
        torch.nn.Linear(784, 800),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(800, 800),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(800, 10),
    )
    adam = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    pool = [(torch.rand(BATCH, 784), torch.randint(10, (BATCH,))) for _ in range(8)]
    seen = []
    for _ in range(blocks + 1):
        start = time.perf_counter()
        for i in range(steps):
            x, y = pool[i % len(pool)]
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            adam.step()
        seen.append((time.perf_counter() - start) / steps)
    print(statistics.median(seen[1:]))


if __name__ == "__main__":
    if sys.argv[3]:
        os.sched_setaffinity(0, map(int, sys.argv[3].split(",")))
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    main(int(sys.argv[1]), int(sys.argv[2]))
