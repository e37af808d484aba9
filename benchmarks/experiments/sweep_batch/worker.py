"""Inside the worker: the program again, for another batch size."""

from __future__ import annotations

import dataclasses
import gc
from typing import Any

from benchmarks.worker.session import Session


def answer(session: Session, *, batch_size: int) -> dict[str, Any]:
    """Whatever has the batch in its shape (batches, an LSTM's state) is made anew; weights are the shared ones."""
    session.workload = dataclasses.replace(session.workload, batch_size=batch_size)
    built = session.do_build()
    gc.collect()  # the program before this one holds itself in cycles, and its memory with it
    return built
