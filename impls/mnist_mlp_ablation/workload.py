"""MNIST perceptrons 784-300-100-10, Liao's book, section 3.8: what ReLU and batch norm add.

Three variants of one network: ``linear`` (no activation), ``relu`` and
``batchnorm`` (batch norm, then ReLU, after each hidden layer).

Settled in the open:

* The book's text says 55,000 training images, its logs show 938 batches of 64, so 60,000:
  what its code did decides. Departure: its 938th batch holds the last 32 images; here they
  are dropped, others in each epoch, and an epoch has 937 steps.
* Weights and biases start uniform within ±1/sqrt(fan_in), PyTorch's default then and
  now. Batch norm's scale starts uniform on [0, 1), the default of the PyTorch 0.2 the
  book used; its shift starts at 0. ``cifar10_resnet``, of the same book, starts its scales
  at 1, today's default: two rules for one book.
* The book's ReLU works in place; ours writes a new tensor, with the same numbers. In
  PyTorch eager that costs memory traffic (docs/SPEED.md).
* Pixels are mapped to (byte / 255 - 0.5) / 0.5, that is to [-1, 1].
* Batch norm: momentum 0.1 in PyTorch's sense is decay 0.9 in TensorFlow's; epsilon 1e-5.
  The running variance is unbiased in PyTorch and biased in Keras and TensorLayerX (a
  factor 64/63 here); each is certified against its own form.
"""

from dataclasses import replace

from benchmarks.layers import BatchNorm, Dense, FanInUniform, Layer, ReLU, Uniform
from benchmarks.workload import (
    SGD,
    Accepted,
    BookFigure,
    Images,
    Recipe,
    SeedLocked,
    Source,
    Target,
    Unmeasured,
    Workload,
)


def dense(name: str, inputs: int, units: int) -> Dense:
    start = FanInUniform(fan_in=inputs)
    return Dense(name=name, units=units, weight=start, bias=start)


def norm(name: str) -> BatchNorm:
    return BatchNorm(name=name, momentum=0.1, epsilon=1e-5, weight=Uniform(low=0.0, high=1.0))


FC1, FC2, FC3 = dense("fc1", 784, 300), dense("fc2", 300, 100), dense("fc3", 100, 10)

LINEAR: tuple[Layer, ...] = (FC1, FC2, FC3)
RELU: tuple[Layer, ...] = (FC1, ReLU(), FC2, ReLU(), FC3)
BATCHNORM: tuple[Layer, ...] = (FC1, norm("bn1"), ReLU(), FC2, norm("bn2"), ReLU(), FC3)


WIDENED = "lowest to highest, widened by three standard errors (seeds' deviation or binomial, the larger)"
BOOK = f"real MNIST, 20 epochs; 3 seeds in torch eager, tensorflow xla, tensorlayerx graph; {WIDENED}"
SHORT = f"real MNIST, 2 epochs; 3 seeds in torch eager, tensorflow graph, tensorlayerx graph; {WIDENED}"
QUICK = f"embedded data, 4 epochs of 20,000; 5 seeds in torch eager, tensorflow graph, tensorlayerx graph; {WIDENED}"
APART = (
    "nothing is random beyond shared weights and order; three times the largest difference between two frameworks, one "
    "mode each, over the range's seeds, at least five images and 1e-6"
)


def locked(tolerance: float, loss: float, *references: float) -> SeedLocked:
    return SeedLocked(tolerance=tolerance, loss=loss, protocol=APART, references=references or None)


def recipes(
    *,
    book: tuple[float, float],
    short: tuple[float, float],
    quick: tuple[float, float],
    agreement: tuple[SeedLocked, SeedLocked, SeedLocked],
    target: Target | None = None,
) -> tuple[Recipe, ...]:
    """The same four recipes for every variant, each variant with its own measured ranges and agreement, in order."""
    ranges = zip((book, short, quick), (BOOK, SHORT, QUICK), strict=True)
    accepted = [Accepted(low=low, high=high, protocol=protocol) for (low, high), protocol in ranges]
    return (
        Recipe(name="book", data="real", epochs=20, accepted=accepted[0], agreement=agreement[0]),
        Recipe(name="short", data="real", epochs=2, accepted=accepted[1], agreement=agreement[1]),
        Recipe(
            name="quick",
            data="embedded",
            epochs=4,
            train_examples=20_000,
            test_examples=10_000,
            accepted=accepted[2],
            agreement=agreement[2],
            target=target,
        ),
        Recipe(
            name="smoke",
            data="embedded",
            epochs=1,
            train_examples=2_000,
            test_examples=1_000,
            accepted=Unmeasured(reason="a smoke run only shows that training runs"),
        ),
    )


BASE = Workload(
    name="mnist_mlp_ablation",
    variant="linear",
    title="MNIST MLP 784-300-100-10, linear",
    source=Source(book="Introduction to Deep Learning with PyTorch (Liao Xingyu, 2017)", section="3.8"),
    dataset=Images(name="mnist", shape=(784,), train_examples=60_000, mean=0.5, stddev=0.5),
    layers=LINEAR,
    parameter_count=266_610,
    optimiser=SGD(learning_rate=1e-2),
    batch_size=64,
    # Measured .9225 to .9245; .9063 to .9094; .5097 to .5170.
    recipes=recipes(
        book=(0.914, 0.933),
        short=(0.897, 0.919),
        quick=(0.494, 0.532),
        agreement=(
            locked(0.0005, 1e-6),
            locked(0.0005, 1e-6),
            locked(0.0005, 1e-6, 0.512, 0.5129, 0.5168, 0.517, 0.5097),
        ),
    ),
    book_figure=BookFigure(value=0.9198, what="test accuracy after 20 epochs"),
    quick=False,
)

WORKLOADS = (
    BASE,
    replace(
        BASE,
        variant="relu",
        title="MNIST MLP 784-300-100-10, ReLU",
        layers=RELU,
        # Measured .9686 to .9704; .9044 to .9102; .4778 to .4903.
        recipes=recipes(
            book=(0.963, 0.976),
            short=(0.895, 0.92),
            quick=(0.462, 0.506),
            agreement=(
                locked(0.002, 8e-4),
                locked(0.0006, 6e-5),
                locked(0.003, 2e-4, 0.4869, 0.4903, 0.4841, 0.4852, 0.4778),
            ),
        ),
        book_figure=BookFigure(value=0.9688, what="test accuracy after 20 epochs"),
    ),
    replace(
        BASE,
        variant="batchnorm",
        title="MNIST MLP 784-300-100-10, batch norm and ReLU",
        layers=BATCHNORM,
        parameter_count=267_410,
        # Measured .9778 to .9830; .9607 to .9626; .5235 to .5505.
        recipes=recipes(
            book=(0.97, 0.991),
            short=(0.954, 0.969),
            quick=(0.488, 0.586),
            agreement=(
                locked(0.003, 3e-3),
                locked(0.002, 3e-4),
                locked(0.004, 5e-5, 0.5277, 0.542, 0.55, 0.5236, 0.5468),
            ),
            target=Target(
                value=0.46,
                protocol="first reached after 752 to 893 of 1,124 steps, scored every 47, by seeds 0 to 2 in torch "
                "eager and in tensorflow graph, on the last 2,000 of 20,000 training images",
            ),
        ),
        book_figure=BookFigure(value=0.9811, what="test accuracy after 20 epochs"),
        quick=True,
    ),
)
