"""Adam by TensorFlow's one operation a variable, for tuned implementations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class FusedAdam:
    """Adam with the numbers of Keras's, in one operation a variable (``tf.raw_ops.ResourceApplyAdam``).

    Keras's own is written in a dozen operations a variable: each is launched in eager mode, and a graph walks through
    each variable several times. XLA fuses Keras's, and has no need of this one.
    """

    def __init__(self, learning_rate: float, beta_1: float, beta_2: float, epsilon: float, variables: Sequence[Any]):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        self.betas, self.epsilon = (tf.constant(beta_1), tf.constant(beta_2)), tf.constant(epsilon)
        self.step = tf.Variable(0.0, trainable=False)
        self.moments = [[tf.Variable(tf.zeros(v.shape), trainable=False) for _ in range(2)] for v in variables]

    def apply(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        """Update ``variables``, those the optimiser was made for in the same order, from dense ``gradients``."""
        step = self.step.assign_add(1.0)
        powers = [tf.pow(beta, step) for beta in self.betas]
        for gradient, variable, (first, second) in zip(gradients, variables, self.moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=resource(variable),
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=tf.convert_to_tensor(self.learning_rate),
                beta1=self.betas[0],
                beta2=self.betas[1],
                epsilon=self.epsilon,
                grad=gradient,
            )


def resource(variable: Any) -> Any:
    """The handle of a variable of TensorFlow or Keras, as ``tf.raw_ops`` take it."""
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle
