"""CIFAR-10 ResNet of 20 layers after TensorFlow's official one (its version 1).

From the source: channels last on a CPU, padding that does not hang on the image's size, the shortcut first,
``fused=True`` batch norm (its comment points to TensorFlow's performance guide), mean over height and width,
``compat.v1`` loss. ``tf.layers`` no longer exists, so its batch norm is written out: one operation, averages moved by
``assign_sub``. Declared instead: 3×3 convolutions in two shortcuts (the source has 1×1 in all three stages), decay 0.9,
and its ``AdamOptimizer`` for momentum with weight decay.
"""

import tensorflow as tf
from keras import layers

SOURCE = (
    "tensorflow/models `official/r1/resnet`",
    "https://github.com/tensorflow/models/blob/master/official/r1/resnet/resnet_model.py",
)
MODES = ("graph",)
DIFFERS = ""


def conv(filters, strides=1):
    padding = "SAME" if strides == 1 else "VALID"
    return layers.Conv2D(filters, 3, strides, padding=padding, use_bias=False)


def run_conv(convolution, x):
    """Padding does not hang on the size of the input."""
    if convolution.strides[0] > 1:
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return convolution(x)


def run_norm(norm, x, training):
    """TensorFlow's one operation; the running averages move by assign_sub, as tf.layers moves them."""
    mean, variance = (None, None) if training else (norm.moving_mean.value, norm.moving_variance.value)
    out, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, norm.gamma.value, norm.beta.value, mean, variance, epsilon=norm.epsilon, is_training=training
    )
    if training:
        for moving, now in ((norm.moving_mean.value, mean), (norm.moving_variance.value, variance)):
            moving.assign_sub((moving - now) * 0.1)
    return out


def norm(channels):
    out = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    out.build((None, None, None, channels))
    return out


class Block:
    def __init__(self, inputs, filters, strides):
        self.conv1, self.bn1 = conv(filters, strides), norm(filters)
        self.conv2, self.bn2 = conv(filters), norm(filters)
        if strides > 1 or inputs != filters:
            self.shortcut_conv, self.shortcut_bn = conv(filters, strides), norm(filters)

    def __call__(self, x, training):
        shortcut = x
        if hasattr(self, "shortcut_conv"):
            shortcut = run_norm(self.shortcut_bn, run_conv(self.shortcut_conv, x), training)
        x = tf.nn.relu(run_norm(self.bn1, run_conv(self.conv1, x), training))
        x = run_norm(self.bn2, run_conv(self.conv2, x), training)
        return tf.nn.relu(x + shortcut)


class ResNet:
    def __init__(self):
        self.conv1, self.bn1, self.fc, inputs = conv(16), norm(16), layers.Dense(10), 16
        self.blocks = []
        for number in range(9):
            filters = (16, 32, 64)[number // 3]
            self.blocks.append(Block(inputs, filters, 2 if number in (3, 6) else 1))
            setattr(self, f"block{number + 1}", self.blocks[-1])
            inputs = filters
        self.trained = None

    def __call__(self, x, training=False):  # (N, 32, 32, 3)
        x = tf.nn.relu(run_norm(self.bn1, run_conv(self.conv1, x), training))
        for block in self.blocks:
            x = block(x, training)
        return self.fc(tf.reduce_mean(x, [1, 2]))  # (N, 10)


def build(workload):
    model = ResNet()
    with tf.GradientTape() as tape:  # makes the variables, and names them
        model(tf.zeros((1, 32, 32, 3)), training=False)
    model.trained = list(tape.watched_variables())
    return model


def optimizer(workload, model):
    adam = workload.optimiser
    return tf.compat.v1.train.AdamOptimizer(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon)


def loss(model, x, y):
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(labels=y, logits=model(x, training=True))


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    optimizer.apply_gradients(zip(tape.gradient(value, model.trained), model.trained, strict=True))
    return value


def predict(model, x):
    return model(x, training=False)
