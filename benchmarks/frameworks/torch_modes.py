"""The modes of PyTorch."""

from __future__ import annotations

from benchmarks.frameworks.modes import Mode

LABEL = "PyTorch"
REQUIRES = ("torch",)
PACKAGES = ("torchvision", "triton")
MODES = {
    "eager": Mode("eager", "every operation dispatched from Python; PyTorch's own optimiser", usual=True),
    "compile": Mode(
        "compile",
        "torch.compile of the model, training and evaluation; loss and optimiser stay eager",
        compiles="eager",
        caches=True,
    ),
    "reduce-overhead": Mode(
        "compile (reduce-overhead)",
        "as compile, with torch.compile's mode of that name: CUDA graphs on a GPU, little on a CPU",
        tuned=True,
        compiles="eager",
        caches=True,
        twin_of="compile",
    ),
    "max-autotune": Mode(
        "compile (max-autotune)",
        "as compile, with torch.compile's mode of that name: kernels are chosen by timing them first",
        tuned=True,
        compiles="eager",
        caches=True,
        twin_of="compile",
    ),
    "compile-step": Mode(
        "compile (whole step)",
        "torch.compile of the whole step: forward, loss, backward and optimiser; also of evaluation",
        tuned=True,
        compiles="eager",
        caches=True,
        twin_of="compile",
    ),
    "compile-cpp": Mode(
        "compile (C++ wrapper)",
        "as compile, its kernels called from C++ instead of Python (TORCHINDUCTOR_CPP_WRAPPER=1)",
        tuned=True,
        compiles="eager",
        caches=True,
        twin_of="compile",
        environment={"TORCHINDUCTOR_CPP_WRAPPER": "1"},
    ),
    "eager-keepmem": Mode(
        "eager (freed memory kept)",
        "as eager, in a process that keeps freed memory (glibc's MALLOC_*_THRESHOLD_)",
        tuned=True,
        twin_of="eager",
        environment={"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"},
    ),
    "eager-tuned": Mode("eager (tuned)", "as eager, the workload's tuned implementation", tuned=True, twin_of="eager"),
    "compile-tuned": Mode(
        "compile (tuned)",
        "as compile, the workload's tuned implementation",
        tuned=True,
        compiles="eager-tuned",
        caches=True,
        twin_of="compile",
    ),
}
