"""Throughput over batch sizes: points, the crossover, what verify and the report say of them."""

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from part_answers import BATCH, blocks, cells, result, section, violations

from benchmarks.experiments.sweep_batch.schema import Value, crossover, words

SIZES = (1, 8, 32, 128, 512)


def value(overhead, per_sample, sizes=SIZES, **missing):
    """Steps of ``overhead`` + batch × ``per_sample`` seconds; ``missing`` sizes (as b512) ran out of memory."""
    points = []
    for size in sizes:
        if f"b{size}" in missing:
            points.append({"batch_size": size, "status": "out_of_memory", "reason": missing[f"b{size}"]})
        else:
            found = blocks(overhead + size * per_sample)
            points.append({"batch_size": size, "status": "ok", "settled": True, "blocks": found})
    return {"declared": BATCH, "items": 1, "unit": "images", "points": points}


@pytest.fixture
def both():
    """A CPU that is fast to start, a GPU that is fast per sample, and one that never catches up."""
    made = {
        "torch:eager:cpu": value(1e-4, 1e-5),
        "torch:eager:cuda": value(5e-4, 1e-7),
        "tensorflow:graph:cpu": value(1e-4, 1e-6),
        "tensorflow:graph:cuda": value(1e-2, 1e-6, b512="the device had too little memory"),
        "tensorflow:eager:cuda": "no GPU for it",
    }
    for v in made.values():
        if not isinstance(v, str):
            v["unit"] = "samples"  # as the factory's rows have it
    return made


def test_rates_are_of_the_median_block():
    v = Value.model_validate(value(1e-3, 1e-5))
    assert v.rates[32] == pytest.approx(32 / (1e-3 + 32e-5))
    assert list(v.rates) == list(SIZES)
    assert "most at 512" in words(v)


@given(
    st.floats(0.1, 10), st.floats(-0.9, 0.9), st.floats(0.5, 8.5), st.lists(st.integers(0, 9), min_size=2, unique=True)
)
def test_the_crossover_of_two_power_laws_is_found_exactly(scale, slope, log_where, powers):
    """GPU over CPU is (batch / where) ** k, a straight line in logarithms, whatever the sizes measured."""
    sizes, where, steep = [2**p for p in powers], 2**log_where, 1 - abs(slope) / 2
    cpu = [(size, scale * size**slope) for size in sizes]
    gpu = [(size, rate * (size / where) ** steep) for size, rate in cpu]
    found = crossover(cpu, gpu)
    if where >= max(sizes):
        assert found is None or found == pytest.approx(max(sizes))
    elif where < min(sizes):
        assert found == 0
    else:
        assert found == pytest.approx(where)
    assert crossover(gpu, cpu) is None or where > min(sizes), "the other way round the GPU is the slower one"


def test_a_crossover_counts_from_where_the_gpu_stays_ahead():
    cpu = [(1, 10.0), (2, 10.0), (4, 10.0), (8, 10.0)]
    gpu = [(1, 20.0), (2, 5.0), (4, 20.0), (8, 30.0)]
    assert crossover(cpu, gpu) == pytest.approx(math.sqrt(8))
    assert crossover(cpu, gpu[:2]) is None
    assert crossover(cpu, []) is None
    assert crossover(cpu, [(16, 1e9)]) is None, "no size that both measured"


def test_verify_holds_a_sweep_to_its_form(both):
    assert violations(result("sweep_batch", both, gpu=True)) == []
    for change, complaint in (
        (lambda v: v["points"].reverse(), "asked for were [1, 8, 32, 128, 512], in this order"),
        (lambda v: v["points"].pop(), "asked for were [1, 8, 32, 128, 512]"),
        (lambda v: v["points"][1].update(batch_size=9), "asked for were [1, 8, 32, 128, 512]"),
        (lambda v: v["points"][0].update(blocks=[]), "blocks do not go with status"),
        (lambda v: v["points"][0].update(reason="why"), "a reason belongs"),
        (lambda v: v.update(declared=65), "its declared batch is 65, its row's 64"),
        (lambda v: v.update(items=2), "its number of items per sample is 2, its row's 1"),
        (lambda v: v.update(unit="images"), "its unit is images, its row's samples"),
    ):
        wrong = copy.deepcopy(both)
        change(wrong["torch:eager:cpu"])
        assert any(complaint in v for v in violations(result("sweep_batch", wrong, gpu=True))), complaint


def test_the_report_tells_where_the_gpu_overtakes(both):
    found = section(result("sweep_batch", both, gpu=True))
    # 1e-4 + 1e-5 b = 5e-4 + 1e-7 b at 40.4; interpolated between 32 and 128 a little off
    assert "PyTorch eager: from a batch of about 40 on the GPU is faster than the CPU." in found.sentence
    assert "TensorFlow graph: there is no batch in the range" in found.sentence
    table = {row[0]: row for row in cells(found)}
    assert table["PyTorch eager (cuda)"][-1] == "40"
    assert table["TensorFlow graph (cuda)"][-1] == "none in the range"
    assert table["TensorFlow graph (cuda)"][-2] == "–", "what ran out of memory is no zero"
    assert "batch 512: the device had too little memory" in found.tables[0][1].notes
    assert [line.text for line in found.tables[0][1].lines] == ["no GPU for it"]
    assert "GPU overtakes CPU" in found.charts[0].svg


def test_the_report_of_one_device_speaks_of_no_crossover(both):
    found = section(result("sweep_batch", {k: v for k, v in both.items() if k.endswith("cpu")}))
    assert "At batch 1 the fastest is" in found.sentence
    assert "GPU" not in found.sentence + found.charts[0].svg
    nothing = section(result("sweep_batch", {"torch:eager:cpu": "not here"}))
    assert nothing.sentence == "No answer for PyTorch eager: not here"
    assert not nothing.charts
