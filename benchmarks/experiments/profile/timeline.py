"""A profiled stretch of time: events of all threads and streams, and how they split it. Framework-free, in seconds.

Every instant of the stretch belongs to one of four:

* **kernels**: an operator that computes is running, on whatever thread or stream;
* **copies**: none is, but data are being moved, between host and device or from one layout or type to another;
* **idle**: neither, and nobody works. On a GPU: the host waits in a synchronising call although the device has nothing
  to do. On a CPU nothing waits for a device; where the process used less CPU time than has passed, the time that it
  cannot have run (it waited, or others had the CPU) is taken to be spread evenly, and idle is what of it lies here;
* **host**: the rest. Python, the framework's dispatch, views, allocation, gaps between operators.

On a CPU an operator's own time includes the microseconds of its own dispatch, so there kernels are an upper bound. An
operator that calls others has for its own only the time in which none of them runs.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["kernel", "copy", "host", "wait"]
Span = tuple[float, float]

WINDOW = "the steps themselves: Python between operators"  # the event that spans them; its own time is that


@dataclass(frozen=True)
class Event:
    """``lane`` is a thread or a stream; ``device``: on a GPU. A wait is a host call that waits for the device."""

    name: str
    kind: Kind
    lane: str
    start: float
    end: float
    device: bool = False


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a framework's profiler saw; ``window`` spans the steps alone."""

    events: list[Event]
    window: Span


@dataclass(frozen=True, kw_only=True)
class Operator:
    """All calls of one name together; ``seconds`` without those of operators called from within."""

    name: str
    kind: Literal["kernel", "copy", "host"]
    seconds: float
    calls: int


def union(spans: Iterable[Span]) -> list[Span]:
    """Disjoint spans in order."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def common(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """Where both are; both disjoint and in order."""
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            out.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return out


def length(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)


def own_spans(events: Iterable[Event]) -> Iterator[tuple[Event, list[Span]]]:
    """Each event with the spans in which no event inside it runs on the same lane."""
    lanes: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        lanes[event.lane].append(event)
    for lane in lanes.values():
        inside: dict[int, list[Span]] = defaultdict(list)
        lane.sort(key=lambda e: (e.start, -e.end))
        open_: list[int] = []
        for index, event in enumerate(lane):
            while open_ and lane[open_[-1]].end <= event.start:
                open_.pop()
            if open_:
                inside[open_[-1]].append((event.start, min(event.end, lane[open_[-1]].end)))
            open_.append(index)
        for index, event in enumerate(lane):
            yield event, _without((event.start, event.end), union(inside[index]))


def _without(span: Span, holes: Sequence[Span]) -> list[Span]:
    out, at = [], span[0]
    for start, end in holes:
        if start > at:
            out.append((at, start))
        at = max(at, end)
    if span[1] > at:
        out.append((at, span[1]))
    return out


def split(recorded: Recorded, *, device: bool, cpu_seconds: float) -> dict[str, float]:
    """Seconds of the window by kind; they add up to ``wall``. ``cpu_seconds``: of the process, all threads."""
    window, wall = [recorded.window], length([recorded.window])
    spans: dict[str, list[Span]] = defaultdict(list)
    for event, own in own_spans(recorded.events):
        if event.kind == "wait" or event.device is device:
            spans[event.kind] += own
    kernels = common(union(spans["kernel"]), window)
    busy = common(union(spans["kernel"] + spans["copy"]), window)
    rest = wall - length(busy)
    if device:
        waited = common(union(spans["wait"]), window)
        idle = length(waited) - length(common(waited, busy))
    else:
        idle = rest * max(0.0, 1 - cpu_seconds / wall)
    return {
        "wall": wall,
        "kernels": length(kernels),
        "copies": length(busy) - length(kernels),
        "idle": idle,
        "host": rest - idle,
    }


def operators(recorded: Recorded, *, device: bool) -> list[Operator]:
    """By name, longest first. On a GPU kernels and copies are the device's; host is always the host's.

    Of what the host does only the time counts in which no kernel and no copy runs: the rest costs nothing.
    """
    found: dict[tuple[str, Any], list[float]] = defaultdict(list)
    window, owned = [recorded.window], list(own_spans(recorded.events))
    working = [(e, own) for e, own in owned if e.device is device and e.kind in ("kernel", "copy")]
    busy = union(span for _, own in working for span in own)
    for event, own in working:
        if seen := common(own, window):
            found[event.name, event.kind].append(length(seen))
    for event, own in owned:
        if event.kind in ("host", "wait") and not event.device:
            alone = length(common(own, window)) - length(common(common(own, window), busy))
            if alone > 0:
                found[event.name, "host"].append(alone)
    out = [Operator(name=n, kind=k, seconds=sum(s), calls=len(s)) for (n, k), s in found.items()]
    return sorted(out, key=lambda o: -o.seconds)


def write_chrome(events: Iterable[Event], path: Path) -> None:
    """A trace that chrome://tracing and Perfetto open, gzipped."""
    lanes: dict[tuple[bool, str], int] = {}
    lines: list[dict[str, Any]] = []
    for event in events:
        lane = lanes.setdefault((event.device, event.lane), len(lanes))
        place = {"pid": int(event.device), "tid": lane}
        times = {"ts": event.start * 1e6, "dur": (event.end - event.start) * 1e6}
        lines.append({"ph": "X", "name": event.name, "cat": event.kind, **place, **times})
    names = [
        {"ph": "M", "name": "thread_name", "pid": int(device), "tid": number, "args": {"name": name}}
        for (device, name), number in lanes.items()
    ]
    with gzip.open(path, "wt", encoding="utf-8") as out:
        json.dump({"traceEvents": names + lines}, out)
