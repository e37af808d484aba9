"""The part memory: what verify objects to, and the page with its chart."""

import re

import pytest
from part_answers import cells, result, section, violations

MIB = 2**20


def value(imported, peak, **more):
    """Bytes from MiB."""
    plain = {"batch_size": 64, "steps": 20, "imported_resident": imported * MIB, "build_peak_resident": imported * MIB}
    return {**plain, "training_peak_resident": None if peak is None else peak * MIB, **more}


CPU = {
    "torch:eager:cpu": value(200, 260),
    "tensorflow:graph:cpu": value(400, 640),
    "tensorflow:eager:cpu": "its worker was not there",
}
GPU = {
    "torch:eager:cpu": value(200, 260),
    "torch:eager:cuda": value(300, 420, training_peak_device=700 * MIB, largest_batch=128, refused_batch=256),
}


def widths(found):
    """Lengths of the chart's bars in pixels, in drawing order; a bar is a closed path of four corners."""
    (chart,) = found.charts
    paths = re.findall(r'<path d="M ([\d.]+) [\d.]+ +L ([\d.]+) [\d.]+ +L [^"]*z *" clip-path', str(chart.svg))
    return [float(right) - float(left) for left, right in paths]


def test_the_chart_stacks_training_on_the_import():
    found = section(result("memory", CPU))
    torch_import, torch_above, import_, above = widths(found)
    assert [torch_above / torch_import, import_ / torch_import, above / torch_import] == [
        pytest.approx(60 / 200, rel=1e-3), pytest.approx(400 / 200, rel=1e-3), pytest.approx(240 / 200, rel=1e-3),
    ]  # fmt: skip
    assert "PyTorch eager" in str(found.charts[0].svg)
    assert "device" not in str(found.charts[0].svg)
    assert cells(found) == [["PyTorch eager", "60.0", "200"], ["TensorFlow graph", "240", "400"]]
    assert "least memory in PyTorch eager (60.0 MiB) and most in TensorFlow graph (240 MiB)" in found.sentence
    assert violations(result("memory", CPU)) == []


def test_device_bytes_have_a_bar_of_their_own():
    found = section(result("memory", GPU, gpu=True))
    bars = widths(found)
    assert len(bars) == 5
    assert bars[4] / bars[2] == pytest.approx(700 / 300, rel=1e-3)
    assert "on the device" in str(found.charts[0].svg)
    assert "Hollow" in found.charts[0].caption


def test_where_peaks_are_not_offered_only_the_import_is_drawn():
    unknown = {"torch:eager:cpu": value(200, None, build_peak_resident=None)}
    assert len(widths(section(result("memory", unknown)))) == 1


def test_without_a_single_answer_there_is_no_chart():
    found = section(result("memory", {"torch:eager:cpu": "no"}))
    assert found.charts == []
    assert "No answer for PyTorch eager: no" in found.sentence


def test_verify_objects():
    def of(*words, **more):
        return " ".join(violations(result("memory", {"torch:eager:cpu": value(*words, **more)})))

    assert of(200, 260) == ""
    assert "below its own baseline" in of(200, 100, build_peak_resident=100 * MIB)
    assert "device bytes" in of(200, 260, training_peak_device=1)
