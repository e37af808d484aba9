"""Ask each stack, alone, for its step time and for the machine's ceilings as it meets them; count what a step is."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks import tasks
from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each
from benchmarks.machine.computer import memory_available
from benchmarks.protocol.profiles import POOL
from benchmarks.workload import flops

START_SECONDS = 6.0
COMPILE_SECONDS = 25.0
ELASTIC = 4.0  # a stream or product that takes longer than a repetition should, by so much


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """``sizes`` of products by device; ``repetitions`` of ``seconds`` each; ``warm`` seconds at most before blocks.

    ``stream_bytes`` per array; None: several times the last-level caches.
    """

    sizes: dict[str, tuple[int, ...]]
    stream_bytes: int | None
    repetitions: int
    seconds: float
    blocks: int
    warm: float


AMOUNTS = {
    "smoke": Amounts(
        sizes={"cpu": (256, 512), "cuda": (1024, 2048)},
        stream_bytes=16 << 20,
        repetitions=3,
        seconds=0.02,
        blocks=2,
        warm=0.1,
    ),
    "quick": Amounts(
        sizes={"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)},
        stream_bytes=None,
        repetitions=5,
        seconds=0.2,
        blocks=5,
        warm=3.0,
    ),
    "full": Amounts(
        sizes={"cpu": (512, 1024, 2048, 4096), "cuda": (2048, 4096, 8192, 16384)},
        stream_bytes=None,
        repetitions=7,
        seconds=0.3,
        blocks=10,
        warm=6.0,
    ),
}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    amounts = AMOUNTS[plan.options.profile]
    repeated = len(amounts.sizes[planned.stack.device]) + 3  # copy, add, smallest step
    total = START_SECONDS + amounts.warm + amounts.seconds * (amounts.blocks + amounts.repetitions * repeated)
    total += ELASTIC * amounts.seconds * amounts.repetitions
    return total + (COMPILE_SECONDS if planned.stack.known.caches else 0.0)


def measure(ctx: Context, entry: Entry) -> None:
    amounts = AMOUNTS[ctx.request.profile]
    workload = entry.sized
    batches = tasks.first(tasks.task(workload, ctx.workers.inputs, ctx.request.seed), POOL)
    rows = flops.touched_rows(workload, [batch.arrays for batch in batches])
    counted = dataclasses.asdict(flops.count(workload, rows))
    own = {name: counted.pop(name) for name in ("bytes", "operators")}

    def ask(launch: Launch) -> dict[str, Any]:
        value: dict[str, Any] = launch.ask(
            f"{__package__}.worker",
            framework=launch.stack.framework,
            sizes=amounts.sizes[launch.stack.device],
            stream_bytes=amounts.stream_bytes,
            free_bytes=memory_available(),
            repetitions=amounts.repetitions,
            seconds=amounts.seconds,
            blocks=amounts.blocks,
            warm=amounts.warm,
        )
        smallest = value["smallest"]
        each_operator, together = smallest.pop("per_operator"), smallest.pop("together")
        smallest["launches"] = own["operators"] if each_operator else 1.0 / together
        return value | own | {"batch_size": entry.batch_size, "touched_rows": rows, "flops": counted}

    each(ctx, entry, "limits", ask)
