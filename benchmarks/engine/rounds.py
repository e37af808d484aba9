"""The rounds of a pass: one timed block of every stack, one stack at a time; disturbed rounds are measured again."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.engine.context import Context
from benchmarks.engine.journal import BlockTimed
from benchmarks.engine.orders import round_orders
from benchmarks.engine.plan import Entry
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.workers import Launch
from benchmarks.schema.samples import RoundBlock


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
        profile = self.ctx.profile
        timed = timed_block(launch, others, steps=profile.steps(launch.step_seconds), lead_in=profile.lead_in)
        # A stack that has become faster since its warm-up still gets blocks of the declared length.
        launch.step_seconds = min(launch.step_seconds, timed.step_seconds)
        self.disturbed = self.disturbed or timed.disturbed
        block = RoundBlock(**dict(timed), round=number, position=position, repeats=repeats)
        self.ctx.journal.add(BlockTimed(**launch.named, block=block))
