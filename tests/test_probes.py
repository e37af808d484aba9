"""The probes beside the certificate: dropout layers on ones, and the order of the samples."""

import numpy as np

from benchmarks.certificate import parity
from benchmarks.layers import Dropout
from benchmarks.workload import discover


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
