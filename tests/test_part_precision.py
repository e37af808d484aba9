"""The precision axis: what was really used, ratios, metrics; what verify and the report say of them."""

import copy

import numpy as np
import pytest
from part_answers import BATCH, cells, launch, result, section, violations

from benchmarks.experiments.precision.schema import BOUNDS, OFFERED, Value, used, words
from benchmarks.experiments.precision.worker import convolution, error, product
from benchmarks.frameworks.base import PRECISIONS


def rounded(x, bits, *, cut=False):
    """float32 values with a mantissa of ``bits``, rounded to nearest or cut off."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    scaled = mantissa * 2.0**bits
    return np.ldexp(np.trunc(scaled) if cut else np.rint(scaled), exponent - bits).astype(np.float32)


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(1)
    return rng.standard_normal((2, 256, 256)).astype(np.float32)


@pytest.mark.parametrize(
    ("bits", "cut", "expected"),
    [(24, False, "float32"), (11, False, "tf32"), (11, True, "tf32"), (8, False, "bf16"), (4, False, "less than bf16")],
)
def test_the_precision_used_follows_from_the_error(factors, bits, cut, expected):
    """Operands of so many bits, multiplied and summed in float32, as the hardware does."""
    a, b = factors
    found = rounded(a, bits, cut=cut) @ rounded(b, bits, cut=cut)
    assert used(error(found, product(a, b))) == expected
    if expected == "bf16":  # also where the result is rounded
        assert used(error(rounded(found, bits), product(a, b))) == expected


def test_each_bound_keeps_a_factor_of_distance_from_what_it_parts(factors):
    a, b = factors
    errors = [error(rounded(a, bits) @ rounded(b, bits), product(a, b)) for bits in (24, 11, 8)]
    for (_, bound), below, above in zip(BOUNDS, errors, errors[1:], strict=False):
        assert 1.5 * below < bound < above / 1.5


def test_the_reference_convolution_is_one():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((3, 3, 3, 2))
    found = convolution(x, w)
    assert found.shape == (2, 3, 2, 2)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_allclose(found[:, i, j], np.tensordot(x[:, i : i + 3, j : j + 3], w, 3))


def test_the_report_knows_what_the_adapters_offer():
    assert OFFERED == PRECISIONS


# -- answers ----------------------------------------------------------------------------------------


def asked(precision, steps, error, *, metric=None, low=0.82, high=0.86, conv=None):
    launches = [launch(k, s, product_error=error, convolution_error=conv) for k, s in enumerate(steps)]
    made = {"precision": precision, "status": "ok", "launches": launches}
    if metric is None:
        return made | {"untrained": "training would take about 900 s, more than the 150 s allowed"}
    curve = [0.5, metric]
    trained = {"recipe": "quick", "seed": 1, "metric": metric, "curve": curve, "low": low, "high": high}
    return made | {"trained": trained}


def refused(precision, reason):
    return {"precision": precision, "status": "unavailable", "reason": reason, "launches": []}


def value(*precisions):
    return {"batch_size": BATCH, "precisions": list(precisions)}


@pytest.fixture
def axis():
    """PyTorch does as told and gets worse; XLA keeps float32; TensorLayerX has no such thing."""
    (declared,) = result("precision", {"torch:eager:cpu": "none"}).declared
    recipe = next(r for r in declared.declaration["recipes"] if r["name"] == "quick")
    low, high = recipe["accepted"]["low"], recipe["accepted"]["high"]
    inside, bounds = (low + high) / 2, {"low": low, "high": high}
    return {
        "torch:eager:cpu": value(
            asked("float32", [0.010, 0.010], 2e-7, metric=inside, **bounds),
            asked("bf16", [0.040, 0.010], 2.9e-3, metric=low - 0.1, **bounds),
        ),
        "tensorflow:graph:cpu": value(
            asked("float32", [0.010], 2e-7, metric=inside, **bounds), asked("bf16", [0.009], 3e-7)
        ),
        "tensorlayerx:eager:cpu": value(
            asked("float32", [0.02], 2e-7, metric=inside, **bounds), refused("bf16", "it has no mixed precision")
        ),
    }


def test_ratios_are_paired_by_launch(axis):
    v = Value.model_validate(axis["torch:eager:cpu"])
    assert v.ratios(v.precisions[1]) == [pytest.approx(4.0), pytest.approx(1.0)]
    assert v.ratio(v.precisions[1]) == pytest.approx(2.0)
    assert "bf16 20.0 ms (2.00 × float32)" in words(v)
    assert "out of range" in words(v)
    xla = Value.model_validate(axis["tensorflow:graph:cpu"])
    assert "(asked bf16, used float32)" in words(xla)
    assert "bf16 unavailable: it has no mixed precision" in words(Value.model_validate(axis["tensorlayerx:eager:cpu"]))


def test_products_and_convolutions_are_told_apart():
    v = Value.model_validate(value(asked("float32", [0.01], 2e-7, conv=3e-7), asked("bf16", [0.01], 2e-7, conv=3e-3)))
    assert v.precisions[0].mismatch == ""
    assert v.precisions[1].mismatch == "asked bf16, used float32 in products and bf16 in convolutions"


def test_verify_holds_an_answer_to_what_was_declared(axis):
    assert violations(result("precision", axis)) == []
    trained = ("precisions", 0, "trained")

    def change(path, **words):
        wrong = copy.deepcopy(axis)
        at = wrong["torch:eager:cpu"]
        for step in path:
            at = at[step]
        at.update(words)
        return violations(result("precision", wrong))

    for found, complaint in (
        (change(trained, recipe="book"), "the run's is quick"),
        (change(trained, low=0.0), "not the declared one"),
        (change(trained, metric=0.1), "does not end in its metric"),
        (change(("precisions", 0), precision="tf32"), "not those that its device offers"),
        (change(("precisions", 0), reason="why"), "a reason belongs"),
        (change(("precisions", 0), launches=[]), "ok without a launch"),
        (change(("precisions", 0), untrained="why"), "either it was trained"),
        (change((), batch_size=1), "its batch size is 1, its row's 64"),
    ):
        assert any(complaint in v for v in found), complaint


def test_no_range_holds_for_another_text(axis):
    """The digits stand for a text: their range becomes one that was measured on enwiki100M."""
    made = result("precision", axis)
    (declared,) = made.declared
    plain = copy.deepcopy(declared.declaration)
    for recipe in plain["recipes"]:
        recipe["accepted"]["corpus"] = "enwiki100M"
    made = made.model_copy(update={"declared": [declared.model_copy(update={"declaration": plain})]})
    for corpus, held in (("enwiki100M", True), ("text8", False), (None, False)):
        data = [d.model_copy(update={"corpus": corpus}) for d in made.data]
        found = violations(made.model_copy(update={"data": data}))
        assert any("not the declared one" in v for v in found) is not held


def test_the_report_tells_speed_accuracy_and_mismatch(axis):
    found = section(result("precision", axis))
    assert "In bf16 a step takes 0.90 (TensorFlow graph) to 2.00 (PyTorch eager) times as long" in found.sentence
    assert "TensorFlow graph: asked bf16, used float32." in found.sentence
    assert "Outside the accepted range of the accuracy: PyTorch eager in bf16." in found.sentence
    table = [row[:3] for row in cells(found)]
    assert ["TensorFlow graph", "bf16", "float32"] in table
    assert ["TensorLayerX eager", "bf16", "–"] in table
    assert "it has no mixed precision" in found.tables[0][1].notes
    assert "training would take about 900 s, more than the 150 s allowed" in found.tables[0][1].notes
    assert [chart.title for chart in found.charts] == ["Step time by precision", "Accuracy by precision"]


def test_a_report_without_another_precision_says_so(axis):
    found = section(result("precision", {"tensorlayerx:eager:cpu": axis["tensorlayerx:eager:cpu"]}))
    assert found.sentence.startswith("No stack offers another precision than float32 here.")
    assert not found.charts
