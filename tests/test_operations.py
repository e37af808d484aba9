"""Operators of a step against the declaration, with lists made by hand: what passes, and what is flagged."""

import dataclasses

import pytest
from test_flops import conv, dense, net

from benchmarks.layers import Flatten, MaxPool2D, ReLU
from benchmarks.workload import discover, flops
from benchmarks.workload.operations import (
    LARGE,
    TOLERANCE,
    UNDECLARED,
    Array,
    Operator,
    compare,
    convolution,
    matmul,
    needs,
)

DECLARED = {found.workload.key: found.workload for found in discover()}
LSTM, SKIPGRAM = DECLARED["lstm_text"], DECLARED["word2vec"]
MLP = net((6,), dense("a", 8), ReLU(), dense("b", 10))
IMAGES = net((8, 8, 3), conv("c", 5), MaxPool2D(size=2), Flatten(), dense("d", 10))


def made(*shape):
    values = 1
    for extent in shape:
        values *= extent
    return Array(shape, 4 * values)


def product(rows, inner, columns):
    return Operator("mm", ((rows, inner), (inner, columns)), (made(rows, columns),), (matmul(rows, inner, columns),))


def convolved(*extents):
    return Operator("conv", (), (), (convolution(*extents),))


def layer(rows, inner, columns, *, first=False):
    """Forward, weight gradient and, unless it is the first layer, input gradient."""
    forward, weight = product(rows, inner, columns), product(inner, rows, columns)
    return [forward, weight, *([] if first else [product(rows, columns, inner)])]


def mlp():
    return [*layer(4, 6, 8, first=True), *layer(4, 8, 10)]


def images():
    one = convolved(4, (8, 8), (3, 3), 3, 5)
    return [one, one, *layer(4, 80, 10)]


def cell(steps=20, inner=200):
    """An LSTM of N = 20, 200 units, in one product for inputs and one for states at each of ``steps``."""
    return [one for _ in range(steps) for _ in range(2) for one in layer(20 * 20 // steps, inner, 800)]


def kinds(workload, operators):
    return [flag.kind for flag in compare(workload, operators)]


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_needs_are_the_products_that_flops_counts(key):
    assert 2 * sum(need.multiply_adds for need in needs(DECLARED[key])) == flops.count(DECLARED[key]).products


def test_the_declared_products_pass():
    assert compare(MLP, mlp()) == []
    assert compare(IMAGES, images()) == []
    noise = product(128, 128, 64)
    assert compare(SKIPGRAM, [noise] * 3) == []


@pytest.mark.parametrize("steps", [1, 20])
def test_an_lstm_may_be_one_product_or_one_for_each_step(steps):
    assert compare(LSTM, [*cell(steps), *layer(400, 200, 10_000)]) == []


def test_an_lstm_may_join_input_and_state_and_its_output_layer_go_step_by_step():
    joined = [one for _ in range(20) for one in layer(20, 400, 800)]
    assert compare(LSTM, [*joined, *(one for _ in range(20) for one in layer(20, 200, 10_000))]) == []


def test_a_dense_layer_fed_three_axes_is_caught():
    """What TensorFlow makes of it: one weight for all rows forward, a weight gradient for each row backward."""

    def batched(a, b, out, *extents):
        return Operator("BatchMatMulV2", (a, b), (made(*out),), (matmul(*extents, batch=20),), batched=True)

    slip = [
        batched((20, 20, 200), (200, 10_000), (20, 20, 10_000), 20, 200, 10_000),
        batched((20, 20, 10_000), (200, 10_000), (20, 20, 200), 20, 10_000, 200),
        batched((20, 20, 200), (20, 20, 10_000), (20, 200, 10_000), 200, 20, 10_000),
    ]
    found = compare(LSTM, [*cell(), *slip])
    assert [flag.kind for flag in found] == ["rank", "rank", "rank", "size"]  # the multiply-adds are as declared
    assert "makes 160 MB, 10.0 times the largest array of the declaration (16 MB)" in found[-1].sentence
    assert "BatchMatMulV2 (20, 20, 200) x (20, 20, 10000)" in found[-1].sentence


def test_a_product_done_twice_or_left_out_is_caught():
    (twice,) = compare(MLP, [*mlp(), product(4, 8, 10)])
    assert (twice.kind, twice.subject) == ("multiply-adds", "b")
    assert "1.33 times as much as declared" in twice.sentence
    (gradient,) = compare(MLP, [*mlp(), product(4, 8, 6)])
    assert "a multiplies 1.50 times" in gradient.sentence
    (missing,) = compare(MLP, mlp()[:-1])
    assert "b multiplies 0.67 times" in missing.sentence


def test_layers_whose_products_look_alike_are_one():
    alike = net((8,), dense("a", 8), dense("b", 8), dense("c", 10))
    steps = [*layer(4, 8, 8, first=True), *layer(4, 8, 8), *layer(4, 8, 10)]
    assert compare(alike, steps) == []
    (more,) = compare(alike, [*steps, product(4, 8, 8)])
    assert more.subject == "a, b"


@pytest.mark.parametrize("extents", [(4, (10, 10), (3, 3), 3, 5), (4, (8, 8), (5, 5), 3, 5), (4, (8, 8), (3, 3), 4, 5)])
def test_a_convolution_of_another_size_is_caught(extents):
    wrong = [convolved(*extents), *images()[1:]]
    assert kinds(IMAGES, wrong) == ["multiply-adds", "undeclared"]


def test_a_product_of_no_layer_is_caught_unless_it_is_next_to_nothing():
    total = sum(need.multiply_adds for need in needs(LSTM))
    step = [*cell(), *layer(400, 200, 10_000)]
    least = int(UNDECLARED * total)
    assert kinds(LSTM, [*step, product(1, least, 1)]) == []
    assert kinds(LSTM, [*step, product(1, least, 1), product(1, least, 1)]) == ["undeclared"]
    (flag,) = compare(LSTM, [*step, product(400, 400, 200)])  # sums repeated rows
    assert "mm (400, 400) x (400, 200) is a product of no declared layer, 1.2 %" in flag.sentence


def test_one_gradient_step_more_of_an_lstm_is_within_tolerance_and_an_array_of_padding_too():
    """Frameworks send a gradient back into the first state; a padded image is 34 by 34 instead of 32 by 32."""
    step = cell()
    assert sum(p.multiply_adds for o in step for p in o.products) > needs(LSTM)[0].multiply_adds
    assert compare(LSTM, [*step, *layer(400, 200, 10_000)]) == []
    assert TOLERANCE > 1 / 118  # of 20 steps, each two products in three directions: one too many
    assert (34 / 32) ** 2 < LARGE


def test_a_dense_gradient_of_a_table_is_caught():
    scatter = Operator("UnsortedSegmentSum", ((128, 128), (128,)), (made(50_000, 128),))
    root = Operator("Sqrt", ((50_000, 128),), (made(50_000, 128),))
    step = [product(128, 128, 64)] * 3
    (flag,) = compare(SKIPGRAM, [*step, scatter, root])
    assert (flag.kind, flag.subject) == ("table", "embedding.weight, nce.weight")  # alike, so either may be meant
    assert "all 50,000 rows made anew (2x, 51.2 MB) where a batch touches at most 192 rows" in flag.sentence
    assert flag.sentence.endswith("UnsortedSegmentSum, Sqrt.")


def test_rows_of_a_table_and_tables_that_are_needed_whole_pass():
    step = [product(128, 128, 64)] * 3
    rows = Operator("GatherV2", ((50_000, 128), (128,)), (made(128, 128),))
    assert compare(SKIPGRAM, [*step, rows]) == []
    adam = dataclasses.replace(SKIPGRAM, optimiser=DECLARED["mnist_mlp"].optimiser)
    assert compare(adam, [*step, Operator("Sqrt", ((50_000, 128),), (made(50_000, 128),))]) == []
    whole = dataclasses.replace(SKIPGRAM, batch_size=50_000)
    assert "table" not in kinds(whole, [Operator("Sqrt", ((50_000, 128),), (made(50_000, 128),))])


def test_a_product_is_no_pass_over_a_table_of_its_shape():
    """PyTorch keeps the output layer's weight as (10000, 200), which is also the embedding's shape."""
    weight = Operator("mm", ((10_000, 400), (400, 200)), (made(10_000, 200),), (matmul(10_000, 400, 200),))
    assert compare(LSTM, [*cell(), weight, *layer(400, 200, 10_000)[1:]]) == []
