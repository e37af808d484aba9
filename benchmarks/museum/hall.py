"""The parent's side of an exhibit: workers for it, and what its ``look`` may ask of them."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import museum
from benchmarks.engine.certify import certify
from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much a visit measures. ``pairs`` of blocks of ``seconds``; ``launches``: fresh processes where an exhibit
    is about them; ``seeds``: trainings; ``distinct``: batches that are never seen twice in a block, or hardly."""

    pairs: int
    seconds: float
    launches: int
    seeds: int
    distinct: int
    first_steps: int


AMOUNTS = {
    "smoke": Amounts(pairs=2, seconds=0.005, launches=1, seeds=1, distinct=12, first_steps=3),
    "quick": Amounts(pairs=7, seconds=0.25, launches=3, seeds=3, distinct=512, first_steps=100),
}

LEAD_IN = 3  # untimed steps before a block


class Room:
    """One case being looked at. Its worker is started when it is first needed and serves the next case of its stack."""

    def __init__(self, ctx: Context, entry: Entry, planned: Planned, place: museum.Place, exhibit: str) -> None:
        self._ctx, self._entry, self._planned = ctx, entry, planned
        self.workload, self.place, self.exhibit = entry.sized, place, exhibit
        self.amounts = AMOUNTS[ctx.request.profile]
        self.threads = ctx.request.threads
        self.affinity = ctx.plan.affinity
        self.recipe = ctx.request.recipe
        self._launch: Launch | None = None
        self._others: list[Launch] = []  # of this visit, idle while this room's worker is timed
        self._built = False

    def lend(self, launch: Launch | None) -> None:
        """A worker of the same stack that another case has left; it is built anew when it is needed."""
        self._launch = launch

    @property
    def launch(self) -> Launch:
        if self._launch is None:
            self._launch = self._started()
        if not self._built:
            self._built = True
            self.ask("build")
        return self._launch

    @property
    def held(self) -> Launch | None:
        """The worker, if there is one yet."""
        return self._launch

    def _started(self) -> Launch:
        workers = self._ctx.workers
        started = workers.start(self._entry, self._planned, name=self.exhibit)
        try:
            workers.greet(started)
        except WorkerError as error:
            error.log_tail = workers.log_tail(started.process)
            workers.stop(started.process)
            raise
        return started

    @contextmanager
    def launched(self) -> Iterator[Room]:
        """The same room with a fresh worker of its own, its compile caches empty."""
        other = Room(self._ctx, self._entry, self._planned, self.place, self.exhibit)
        other._others = [self._launch] if self._launch else []
        with tempfile.TemporaryDirectory(dir=self._ctx.workers.scratch) as caches:
            fresh = self._ctx.workers.fresh(self._entry, self._planned, self.exhibit, caches=Path(caches))
            with fresh as launch:
                other.lend(launch)
                yield other

    # -- what looks may ask --------------------------------------------------------------------------

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Any request that a worker of a run answers, such as build, warm_up or block."""
        return self.launch.ask(command, **fields)

    def inside(self, **fields: Any) -> dict[str, Any]:
        """What the exhibit's own ``inside`` answers."""
        others = [other.process.pid for other in self._others]
        return self.ask("benchmarks.museum.inside", exhibit=self.exhibit, others=others, **fields)

    def by_turns(self, **fields: Any) -> dict[str, Any]:
        """``inside`` with the amounts that :func:`benchmarks.museum.inside.by_turns` needs."""
        return self.inside(pairs=self.amounts.pairs, seconds=self.amounts.seconds, **fields)

    def block(self, steps: int) -> dict[str, Any]:
        """One block of ``steps``, as a run times it."""
        return timed_block(self.launch, self._others, steps=steps, lead_in=LEAD_IN).model_dump(mode="json")

    def certificates(self, **fields: Any) -> dict[str, Any]:
        """Fields ``sound`` and ``faulty``; where the place is judged. ``fields`` go to ``inside``."""
        if not self.place.judged:
            return {}
        sound = self._certificate()
        self.inside(what="put in", **fields)
        faulty = self._certificate()
        self.inside(what="take out", **fields)
        return {"sound": sound, "faulty": faulty}

    def _certificate(self) -> dict[str, Any]:
        self._ctx.report(f"{self.workload.key}  {self.exhibit}  parity certificate")
        found = certify(self._ctx, self.launch)
        assert found is not None
        failed = [t.check for t in found.tensors if not t.passed] + [p.name for p in found.probes if not p.passed]
        return {"status": found.status, "reason": found.reason, "failed": list(dict.fromkeys(failed))}

    def scores(self) -> dict[str, Any]:
        """Field ``scores``, where the place trains: the recipe from a few seeds, right and wrong."""
        if not self.place.trained:
            return {}
        seeds = list(range(self.amounts.seeds))
        found: dict[str, list[float]] = {}
        for side, what in (("right", "take out"), ("wrong", "put in")):
            self._ctx.report(f"{self.workload.key}  {self.exhibit}  training, {side}")
            self.inside(what=what)
            found[side] = [self.inside(what="train", seed=s, recipe=self.recipe)["metric"] for s in seeds]
        self.inside(what="take out")
        kept = {"metric": self.workload.metric, "recipe": self.recipe, "seeds": seeds}
        return {"scores": kept | found | {"optimum": self._ctx.data(self._entry).optimum}}
