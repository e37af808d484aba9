"""Word2Vec skip-gram with noise-contrastive estimation in TensorLayerX. TensorLayer book, section 5.3.

layer       output           parameters
input       (N,)
embedding   (N, 128)          6,400,000
nce         (N, 1 + S)        6,450,000
                             12,850,000
"""

import tensorflow as tf  # the tape and Adagrad on rows: TensorLayerX has none of its own
import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.errors import Unavailable
from benchmarks.workload import Workload


class SkipGram(nn.Module):
    def __init__(self, words: int):
        super().__init__()
        self.embedding = nn.Embedding(words, 128)
        # As TensorLayerX's documentation has a layer make its weights.
        self.nce_weight = self._get_weights("nce_weight", shape=(words, 128))
        self.nce_bias = self._get_weights("nce_bias", shape=(words,))

    def forward(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        hidden = self.embedding(centre)  # (N, 128)
        weight, bias = tlx.gather(self.nce_weight, context), tlx.gather(self.nce_bias, context)  # (N, 128), (N,)
        true = tlx.reduce_sum(hidden * weight, 1) + bias - log_true  # (N,)
        noise = tlx.matmul(hidden, tlx.gather(self.nce_weight, negatives), transpose_b=True)  # (N, S)
        noise = noise + tlx.gather(self.nce_bias, negatives) - log_negatives  # (N, S)
        return tlx.concat([tlx.expand_dims(true, 1), noise], 1)  # (N, 1 + S)


class Adagrad(tf.compat.v1.train.AdagradOptimizer):
    """TensorFlow 1's, as TensorLayer's own example has it: it sums repeated rows and updates only those of the batch.

    TensorLayerX's is Keras's, which squares repeated rows one by one and goes through the whole table.
    """

    def __init__(self, learning_rate: float, initial_accumulator: float):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        super().__init__(self.learning_rate, initial_accumulator)


def build(workload: Workload) -> SkipGram:
    return SkipGram(1_000 if workload.variant == "planted" else 50_000)


def optimizer(workload: Workload, model: SkipGram):
    if model.jit_compile:
        raise Unavailable("XLA has no kernel for the sparse Adagrad of TensorFlow")
    return Adagrad(workload.optimiser.learning_rate, workload.optimiser.initial_accumulator)


def loss(model: SkipGram, centre, context, negatives, log_true, log_negatives):
    logits = model(centre, context, negatives, log_true, log_negatives)  # (N, 1 + S)
    n, negative = logits.shape[0], logits.shape[1] - 1  # N, S
    signs = tlx.concat([-tlx.ones((n, 1)), tlx.ones((n, negative))], 1)  # (N, 1 + S): the first is true
    each = tlx.reduce_sum(tlx.softplus(signs * logits), 1)  # (N,)
    return tlx.reduce_mean(each)  # ()


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


def predict(model: SkipGram, words):  # (N,)
    rows = tlx.l2_normalize(model.embedding.embeddings, axis=1)  # (V, 128)
    return tlx.matmul(tlx.gather(rows, words), rows, transpose_b=True)  # (N, V)
