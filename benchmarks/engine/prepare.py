"""Arrays of one workload variant for the workers, and the data's facts for the journal."""

from __future__ import annotations

import shutil

from benchmarks import data, tasks
from benchmarks.engine.context import Context
from benchmarks.engine.journal import DataPrepared
from benchmarks.engine.plan import Entry
from benchmarks.schema.results import Data
from benchmarks.tasks import inputs


def prepare(ctx: Context, entry: Entry) -> None:
    """Lay out the arrays that every worker reads; raise DataError where they are not those that the run began with."""
    workload, folder = entry.sized, ctx.workers.inputs
    recipe = workload.recipe(ctx.request.recipe)
    loaded = data.load(
        workload.dataset,
        source=ctx.request.data,
        seed=ctx.request.seed,
        train_examples=recipe.train_examples,
        test_examples=recipe.test_examples,
    )
    sizes: dict[str, int] = {split: len(loaded.arrays[split]) for split in ("train", "test") if split in loaded.arrays}
    if short := tasks.too_short(workload, sizes):
        raise data.DataError(short)
    known = ctx.journal.data(entry.key)
    if known and known.digest != loaded.digest:
        began, now = known.description, loaded.description
        raise data.DataError(f"{entry.key}: the run began with other data ({began}) than there are now ({now})")
    shutil.rmtree(folder, ignore_errors=True)  # another workload's arrays have other names
    inputs.save_arrays(folder, tasks.prepare(workload, recipe, loaded.arrays))
    if not known:
        facts = Data(
            workload=entry.workload,
            variant=entry.variant,
            source=ctx.request.data,
            description=loaded.description,
            train_examples=loaded.train_examples,
            test_examples=loaded.test_examples,
            digest=loaded.digest,
            optimum=loaded.optimum,
            corpus=loaded.corpus,
        )
        ctx.journal.add(DataPrepared(key=entry.key, data=facts))
