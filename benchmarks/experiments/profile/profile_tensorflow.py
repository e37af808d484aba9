"""TensorFlow's part of a profile: tf.profiler's own file, read without TensorBoard, and how often steps were traced.

What stands in it for a CPU, and how it is read:

* operators of a graph are events called ``node:Kind``, on whatever thread ran them;
* eager operators run in ``KernelAndDeviceFunc::Run`` inside ``EagerLocalExecute: Kind``;
* operators that XLA compiled carry ``hlo_op``; one that goes on in the thread pool is over when its ``end: name`` is;
* ``ParallelFor`` is the loop over threads inside an operator, on the same thread: part of it, not an event of its own;
* calls of functions (``__inference_...``, PartitionedCall, While) only contain others: host.

For a GPU, kernels and copies are the events of the device planes' lines called ``Stream``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.experiments.profile.timeline import WINDOW, Event, Kind, Recorded, write_chrome

END = "end: "
NOISE = ("ThreadpoolListener::", "ParallelFor", END)
CALLS = (
    *("__inference", "PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "If", "StatelessIf"),
    *("Case", "SymbolicGradient", "XlaLaunch", "_XlaCompile", "_XlaRun"),
)
PASSIVE = {
    *("ReadVariableOp", "VarHandleOp", "Identity", "IdentityN", "Reshape", "Squeeze", "ExpandDims", "Const", "NoOp"),
    *("Shape", "ShapeN", "Size", "Rank", "StopGradient", "PreventGradient", "BroadcastGradientArgs", "_Arg", "_Retval"),
    *("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond", "ResourceGather_shape", "Placeholder"),
}
COPIES = {"Copy", "CopyHost", "DeepCopy", "_Send", "_Recv", "_HostSend", "_HostRecv", "copy", "Snapshot"}
WAITS = ("Synchronize", "SyncDevice")
EAGER, KERNEL = "EagerLocalExecute: ", "KernelAndDeviceFunc::Run"


def on_gpu(adapter: Any) -> bool:
    return bool(adapter.gpu)


def prepare(adapter: Any) -> None:
    """Nothing has to be set before the model is built."""


def record(adapter: Any, run: Callable[[], None], trace: Path) -> Recorded:
    options = tf.profiler.experimental.ProfilerOptions(
        host_tracer_level=2, python_tracer_level=0, device_tracer_level=int(adapter.gpu)
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options)
        try:
            with tf.profiler.experimental.Trace(WINDOW):
                run()
        finally:
            tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        for path in sorted(Path(folder).rglob("*.xplane.pb")):
            space.MergeFromString(path.read_bytes())
    events = [event for plane in space.planes for event in read(plane)]
    write_chrome(events, trace)
    (window,) = (e for e in events if e.name == WINDOW and not e.device)
    return Recorded(events=events, window=(window.start, window.end))


def read(plane: Any) -> Iterator[Event]:
    """Events of one plane; those that only mark instants or the thread pool's work are left out."""
    device = plane.name.startswith("/device:GPU")
    if not (device or plane.name.startswith("/host:")):
        return
    lines = {line.id: [_Raw(plane, line, event) for event in line.events] for line in plane.lines}
    ends = {raw.stats.get("_c"): raw.end for raws in lines.values() for raw in raws if raw.name.startswith(END)}
    for line in plane.lines:
        if device and not line.name.startswith("Stream"):
            continue  # the same kernels once more, grouped
        yield from _of_line(lines[line.id], f"{plane.name} {line.name or line.id}", device, ends)


class _Raw:
    """An event with its metadata at hand; times in seconds."""

    def __init__(self, plane: Any, line: Any, event: Any) -> None:
        metadata = plane.event_metadata[event.metadata_id]
        self.name, self.display = metadata.name, metadata.display_name
        self.start = line.timestamp_ns / 1e9 + event.offset_ps / 1e12
        self.end = self.start + event.duration_ps / 1e12
        values = ((s, s.WhichOneof("value")) for s in event.stats)
        self.stats = {plane.stat_metadata[s.metadata_id].name: getattr(s, name) for s, name in values if name}


def _of_line(raws: list[_Raw], lane: str, device: bool, ends: dict[Any, float]) -> Iterator[Event]:
    inside: list[_Raw] = []
    for raw in sorted(raws, key=lambda r: (r.start, -r.end)):
        while inside and inside[-1].end <= raw.start:
            inside.pop()
        inside.append(raw)
        if raw.end <= raw.start or raw.name.startswith(NOISE):
            continue
        name, kind = _device_event(raw) if device else _host_event(raw, inside)
        end = ends.get(raw.stats.get("_p"), raw.end) if "hlo_op" in raw.stats else raw.end
        # What outlasts its own event runs beside whatever this thread does next.
        yield Event(name, kind, lane if end <= raw.end else f"{lane} {name}", raw.start, max(end, raw.end), device)


def _device_event(raw: _Raw) -> tuple[str, Kind]:
    return raw.name, "copy" if raw.name.startswith(("Memcpy", "Memset")) else "kernel"


def _host_event(raw: _Raw, inside: list[_Raw]) -> tuple[str, Kind]:
    if any(word in raw.name for word in WAITS):
        return raw.name, "wait"
    if "hlo_op" in raw.stats:
        return _operator(re.sub(r"(\.\d+)+$", "", raw.name))
    if raw.display and raw.name.endswith(f":{raw.display}"):
        return _operator(raw.display)
    if raw.name == KERNEL:
        around = (r.name.removeprefix(EAGER) for r in reversed(inside) if r.name.startswith(EAGER))
        return _operator(next(around, KERNEL))
    return raw.name, "host"


def _operator(name: str) -> tuple[str, Kind]:
    if name in PASSIVE or name == KERNEL or name.startswith(CALLS):
        return name, "host"
    return name, "copy" if name in COPIES else "kernel"


def compilation(adapter: Any, program: Any) -> dict[str, Any] | None:
    """How often the training step was traced; a tf.function has no graph breaks."""
    step = getattr(program, "train_steps", program.train_step)
    if not hasattr(step, "experimental_get_tracing_count"):
        return None
    traces = int(step.experimental_get_tracing_count())
    return {"graphs": traces, "graph_breaks": None, "recompiles": max(0, traces - 1)}
