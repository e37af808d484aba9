"""Skip-gram after the tutorial of TensorLayerX's predecessor.

From the source: the mean of ``tf.nn.nce_loss`` inside the model, a tape, ``trainable_weights`` asked for in every step,
Keras's Adagrad with its default epsilon (here through TensorLayerX's class of that name), similarities of l2-normalised
rows. Declared instead: negatives are given, not drawn in the step.
"""

import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx import nn

SOURCE = (
    "TensorLayer tutorial `word2vec_basic`",
    "https://github.com/tensorlayer/TensorLayer/blob/master/examples/text_word_embedding/tutorial_word2vec_basic.py",
)
MODES = ("eager",)
DIFFERS = (
    "Keras's Adagrad squares repeated rows of a batch one by one and adds 1e-7 below the root; ours sums them first, "
    "as declared."
)


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50_000, 128)
        self.nce_weight = self._get_weights("nce_weight", shape=(50_000, 128))
        self.nce_bias = self._get_weights("nce_bias", shape=(50_000,))

    def forward(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        each = tf.nn.nce_loss(
            weights=self.nce_weight,
            biases=self.nce_bias,
            labels=context[:, None],
            inputs=self.embedding(centre),
            num_sampled=64,
            num_classes=50_000,
            sampled_values=(negatives, tf.exp(log_true)[:, None], tf.exp(log_negatives)),  # it takes their logarithms
        )
        return tf.reduce_mean(each)


def build(workload):
    return SkipGram()


def optimizer(workload, model):
    adagrad = workload.optimiser
    return tlx.optimizers.Adagrad(adagrad.learning_rate, initial_accumulator=adagrad.initial_accumulator)


def loss(model, *batch):
    return model(*batch)


def train_step(model, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)
    gradients = tape.gradient(value, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return value


def predict(model, words):  # (N,)
    unit = tlx.l2_normalize(model.embedding.embeddings, axis=1)
    return tlx.matmul(tlx.gather(unit, words), unit, transpose_b=True)  # (N, V)
