"""``FusedAdam`` gives the numbers of Keras's own Adam, eager, in a graph, under XLA and for rows of a table.

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
    rows = np.array([0, 3, 3], np.int64)

    def trained(optimiser, wrap, sparse):
        variables = [keras.Variable(value) for value in start]
        optimiser.build(variables)

        def step(table, vector):
            first = tf.IndexedSlices(tf.gather(table, rows), rows, (7, 5)) if sparse else table
            optimiser.apply([first, vector], variables)

        take = wrap(step)
        for table, vector in fed:
            optimiser.learning_rate.assign(RATE)
            take(tf.constant(table), tf.constant(vector))
        return np.concatenate([np.ravel(v.numpy()) - np.ravel(s) for v, s in zip(variables, start, strict=True)])

    out = {}
    for name, wrap, jit in (
        ("eager", lambda f: f, False),
        ("graph", tf.function, False),
        ("xla", lambda f: tf.function(f, jit_compile=True), True),
    ):
        for sparse in (False, True):
            mine = trained(FusedAdam(RATE, **words, xla=jit), wrap, sparse)
            theirs = trained(keras.optimizers.Adam(RATE, **words), wrap, sparse)
            key = f"{name} {'rows' if sparse else 'dense'}"
            out[key] = float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
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
    assert len(apart) == 6
    assert max(apart.values()) < 1e-5, apart  # thirty float32 steps; another form of epsilon moves them by percents


if __name__ == "__main__":
    compare()
