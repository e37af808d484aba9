"""The modes of TensorLayerX, which chooses its backend when it is imported.

What compiles is traced anew in every process.
"""

from __future__ import annotations

from benchmarks.frameworks.modes import Mode

LABEL = "TensorLayerX"
REQUIRES = ("tensorlayerx",)
PACKAGES = ("torchvision", "six")
ON_TENSORFLOW, ON_TORCH = {"TL_BACKEND": "tensorflow"}, {"TL_BACKEND": "torch"}
MODES = {
    "eager": Mode(
        "eager",
        "TensorFlow backend: one tape step over TensorLayerX modules, loss and optimiser, from Python",
        usual=True,
        environment=ON_TENSORFLOW,
    ),
    "graph": Mode(
        "graph",
        "TensorFlow backend: tf.function of that whole step; also of evaluation",
        compiles="eager",
        environment=ON_TENSORFLOW,
    ),
    "trainonestep": Mode(
        "TrainOneStep",
        "TensorFlow backend: TensorLayerX's TrainOneStep, which reads the loss to the host each step",
        environment=ON_TENSORFLOW,
    ),
    "torch-eager": Mode(
        "eager (PyTorch)",
        "PyTorch backend: one autograd step over TensorLayerX modules, loss and optimiser, from Python",
        environment=ON_TORCH,
        excluded_by="TENSORFLOW_ONLY",
    ),
    "torch-trainonestep": Mode(
        "TrainOneStep (PyTorch)",
        "PyTorch backend: TensorLayerX's TrainOneStep, which reads the loss to the host each step",
        environment=ON_TORCH,
        excluded_by="TENSORFLOW_ONLY",
    ),
    "graph-onednn": Mode(
        "graph (oneDNN on)",
        "as graph, with oneDNN's kernels on every CPU (TF_ENABLE_ONEDNN_OPTS=1)",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment={**ON_TENSORFLOW, "TF_ENABLE_ONEDNN_OPTS": "1"},
    ),
    "graph-eigen": Mode(
        "graph (oneDNN off)",
        "as graph, without oneDNN's kernels (TF_ENABLE_ONEDNN_OPTS=0)",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment={**ON_TENSORFLOW, "TF_ENABLE_ONEDNN_OPTS": "0"},
    ),
    "xla": Mode(
        "XLA",
        "TensorFlow backend: tf.function(jit_compile=True) of that whole step; also of evaluation",
        tuned=True,
        compiles="eager",
        environment=ON_TENSORFLOW,
    ),
    "graph-tuned": Mode(
        "graph (tuned)",
        "as graph, the workload's tuned implementation",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment=ON_TENSORFLOW,
    ),
}
