"""A soft-max regression with a NumPy implementation, one variant per way to go wrong."""

from dataclasses import replace

from benchmarks.layers import Constant, Dense, TruncatedNormal
from benchmarks.workload import SGD, Accepted, Images, Recipe, Source, Target, Workload

BASE = Workload(
    name="toy",
    variant="sound",
    title="Soft-max regression",
    source=Source(book="none", section="none"),
    dataset=Images(name="mnist", shape=(784,), train_examples=600),
    layers=(Dense(name="fc", units=10, weight=TruncatedNormal(stddev=0.05), bias=Constant(value=0.1)),),
    parameter_count=7_850,
    optimiser=SGD(learning_rate=0.01),
    batch_size=50,
    recipes=(
        Recipe(
            name="smoke",
            data="embedded",
            epochs=2,
            train_examples=600,
            test_examples=200,
            accepted=Accepted(low=0.0, high=1.0, protocol="any accuracy: the toy shows the engine, not the model"),
            target=Target(value=0.02, protocol="far below chance: reached at the first evaluation"),
        ),
    ),
)

WAYS = ("raises", "dies", "killed", "hangs", "memory", "double_loss", "slow")
IMPOSSIBLE = Accepted(low=0.999, high=1.0, protocol="deliberately out of reach")
OUT_OF_REACH = Target(value=1.0, protocol="deliberately out of reach")

WORKLOADS = (
    BASE,
    *(replace(BASE, variant=way) for way in WAYS),
    replace(BASE, variant="hopeless", recipes=(replace(BASE.recipes[0], accepted=IMPOSSIBLE, target=OUT_OF_REACH),)),
)
