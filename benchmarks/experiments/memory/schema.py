"""What the part ``memory`` finds for one stack."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.experiments import typed
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Strict, field

TITLE = "Memory"
QUESTION = "peak memory of training, alone on the machine; on a GPU also the largest batch"


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    steps: int = field("training steps taken after the first call, in whole calls", gt=0)
    imported_resident: int = field("bytes resident after importing the framework: the baseline", gt=0)
    build_peak_resident: int | None = field("peak resident bytes while building; None where not offered", default=None)
    training_peak_resident: int | None = field("peak resident bytes of all steps; None where not offered", default=None)
    training_peak_device: int | None = field("peak device bytes by the framework's own counter", default=None)
    largest_batch: int | None = field(
        "largest power of two that a GPU trained, doubling from the timed batch; None on a CPU, whose system would "
        "rather swap or kill than refuse",
        default=None,
    )
    refused_batch: int | None = field("first batch for which the device had too little memory", default=None)

    @property
    def above_baseline(self) -> int | None:
        """Peak resident bytes that building and training took beyond the imported framework."""
        peaks = [p for p in (self.build_peak_resident, self.training_peak_resident) if p is not None]
        return max(peaks) - self.imported_resident if peaks else None


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    device = answer.stack.split(":")[2]
    if (value.training_peak_device is not None) != (device == "cuda"):
        yield f"device bytes of a stack on {device} are {value.training_peak_device}"
    if value.above_baseline is not None and value.above_baseline < 0:
        yield "its peak lies below its own baseline"
    if value.largest_batch is not None and value.largest_batch < value.batch_size:
        yield "its largest batch is smaller than the one it trained"
    if value.refused_batch is not None and value.refused_batch <= (value.largest_batch or 0):
        yield "it refused a batch no larger than one it trained"


def words(value: Value) -> str:
    above = value.above_baseline
    text = "resident memory is not offered here" if above is None else f"{above / 2**20:,.0f} MiB above the import"
    text += f" ({value.imported_resident / 2**20:,.0f} MiB)"
    if value.training_peak_device is not None:
        text += f", {value.training_peak_device / 2**20:,.0f} MiB on the device"
    return text + (f", largest batch {value.largest_batch:,}" if value.largest_batch else "")
