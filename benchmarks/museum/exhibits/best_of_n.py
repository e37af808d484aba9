"""The fastest of many steps is reported."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.museum.schema import Case
    from benchmarks.worker.session import Session

TITLE = "Best of N"
RIGHT, WRONG = "median of single steps", "the fastest of them"
MISTAKE = (
    "The minimum looks like the time without interference. But nobody ever gets it: training takes the sum of all "
    "steps. It falls with the number of tries, so whoever tries more often wins, and it rests on one sample, so it "
    "hides how a stack varies: a steady stack and one with rare lucky steps change places."
)
PREVENTED = (
    "Medians of blocks within a pass, geometric means over passes, and equally many blocks of every stack. The "
    "smallest sample is never a figure; all samples are kept."
)
PLACES = (
    Place("mnist_mlp_ablation/batchnorm", "torch:eager"),
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
)
FEW, MANY, DRAWS, NEAR = 10, 100, 4000, 0.02


def look(room: Room) -> dict[str, Any]:
    steps = MANY if room.amounts.seconds >= 0.1 else FEW
    return room.inside(repetitions=room.amounts.pairs, steps=steps)


def inside(session: Session, *, repetitions: int, steps: int) -> dict[str, Any]:
    from benchmarks.museum.inside import sample

    session.steps(steps)
    right, wrong, series = [], [], []
    for _ in range(repetitions):
        one: list[float] = []

        def singly(count: int, one: list[float] = one) -> float:
            one += [session.steps(1) for _ in range(count)]
            return sum(one)

        seen = sample(session, singly, steps) | {"steps": 1}
        right.append(seen | {"seconds": median(one)})
        wrong.append(seen | {"seconds": min(one)})
        series.append(one)
    return {"right": right, "wrong": wrong, "single_steps": series}


def remark(case: Case) -> str:
    """What minima and medians of draws from one and the same process say of each other."""
    steps = np.concatenate([np.asarray(one) for one in case.single_steps])
    rng = np.random.default_rng(0)
    few, again = rng.choice(steps, (2, DRAWS, FEW))
    many = rng.choice(steps, (DRAWS, MANY))
    told = {
        name: (summary(few, axis=1) / summary(again, axis=1), summary(few, axis=1) / summary(many, axis=1))
        for name, summary in (("best", np.min), ("median", np.median))
    }

    def apart(ratios: Any) -> str:
        return f"{float(np.mean(np.abs(np.log(ratios)) > np.log1p(NEAR))):.0%}"

    def lead(ratios: Any) -> str:
        return f"{float(np.median(ratios)) - 1:+.1%}".replace("-", "−")

    (best, best_unequal), (middle, middle_unequal) = told["best"], told["median"]
    return (
        f"The stack against itself, {DRAWS:,} draws from its {len(steps):,} single steps: two bests of {FEW} differ by "
        f"more than {NEAR:.0%} in {apart(best)} of the draws, two medians of {FEW} in {apart(middle)}. Against a side "
        f"with {MANY} tries, the best of {FEW} is {lead(best_unequal)} off in the middle of the draws, and more than "
        f"{NEAR:.0%} off in {apart(best_unequal)}; the median of {FEW} is {lead(middle_unequal)} off, and in "
        f"{apart(middle_unequal)}."
    )
