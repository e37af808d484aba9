"""A soft-max regression in NumPy whose peers do the same, half the work, other work, or raise."""

from benchmarks.layers import Constant, Dense, TruncatedNormal
from benchmarks.workload import SGD, Images, Recipe, Source, Unmeasured, Workload

WORKLOADS = (
    Workload(
        name="toy",
        title="Soft-max regression",
        source=Source(book="none", section="none"),
        dataset=Images(name="mnist", shape=(784,), train_examples=600),
        layers=(Dense(name="fc", units=10, weight=TruncatedNormal(stddev=0.05), bias=Constant(value=0.1)),),
        parameter_count=7_850,
        optimiser=SGD(learning_rate=0.01),
        batch_size=50,
        recipes=(Recipe(name="smoke", data="embedded", epochs=1, accepted=Unmeasured(reason="an example")),),
    ),
)
