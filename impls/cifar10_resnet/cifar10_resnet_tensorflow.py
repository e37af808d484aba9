"""CIFAR-10 residual networks in TensorFlow and Keras. Liao's book, section 4.7; PyTorch 2.0 book, 7.2.

layer              20 layers         parameters   ResNet-18          parameters
input              (N, 32, 32, 3)                 (N, 32, 32, 3)
conv1, bn1         (N, 32, 32, 16)          464   (N, 32, 32, 64)         1,856
blocks, 1st width  (N, 32, 32, 16)       14,016   (N, 32, 32, 64)       147,968
blocks, 2nd width  (N, 16, 16, 32)       56,064   (N, 16, 16, 128)      525,568
blocks, 3rd width  (N, 8, 8, 64)        221,760   (N, 8, 8, 256)      2,099,712
blocks, 4th width                                 (N, 4, 4, 512)      8,393,728
average            (N, 64)                        (N, 512)
fc                 (N, 10)                  650   (N, 10)                 5,130
                                        292,954                      11,173,962
"""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.workload import Workload


def conv(filters: int, kernel: int = 3, stride: int = 1):
    """With a stride 'same' would pad right and below only, so :func:`pad` has padded on all sides before."""
    return layers.Conv2D(filters, kernel, stride, padding="same" if stride == 1 else "valid", use_bias=False)


def pad(x, kernel: int):
    edge = kernel // 2
    return ops.pad(x, [[0, 0], [edge, edge], [edge, edge], [0, 0]])


def norm():
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


class Block(layers.Layer):
    def __init__(self, inputs: int, filters: int, stride: int, shortcut_kernel: int):
        super().__init__()
        self.strided, self.shortcut_kernel = stride > 1, shortcut_kernel
        self.conv1 = conv(filters, stride=stride)
        self.bn1 = norm()
        self.conv2 = conv(filters)
        self.bn2 = norm()
        self.shortcut = stride > 1 or inputs != filters
        if self.shortcut:
            self.shortcut_conv = conv(filters, shortcut_kernel, stride)
            self.shortcut_bn = norm()

    def call(self, x, training=False):  # (N, H, W, C)
        out = self.conv1(pad(x, 3) if self.strided else x)  # (N, H/s, W/s, F)
        out = ops.relu(self.bn1(out, training=training))  # (N, H/s, W/s, F)
        out = self.bn2(self.conv2(out), training=training)  # (N, H/s, W/s, F)
        if self.shortcut:
            x = self.shortcut_conv(pad(x, self.shortcut_kernel) if self.strided else x)  # (N, H/s, W/s, F)
            x = self.shortcut_bn(x, training=training)  # (N, H/s, W/s, F)
        return ops.relu(out + x)  # (N, H/s, W/s, F)


class ResNet(keras.Model):
    def __init__(self, widths: tuple[int, ...], blocks: int, shortcut_kernel: int):
        super().__init__()
        self.conv1 = conv(widths[0])
        self.bn1 = norm()
        inputs, self.count = widths[0], 0
        for stage, filters in enumerate(widths):
            for i in range(blocks):
                self.count += 1
                block = Block(inputs, filters, 2 if stage and i == 0 else 1, shortcut_kernel)
                setattr(self, f"block{self.count}", block)
                inputs = filters
        self.fc = layers.Dense(10)

    def call(self, x, training=False):  # (N, 32, 32, 3)
        x = ops.relu(self.bn1(self.conv1(x), training=training))  # (N, 32, 32, width)
        for i in range(self.count):
            x = getattr(self, f"block{i + 1}")(x, training=training)  # (N, H, W, width)
        x = ops.mean(x, axis=(1, 2))  # (N, width)
        return self.fc(x)  # (N, 10)


def build(workload: Workload) -> ResNet:
    if workload.variant == "resnet18":
        model = ResNet((64, 128, 256, 512), blocks=2, shortcut_kernel=1)
    else:
        model = ResNet((16, 32, 64), blocks=3, shortcut_kernel=3)
    model(keras.Input((32, 32, 3)))  # makes the variables
    return model


def optimizer(workload: Workload, model: ResNet):
    adam = workload.optimiser
    out = keras.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, epsilon=adam.epsilon)
    out.build(model.trainable_variables)
    return out


def loss(model: ResNet, x, y):
    logits = model(x, training=True)  # (N, 10)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))  # ()


def train_step(model: ResNet, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return value


def predict(model: ResNet, x):
    return model(x, training=False)  # (N, 10)
