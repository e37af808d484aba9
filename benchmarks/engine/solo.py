"""``--solo``: the top stacks of a workload measured again, one worker on the machine at a time."""

from __future__ import annotations

from benchmarks.analysis.solo import top
from benchmarks.engine.assemble import rows
from benchmarks.engine.context import Context
from benchmarks.engine.journal import PassMade, SoloChosen, SoloPassMade
from benchmarks.engine.orders import launch_order
from benchmarks.engine.passes import together
from benchmarks.engine.plan import Entry


def measure_isolated(ctx: Context, entry: Entry) -> None:
    """Every pass that the journal does not hold yet, of the stacks on top; their choice is kept."""
    if not ctx.journal.of(SoloChosen, key=entry.key):
        ctx.journal.add(SoloChosen(key=entry.key, stacks=top(rows(ctx.plan, entry, ctx.journal))))
    keys = ctx.journal.of(SoloChosen, key=entry.key)[-1].stacks
    planned = [p for p in entry.runnable() if p.stack.key in keys]
    for index in range(len(ctx.journal.of(PassMade, key=entry.key))):
        if ctx.journal.of(SoloPassMade, key=entry.key, index=index):
            continue
        for i in launch_order(len(planned), seed=ctx.request.seed, workload=f"{entry.key}!alone", pass_index=index):
            together(ctx, entry, index, [planned[i]], interleaved=False, solo=True)
        ctx.journal.add(SoloPassMade(key=entry.key, index=index))
