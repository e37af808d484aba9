"""Whether a framework works here, asked in a process: ``python -m benchmarks.worker.probe NAME DEVICE MODE...``

The last line it prints is JSON: mode -> why it cannot run, an empty string where it can.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

from benchmarks.errors import Unavailable


def probe(framework: str, device: str, modes: list[str]) -> dict[str, str]:
    """Import the adapter, construct it in each mode and multiply two small matrices on the device."""
    built = None
    reasons = {}
    try:
        import numpy as np

        module = importlib.import_module(f"benchmarks.frameworks.{framework}_adapter")
    except (Exception, SystemExit) as error:
        return dict.fromkeys(modes, _sentence(error))
    for mode in modes:
        try:
            built = module.Adapter(mode=mode, device=device, threads=1, seed=0)
            reasons[mode] = ""
        except (Exception, SystemExit) as error:
            reasons[mode] = _sentence(error)
    if built is not None:
        try:
            built.matmul(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
        except Exception as error:
            reasons = {mode: reason or _sentence(error) for mode, reason in reasons.items()}
    return reasons


def _sentence(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return str(error)  # a sentence already
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], sys.argv[2], sys.argv[3:])), flush=True)
    os._exit(0)  # skip the frameworks' slow tear-down, and what they print there
