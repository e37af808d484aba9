"""Products of a step as PyTorch itself counts them while it takes one."""

import dataclasses

import pytest
from frameworks import need

from benchmarks.tasks import inputs
from benchmarks.workload import discover, flops, load_module

pytestmark = pytest.mark.framework

CASES = {
    f.workload.key: f for f in discover() if f.implementation("torch").exists() and f.workload.variant != "resnet18"
}


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # of PyTorch's Adagrad, about its own tensors
@pytest.mark.parametrize("key", sorted(CASES))
def test_products_are_those_that_torch_counts(key, tmp_path):
    need("torch")
    import numpy as np
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.frameworks.torch_adapter import Adapter

    found = CASES[key]
    workload = dataclasses.replace(found.workload, batch_size=4)
    adapter = Adapter(mode="eager", device="cpu", threads=2, seed=0)
    implementation = load_module(found.implementation("torch"), f"counted_{workload.name}")
    program = adapter.build(implementation, workload)
    program.set_tensors(inputs.initial_tensors(workload, 0))
    batch = [adapter.place(array) for array in arrays(workload, np.random.default_rng(0))]
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # its LSTM is opaque to the counter
    try:
        with FlopCounterMode(display=False) as counter:
            program.train_step(*batch)
    finally:
        torch.backends.mkldnn.enabled = before
        torch.set_flush_denormal(False)  # the adapter set it, for the whole process
    assert counter.get_total_flops() == flops.count(workload).products


def arrays(workload, rng):
    """Any batch: what is counted does not depend on it."""
    import numpy as np

    n, data = workload.batch_size, workload.dataset
    kind = type(data).__name__
    if kind == "Images":
        return [rng.random((n, *data.shape), np.float32), rng.integers(0, data.classes, n)]
    if kind == "Text":
        return list(rng.integers(0, data.vocabulary, (2, n, data.steps)))
    words = rng.permutation(data.vocabulary)[: 2 * n + data.negatives]
    logs = np.log(rng.random(n + data.negatives, np.float32) + 0.1)
    return [words[:n], words[n : 2 * n], words[2 * n :], logs[:n], logs[n:]]
