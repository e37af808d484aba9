"""A step that does nothing: what is left when it is timed is the engine's own cost."""

from benchmarks.layers import Constant, Dense
from benchmarks.workload import SGD, Images, Recipe, Source, Unmeasured, Workload

ZERO = Constant(value=0.0)

WORKLOADS = (
    Workload(
        name="noop",
        title="No operation",
        source=Source(book="none", section="none"),
        dataset=Images(name="mnist", shape=(784,), train_examples=256),
        layers=(Dense(name="fc", units=10, weight=ZERO, bias=ZERO),),
        parameter_count=7_850,
        optimiser=SGD(learning_rate=0.0),
        batch_size=8,
        recipes=(
            Recipe(
                name="smoke",
                data="embedded",
                epochs=1,
                train_examples=256,
                test_examples=64,
                accepted=Unmeasured(reason="nothing is learnt"),
            ),
        ),
    ),
)
