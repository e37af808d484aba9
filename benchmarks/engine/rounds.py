"""The rounds of a pass: one timed block of every stack, one stack at a time; disturbed rounds are measured again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.engine.context import Context
from benchmarks.engine.journal import BlockTimed
from benchmarks.engine.orders import round_orders
from benchmarks.engine.plan import Entry
from benchmarks.engine.workers import Launch
from benchmarks.machine import cpu_speed, gpu
from benchmarks.machine.disturbance import is_disturbed, process_cpu_seconds
from benchmarks.schema.results import Block

IDLE_POLL, IDLE_SHARE, IDLE_CEILING = 0.02, 0.05, 2.0  # seconds, share of one CPU, seconds
GPU_LEAD_IN = 0.3  # seconds of untimed steps, so that an idle GPU's clocks have risen


def measure_rounds(ctx: Context, entry: Entry, index: int, launches: Sequence[Launch]) -> None:
    """Planned rounds in balanced orders, then repeats of disturbed ones for all stacks, in the same order each.

    A stack that fails is left out of the remaining rounds. Repeats end when as many rounds as were planned are quiet,
    or when the profile's budget is used up.
    """
    planned, rounds = ctx.request.rounds, _Rounds(ctx, index, launches)
    orders = round_orders(len(launches), planned, seed=ctx.request.seed, workload=entry.key, pass_index=index)
    label = f"{entry.key}  pass {index + 1}/{max(index + 1, ctx.passes(entry))}"
    waiting = []
    for number, order in enumerate(orders):
        ctx.report(f"{label}  round {number + 1}/{planned}")
        if rounds.measure(number, order):
            waiting.append(number)
    for extra in range(ctx.profile.extra_rounds(planned)):
        if not waiting or not rounds.left:
            break
        repeated = waiting.pop(0)
        ctx.report(f"{label}  round {repeated + 1}/{planned} again: it was disturbed")
        if rounds.measure(planned + extra, orders[repeated], repeats=repeated):
            waiting.append(repeated)
    if waiting and rounds.left:
        ctx.report(f"{label}  {len(waiting)} of {planned} rounds stay disturbed")


class _Rounds:
    """What rounds of one pass share: the workers, and which of them are still good."""

    def __init__(self, ctx: Context, index: int, launches: Sequence[Launch]) -> None:
        self.ctx, self.index, self.launches = ctx, index, list(launches)
        self.disturbed = False

    @property
    def left(self) -> list[Launch]:
        return [launch for launch in self.launches if not launch.ended]

    def measure(self, number: int, order: Sequence[int], *, repeats: int | None = None) -> bool:
        """One round; whether any block of it was disturbed."""
        self.ctx.on_round(self.index, number)
        self.disturbed = False
        for position, i in enumerate(order):
            launch = self.launches[i]
            if launch.ended:
                continue
            others = [other for other in self.left if other is not launch]
            with self.ctx.workers.guard(launch):
                self._block(launch, others, number, position, repeats)
        return self.disturbed

    def _block(self, launch: Launch, others: list[Launch], number: int, position: int, repeats: int | None) -> None:
        ctx, cuda = self.ctx, launch.stack.device == "cuda"
        waited = wait_until_idle(others)
        loop_before = cpu_speed.slowest(cpus := ctx.plan.affinity[: ctx.request.threads])
        lead = launch.ask("lead_in", steps=ctx.profile.lead_in, seconds=GPU_LEAD_IN if cuda else 0.0)
        gpu_before = gpu.before() if cuda else None
        idle_before, own_before = cpu_seconds(others), time.process_time()
        answer = launch.ask("block", steps=ctx.profile.steps(launch.step_seconds))
        idle = max(0.0, cpu_seconds(others) - idle_before)
        busy, own = answer.get("busy_seconds"), answer["cpu_seconds"]
        parent = time.process_time() - own_before
        foreign = None if busy is None else max(0.0, busy - own - idle - parent)
        loop_after = cpu_speed.slowest(cpus)
        seen = gpu.evidence(gpu_before, own=[x.process.pid for x in (launch, *others)]) if cuda else {}
        # A stack that has become faster since its warm-up still gets blocks of the declared length.
        launch.step_seconds = min(launch.step_seconds, answer["seconds"] / answer["steps"])
        told = ("steal_seconds", "throttled_seconds", "cpu_throttles")
        disturbed = is_disturbed(
            foreign,
            seconds=answer["seconds"],
            cpus=max(1, ctx.request.threads),
            **{name: seen.get(name) for name in gpu.MARKS},
            **{name: answer.get(name) for name in told},
        )
        self.disturbed = self.disturbed or disturbed
        block = {
            "round": number,
            "position": position,
            "seconds": answer["seconds"],
            "steps": answer["steps"],
            "lead_in_steps": lead["steps"],
            "cpu_seconds": own,
            "evidence": {
                "foreign_cpu_seconds": foreign,
                "idle_worker_cpu_seconds": idle,
                "idle_wait_seconds": waited,
                "loop_seconds": None if loop_before is None or loop_after is None else (loop_before, loop_after),
                **{name: answer.get(name) for name in (*told, "stat_cpus", "pressure_seconds", "involuntary_switches")},
                **seen,
            },
            "disturbed": disturbed,
            "repeats": repeats,
        }
        ctx.journal.add(BlockTimed(**launch.named, block=Block.model_validate(block)))


def wait_until_idle(others: list[Launch]) -> float:
    """Wait until the other workers use no CPU, two seconds at most; seconds waited."""
    start = time.monotonic()
    used = cpu_seconds(others)
    while others and time.monotonic() - start < IDLE_CEILING:
        time.sleep(IDLE_POLL)
        now_used = cpu_seconds(others)
        if now_used - used < IDLE_SHARE * IDLE_POLL:
            break
        used = now_used
    return time.monotonic() - start


def cpu_seconds(launches: Sequence[Launch]) -> float:
    """What the workers have used of the CPUs since they started."""
    return sum(process_cpu_seconds(launch.process.pid) or 0.0 for launch in launches)
