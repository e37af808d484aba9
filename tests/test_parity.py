"""The certificate's arithmetic: a float32 copy of the reference passes, deliberate faults do not."""

import dataclasses

import numpy as np
import pytest

from benchmarks import parity
from benchmarks.frameworks.base import Conventions
from benchmarks.inputs import initial_tensors
from benchmarks.layers import Dropout
from benchmarks.workload import discover

TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")
WORKLOADS = {f.workload.key: f.workload.without_dropout() for f in discover()}


def arbiter(key, conventions=TORCH, **changes):
    w = dataclasses.replace(WORKLOADS[key], batch_size=16, **changes)
    rng = np.random.default_rng(0)
    batches = [
        (rng.random((16, *w.dataset.shape)).astype(np.float32), rng.integers(0, 10, 16)) for _ in range(parity.STEPS)
    ]
    tensors = initial_tensors(w, 0)
    return parity.Case(w, tensors, batches, seed=0).arbiter(conventions), batches


def seen(ref):
    return {check: dict(arrays) for check, arrays in ref.trace.values.items()}


@pytest.mark.parametrize("key", ["mnist_mlp", "mnist_mlp_ablation/batchnorm"])
def test_the_reference_certifies_itself(key):
    ref, _ = arbiter(key)
    certificate = parity.judge(ref, seen(ref), [], batch_size=16)
    assert certificate.status == "ok"
    assert certificate.worst.error == 0


@pytest.mark.parametrize("check", ["forward", "loss", "gradient", "update", "evaluation", "transplanted_evaluation"])
def test_a_relative_error_of_a_hundredth_is_caught(check):
    ref, _ = arbiter("mnist_mlp")
    found = seen(ref)
    name = next(iter(found[check]))
    found[check][name] = found[check][name] * 1.01
    certificate = parity.judge(ref, found, [], batch_size=16)
    assert certificate.status == "parity_failed"
    assert name in certificate.reason


def test_the_other_form_of_the_running_variance_is_caught():
    ref, batches = arbiter("mnist_mlp_ablation/batchnorm")
    other = dataclasses.replace(TORCH, running_variance="biased")
    wrong = parity.trace(ref.workload, ref.initial, batches, other)
    certificate = parity.judge(ref, wrong.values, [], batch_size=16)
    assert certificate.status == "parity_failed"
    assert {t.check for t in certificate.tensors if not t.passed} >= {"running_statistics"}


def test_a_missing_or_infinite_tensor_fails():
    ref, _ = arbiter("mnist_mlp")
    found = seen(ref)
    found["gradient"].pop("fc1.weight")
    found["forward"]["logits"] = np.full_like(found["forward"]["logits"], np.inf)
    certificate = parity.judge(ref, found, [], batch_size=16)
    bad = {(t.check, t.tensor) for t in certificate.tensors if not t.passed}
    assert bad == {("gradient", "fc1.weight"), ("forward", "logits")}
    assert certificate.status == "parity_failed"


@pytest.mark.parametrize("key", WORKLOADS)
def test_tolerances_follow_the_references_own_sensitivity(key):
    ref, _ = arbiter(key)
    for names in ref.tolerance.values():
        assert all(parity.FLOOR <= t <= parity.CEILING for t in names.values())
    # Most of a certificate must be tight: half of all comparisons within a thousandth.
    every = sorted(t for names in ref.tolerance.values() for t in names.values())
    assert every[len(every) // 2] < 1e-3


# -- probes ------------------------------------------------------------------------------------------


def masks(rate, shape=(500, 800), seed=0):
    return (np.random.default_rng(seed).random(shape) >= rate).astype(np.float32) / np.float32(1 - rate)


def drop_workload():
    w = next(f.workload for f in discover() if f.workload.key == "mnist_mlp")
    assert [layer.rate for layer in w.layers if isinstance(layer, Dropout)] == [0.2, 0.5, 0.5]
    return w


def calls(a=(0.2, 1), b=(0.5, 2), c=(0.5, 3)):
    return {
        name: masks(rate, seed=seed) for name, (rate, seed) in zip(("drop1", "drop2", "drop3"), (a, b, c), strict=True)
    }


def failed(first, second):
    return {p.name for p in parity.dropout_probes(drop_workload(), first, second) if not p.passed}


def test_sound_dropout_passes():
    assert failed(calls(), calls((0.2, 4), (0.5, 5), (0.5, 6))) == set()


def test_dropout_faults_are_caught():
    again = calls((0.2, 4), (0.5, 5), (0.5, 6))
    assert failed(calls((0.21, 1)), again) == {"dropout drop1"}
    unscaled = calls()
    unscaled["drop2"] = (unscaled["drop2"] > 0).astype(np.float32)
    assert failed(unscaled, again) == {"dropout drop2"}
    shared = calls()
    shared["drop3"] = shared["drop2"]
    assert failed(shared, again) == {"dropout drop2 against drop3"}
    first = calls()
    assert failed(first, first) == {"dropout drop1", "dropout drop2", "dropout drop3"}
    assert failed({}, {}) == {"dropout drop1", "dropout drop2", "dropout drop3"}


def test_order_probe():
    assert parity.order_probe("aa", "aa").passed
    assert not parity.order_probe("aa", "ab").passed
