"""Single inference through pytest-benchmark: one sample per call, batch 1, host memory to host memory."""

from typing import Any

import pytest

from benchmarks.conftest import replay, worker_seconds


@pytest.mark.benchmark(timer=worker_seconds)
def bench_inference(benchmark: Any, stack: Any, measured: Any) -> None:
    entry, planned = stack
    row = measured.row(entry.workload, entry.variant, planned.stack.key)
    benchmark.group = f"{entry.key}: single inference"
    samples = [s for launch in row.launches if launch.inference for s in launch.inference.single.seconds]
    replay(benchmark, row, samples)
