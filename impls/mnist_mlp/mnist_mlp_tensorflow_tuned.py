"""MNIST multilayer perceptron with dropout in TensorFlow, tuned. TensorLayer book, section 2.6.

Beside the documented implementation: Adam in one operation a variable, freed memory kept, oneDNN on.
"""

from mnist_mlp_tensorflow import MLP, build, loss, predict, train_step

from benchmarks.frameworks.tensorflow_adam import FusedAdam
from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


def optimizer(workload: Workload, model: MLP):
    adam = workload.optimiser
    return FusedAdam(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, model.trainable_variables)
