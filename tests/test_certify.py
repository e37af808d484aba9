"""Probes of the certificate that look at what a worker sends back."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.certificate.judge import Fed, dropout_at_work, rest_probe
from benchmarks.certificate.reference import Reference
from benchmarks.frameworks.base import Conventions
from benchmarks.tasks import inputs
from benchmarks.workload import discover

MLP = next(f.workload for f in discover() if f.workload.key == "mnist_mlp")
TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")


def test_weights_with_a_gradient_of_zero_must_stay():
    assert rest_probe(0.0).passed
    moved = rest_probe(1.5e-7)
    assert not moved.passed
    assert "1.5e-07" in moved.detail


@pytest.fixture
def fed(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "train_x": rng.random((1_000, 784), np.float32),
        "train_y": rng.integers(0, 10, 1_000),
        "test_x": rng.random((10, 784), np.float32),
        "test_y": rng.integers(0, 10, 10),
    }
    inputs.save_arrays(tmp_path, arrays)
    return Fed(MLP, tmp_path, seed=0, batch_size=16)


def loss_without_dropout(fed):
    plain = MLP.without_dropout()
    return Reference(plain, inputs.initial_tensors(plain, 0), TORCH).gradients(*fed.timed)[1]


def test_every_dropout_layer_must_draw_by_itself(fed):
    loss = loss_without_dropout(fed)
    drawn = {
        "": np.array([loss * 1.01, loss * 0.98]),
        "drop1": np.array([loss * 1.001, loss * 0.999]),
        "drop2": np.array([loss, loss]),  # left out of the model
        "drop3": np.array([loss * 1.01, loss * 1.01]),  # the same mask twice
    }
    probes = dropout_at_work(fed, SimpleNamespace(conventions=TORCH), drawn)
    assert {p.name: p.passed for p in probes} == {
        "dropout at work": True,
        "dropout drop1 at work": True,
        "dropout drop2 at work": False,
        "dropout drop3 at work": False,
    }
    assert "drop2 alone" in probes[2].detail
