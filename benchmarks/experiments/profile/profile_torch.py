"""PyTorch's part of a profile: torch.profiler, and what torch.compile counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.experiments.profile.timeline import WINDOW, Event, Kind, Recorded
from benchmarks.frameworks.torch_modes import MODES

COPIES = ("aten::copy_", "aten::_to_copy", "aten::clone")
FIRST_LINE = 200  # letters of a reason


def on_gpu(adapter: Any) -> bool:
    return bool(adapter.device.type == "cuda")


def prepare(adapter: Any) -> None:
    """Let the C++ kernels that torch.compile generates name themselves; otherwise they are invisible."""
    torch._inductor.config.cpp.enable_kernel_profile = True


def record(adapter: Any, run: Callable[[], None], trace: Path) -> Recorded:
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu(adapter)
    with profile(activities=activities, acc_events=True) as seen:
        with record_function(WINDOW):
            run()
        adapter.synchronize()
    seen.export_chrome_trace(str(trace))
    events = list(_events(seen.events()))
    (window,) = (e for e in events if e.name == WINDOW and not e.device)
    return Recorded(events=events, window=(window.start, window.end))


def _events(seen: Any) -> Iterator[Event]:
    for e in seen:
        device = e.device_type == DeviceType.CUDA
        if device and e.is_user_annotation:
            continue  # the shadow of a host's range on the device
        kind = _kind_on_device(e.name) if device else _kind(e.name)
        lane = f"{'stream' if device else 'thread'} {e.device_resource_id if device else e.thread}"
        yield Event(e.name, kind, lane, e.time_range.start / 1e6, e.time_range.end / 1e6, device)


def _kind_on_device(name: str) -> Kind:
    return "copy" if name.startswith(("Memcpy", "Memset")) else "kernel"


@cache
def _kind(name: str) -> Kind:
    """Operators compute unless they only call others, make a view or take memory."""
    if name.startswith("cuda") and "Synchronize" in name:
        return "wait"
    if name in COPIES:
        return "copy"
    if "cpp_fused" in name:
        return "kernel"
    space, _, base = name.partition("::")
    packet = getattr(getattr(torch.ops, space), base, None) if base and space not in ("torch", "autograd") else None
    if packet is None or base.startswith(("empty", "resize")):
        return "host"
    calls_others = torch._C.DispatchKey.CompositeImplicitAutograd
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    # Others, such as the slice of a list, are TorchScript's own: the dispatcher does not know them.
    variants = [v for v in overloads if torch._C._dispatch_has_kernel(v.name())]
    passive = all(v.is_view or v.has_kernel_for_dispatch_key(calls_others) for v in variants)
    return "host" if passive else "kernel"


def _plain(reason: str) -> str:
    """In one line, without addresses, which differ from run to run."""
    return " ".join(re.sub(r" at 0x[0-9a-f]+", "", reason).split())


def compilation(adapter: Any, program: Any) -> dict[str, Any] | None:
    """torch.compile's own counts; a graph made again is one that Dynamo gave a reason to recompile for.

    No graph at all is an answer too: Dynamo leaves a frame that it cannot trace, such as one with nn.LSTM, to eager.
    """
    if not MODES[adapter.mode].compiles:
        return None
    counters = torch._dynamo.utils.counters
    graphs = int(counters["stats"]["unique_graphs"])
    metrics = torch._dynamo.utils.get_compilation_metrics()
    again = [m.recompile_reason for m in metrics if m.recompile_reason]
    reasons = [*counters["graph_break"], *again, *(() if graphs else counters["unimplemented"])]
    return {
        "graphs": graphs,
        "graph_breaks": sum(counters["graph_break"].values()),
        "recompiles": len(again),
        "reasons": list(dict.fromkeys(_plain(r)[:FIRST_LINE] for r in reasons)),
    }
