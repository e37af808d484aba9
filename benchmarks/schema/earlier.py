"""What modes were called and did while results did not say so themselves (before December 2026).

Read only where a stack of a result file is not described; it does not change with the frameworks of this version.
"""

from __future__ import annotations

from typing import Any

FRAMEWORKS = {"torch": "PyTorch", "tensorflow": "TensorFlow", "tensorlayerx": "TensorLayerX"}
LABELS = {
    "xla": "XLA",
    "trainonestep": "TrainOneStep",
    "torch-trainonestep": "TrainOneStep (PyTorch)",
    "torch-eager": "eager (PyTorch)",
    "reduce-overhead": "compile (reduce-overhead)",
    "max-autotune": "compile (max-autotune)",
    "compile-step": "compile (whole step)",
    "compile-cpp": "compile (C++ wrapper)",
    "eager-keepmem": "eager (freed memory kept)",
    "graph-multi": "graph (8 steps a call)",
    "graph-onednn": "graph (oneDNN on)",
    "graph-eigen": "graph (oneDNN off)",
    "graph-autocluster": "graph (XLA auto-clustering)",
}
CACHED = ("compile", "reduce-overhead", "max-autotune", "compile-step", "compile-cpp")  # of PyTorch
TRACED = ("graph", "xla", "graph-multi", "graph-onednn", "graph-eigen", "graph-autocluster")  # on TensorFlow
SWITCHED = ("graph-onednn", "graph-eigen")


def described(framework: str, mode: str) -> dict[str, Any]:
    """Return the fields of ``Described`` for a mode; of one that is not known here its name."""
    base = mode.removesuffix("-tuned")
    caches = framework == "torch" and base in CACHED
    traces = framework in ("tensorflow", "tensorlayerx") and base in TRACED
    return {
        "framework": FRAMEWORKS.get(framework, framework),
        "mode": LABELS.get(base, base) + (" (tuned)" if base != mode else ""),
        "compiles": ("eager-tuned" if base != mode else "eager") if caches else "eager" if traces else "",
        "caches": caches,
        "twin_of": base.partition("-")[0] if base in SWITCHED else "",
    }
