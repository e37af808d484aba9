"""``FusedAdam`` gives the numbers of Keras's own Adam, eager and in a graph, on variables of Keras and TensorFlow.

TensorFlow runs in a subprocess: this very file, started as a program.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STEPS, RATE = 30, 1e-2


def compare():
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.frameworks.tensorflow_adam import FusedAdam

    words = {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(np.float32) for shape in ((7, 5), (11,))]
    fed = [[rng.standard_normal(value.shape).astype(np.float32) for value in start] for _ in range(STEPS)]

    def keras_own(variables):
        optimiser = keras.optimizers.Adam(RATE, **words)
        optimiser.build(variables)
        return optimiser

    def fused(variables):
        return FusedAdam(RATE, **words, variables=variables)

    def trained(make, kind, wrap):
        variables = [kind(value) for value in start]
        optimiser = make(variables)
        take = wrap(lambda *gradients: optimiser.apply(gradients, variables))
        for i, gradients in enumerate(fed):
            optimiser.learning_rate.assign(RATE if i < STEPS // 2 else RATE / 10)
            take(*map(tf.constant, gradients))
        return np.concatenate([np.ravel(v.numpy()) - np.ravel(s) for v, s in zip(variables, start, strict=True)])

    theirs = trained(keras_own, keras.Variable, lambda f: f)
    out = {}
    for name, wrap in (("eager", lambda f: f), ("graph", tf.function)):
        for kind in (keras.Variable, tf.Variable):
            mine = trained(fused, kind, wrap)
            out[f"{name} {kind.__module__}"] = float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
    print("\n" + json.dumps(out))


@pytest.mark.framework
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_the_numbers_are_those_of_keras():
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    apart = json.loads(done.stdout.splitlines()[-1])
    assert len(apart) == 4
    assert max(apart.values()) < 1e-5, apart  # thirty float32 steps; another form of epsilon moves them by percents


if __name__ == "__main__":
    compare()
