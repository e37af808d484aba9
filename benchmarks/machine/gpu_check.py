"""Is there an NVIDIA GPU? Standard library only: asked before gigabytes are installed, and before a worker is started.

Run as a script it says so in one sentence and exits with 1 where there is none.
"""

from __future__ import annotations

import ctypes
import os
import sys


def missing_gpu() -> str:
    """Why no NVIDIA GPU can be used here, in a sentence; empty where one can."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    try:
        nvml = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:
        return "this machine has no NVIDIA GPU with a driver"
    count = ctypes.c_uint(0)
    if error := nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return f"the NVIDIA driver is installed but does not answer (NVML error {error})"
    return "" if count.value else "the NVIDIA driver sees no GPU"


if __name__ == "__main__":
    if reason := missing_gpu():
        sys.exit(f"No GPU benchmark here: {reason}.")
