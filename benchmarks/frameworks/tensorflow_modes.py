"""The modes of TensorFlow. What compiles is traced anew in every process."""

from __future__ import annotations

from benchmarks.frameworks.modes import Mode

LABEL = "TensorFlow"
REQUIRES = ("tensorflow",)
PACKAGES = ("tensorflow-cpu", "keras", "ml-dtypes", "protobuf", "wrapt")
MODES = {
    "eager": Mode("eager", "every operation dispatched from Python"),
    "graph": Mode(
        "graph",
        "tf.function of the whole step: forward, loss, backward and optimiser; also of evaluation",
        usual=True,
        compiles="eager",
    ),
    "xla": Mode("XLA", "tf.function(jit_compile=True) of the whole step; also of evaluation", compiles="eager"),
    "graph-multi": Mode(
        "graph (8 steps a call)",
        "one tf.function takes eight stacked batches and loops over the whole step; evaluation as graph",
        tuned=True,
        compiles="eager",
        twin_of="graph",
    ),
    "graph-onednn": Mode(
        "graph (oneDNN on)",
        "as graph, with oneDNN's kernels on every CPU (TF_ENABLE_ONEDNN_OPTS=1)",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment={"TF_ENABLE_ONEDNN_OPTS": "1"},
    ),
    "graph-eigen": Mode(
        "graph (oneDNN off)",
        "as graph, without oneDNN's kernels (TF_ENABLE_ONEDNN_OPTS=0)",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
    ),
    "graph-autocluster": Mode(
        "graph (XLA auto-clustering)",
        "as graph, XLA compiling the clusters that it finds (tf_xla_auto_jit)",
        tuned=True,
        compiles="eager",
        twin_of="graph",
        environment={"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"},
    ),
    "graph-tuned": Mode(
        "graph (tuned)",
        "as graph, the workload's tuned implementation",
        tuned=True,
        compiles="eager",
        twin_of="graph",
    ),
    "xla-tuned": Mode(
        "XLA (tuned)", "as xla, the workload's tuned implementation", tuned=True, compiles="eager", twin_of="xla"
    ),
}
