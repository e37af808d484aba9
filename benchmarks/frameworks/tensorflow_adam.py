"""Keras's Adam, updated by TensorFlow's one operation a variable."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
    """``keras.optimizers.Adam`` with the same numbers, in one operation a variable instead of a dozen.

    Every step launches the dozen in eager mode, and walks through each variable several times in graph mode. XLA fuses
    Keras's own update, which therefore stays there (``xla``).
    """

    def __init__(self, *arguments: Any, xla: bool = False, **words: Any) -> None:
        super().__init__(*arguments, **words)
        self.fused = not xla

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        if self.fused:
            step = tf.cast(self.iterations + 1, tf.float32)
            self.betas = [tf.constant(beta, tf.float32) for beta in (self.beta_1, self.beta_2)]
            self.powers = [tf.pow(beta, step) for beta in self.betas]
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
        if not self.fused or isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[place]),
            v=_handle(self._velocities[place]),
            beta1_power=self.powers[0],
            beta2_power=self.powers[1],
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.betas[0],
            beta2=self.betas[1],
            epsilon=tf.constant(self.epsilon, tf.float32),
            grad=gradient,
        )
        return None


def _handle(variable: Any) -> Any:
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
