"""The part limits: what follows from its answers, how they are checked and shown, and how ceilings are timed."""

import dataclasses
import re

import pytest
from part_answers import calls
from result_factory import make, on_gpu

from benchmarks import experiments
from benchmarks.errors import Unavailable
from benchmarks.experiments.limits import worker
from benchmarks.experiments.limits.derive import ceilings, judge
from benchmarks.experiments.limits.measure import AMOUNTS
from benchmarks.experiments.limits.schema import Value, check, words
from benchmarks.schema.measurements import Answer
from benchmarks.schema.samples import Call
from benchmarks.workload import discover, flops
from reports.render import html

LINEAR = next(f.workload for f in discover() if f.workload.key == "mnist_mlp_ablation/linear")
COUNT = flops.count(LINEAR)
PLACE = {"part": "limits", "workload": "mnist_mlp_ablation", "variant": "linear"}
CACHES = {"last_level_bytes": 1 << 10, "count": 1, "array_bytes": 1 << 30, "short_of_memory": False}
KINDS = ("matmul", "convolution", "recurrent", "elementwise", "optimiser")


def value(step, *, product=1e11, stream=1e10, launch=1e-6, launches=9.0, disturbed=(), **changes):
    """A stack whose step takes ``step`` seconds and whose ceilings are these, per second."""
    plain = {
        "batch_size": 64,
        "touched_rows": {},
        "flops": {kind: getattr(COUNT, kind) for kind in KINDS},
        "bytes": COUNT.bytes,
        "operators": COUNT.operators,
        "blocks": [b | {"steps": 10} for b in calls(*(10 * step * f for f in (1.0, 1.3, 0.9)), disturbed=disturbed)],
        "products": [
            {"size": 1000, "products": 2, "repetitions": calls(4e9 / product * 1.5, 4e9 / product)},
            {"size": 100, "products": 1, "repetitions": calls(1.0)},
        ],
        "caches": CACHES,
        "streams": [{"kind": "add", "bytes": 1 << 20, "passes": 10, "repetitions": calls(10 * (1 << 20) / stream)}],
        "smallest": {"calls": 100, "repetitions": calls(200 * launch, 100 * launch), "launches": launches},
    }
    return Value.model_validate(plain | changes)


def with_answers(values, base=None, lost=()):
    base = base or make(interrupted=False)
    answers = [Answer(**PLACE, stack=k, status="ok", value=v.model_dump()) for k, v in values.items()]
    answers += [Answer(**PLACE, stack=k, status="unavailable", reason="no such thing here") for k in lost]
    options = base.options.model_copy(update={"measure": [*base.options.measure, "limits"]})
    return base.model_copy(update={"answers": answers, "options": options})


EAGER, GRAPH = "torch:eager:cpu:default", "tensorflow:graph:cpu:default"


def test_ceilings_are_the_best_of_all_stacks_and_say_whose():
    result = with_answers({EAGER: value(0.01, product=2e11, stream=1e9), GRAPH: value(0.01, product=1e11, stream=5e9)})
    (ceiling,) = ceilings(result).values()
    assert ceiling.flops_per_second == pytest.approx(2e11)
    assert ceiling.bytes_per_second == pytest.approx(5e9)
    assert (ceiling.product_stack, ceiling.stream_stack) == (EAGER, GRAPH)
    assert ceiling.ridge == pytest.approx(40)


def test_devices_have_ceilings_of_their_own():
    gpu = on_gpu(make(interrupted=False))
    values = {k.replace("cpu", "cuda"): value(0.01) for k in (EAGER, GRAPH)}
    assert list(ceilings(with_answers(values, gpu))) == [("cuda", "float32")]


@pytest.mark.parametrize(
    ("found", "binds"),
    [
        ({"step": COUNT.flops / 1e11 * 1.2}, "arithmetic"),
        ({"step": COUNT.bytes / 1e9 * 1.2, "stream": 1e9}, "memory"),
        ({"step": 0.001, "launch": 1e-4}, "launches"),
        ({"step": 1.0}, "none"),
    ],
)
def test_the_largest_bound_binds_if_it_is_large_enough(found, binds):
    mine = value(**found)
    (ceiling,) = ceilings(with_answers({EAGER: mine})).values()
    judged = judge(mine, ceiling)
    assert judged.binds == binds
    assert not judged.impossible
    assert judged.fraction == pytest.approx(judged.arithmetic)


@pytest.mark.parametrize(
    ("found", "binds", "in_cache"),
    [
        (
            {"step": COUNT.bytes / 1e9 / 2, "stream": 1e9, "product": 1e13},
            "untold",
            True,
        ),  # memory takes twice the step
        (
            {"step": COUNT.bytes / 1e9 / 2, "stream": 1e9, "product": 1e13, "launch": COUNT.bytes / 1e9 / 2 / 9 * 0.5},
            "launches",
            True,
        ),
        (
            {
                "step": COUNT.bytes / 1e9 * 2,
                "stream": 1e9,
                "product": 1e13,
                "caches": CACHES | {"last_level_bytes": 1 << 30},
            },
            "untold",
            True,
        ),
        ({"step": COUNT.bytes / 1e9 * 2, "stream": 1e9, "product": 1e13}, "memory", False),
        (
            {
                "step": COUNT.bytes / 1e9 * 2,
                "stream": 1e9,
                "product": 1e13,
                "caches": CACHES | {"last_level_bytes": None},
            },
            "memory",
            False,
        ),
        ({"step": COUNT.flops / 1e11 / 2, "stream": 1e12}, "untold", False),  # faster than the ceiling of arithmetic
        ({"step": 1.0, "caches": CACHES | {"last_level_bytes": 1 << 30}}, "none", True),
    ],
)
def test_what_is_impossible_never_binds(found, binds, in_cache):
    mine = value(**found)
    result = with_answers({EAGER: mine})
    (ceiling,) = ceilings(result).values()
    judged = judge(mine, ceiling)
    assert (judged.binds, judged.in_cache) == (binds, in_cache)
    text = re.sub(r"(<[^>]+>|\s+)+", " ", html([result]))
    assert ("What binds PyTorch eager is not told" in text) is (binds == "untold")
    assert ("bound by memory" in text) is (binds == "memory")


def test_what_beats_its_ceiling_is_flagged():
    mine = value(COUNT.flops / 1e11 / 2)
    result = with_answers({EAGER: mine})
    (ceiling,) = ceilings(result).values()
    assert judge(mine, ceiling).impossible
    assert judge(mine, ceiling).fraction == pytest.approx(2.0)
    assert "Above 100 %" in html([result])


def test_summaries_are_of_the_raw_samples():
    mine = value(0.01, product=2e11)
    assert mine.step_seconds == pytest.approx(0.01)
    assert mine.flops_per_second == pytest.approx(COUNT.flops / 0.01)
    assert mine.intensity == pytest.approx(COUNT.flops / COUNT.bytes)
    assert "200 GFLOP/s" in words(mine)


def test_counts_that_do_not_follow_from_the_declaration_are_found():
    result = with_answers({EAGER: value(0.01)})
    assert list(check(result, result.answers[0])) == []
    for changes, complaint in (
        ({"bytes": COUNT.bytes + 1}, "bytes"),
        ({"operators": 1}, "operators"),
        ({"flops": {**{k: getattr(COUNT, k) for k in KINDS}, "matmul": 5}}, "matmul"),
        ({"batch_size": 32}, "batches of 32"),
    ):
        wrong = with_answers({EAGER: value(0.01, **changes)})
        assert any(complaint in found for found in check(wrong, wrong.answers[0]))


def test_the_report_says_who_comes_closest_and_what_binds():
    values = {
        EAGER: value(COUNT.flops / 1e11 / 0.8),
        "torch:compile:cpu:default": value(0.002, launch=1e-4),
        GRAPH: value(0.5),
    }
    page = html([with_answers(values, lost=["tensorlayerx:eager:cpu:default"])])
    text = re.sub(r"(<[^>]+>|\s)+", " ", page)
    assert "PyTorch eager comes closest to what this machine can compute: 80.0 GFLOP/s, 80.0 %" in text
    assert "of the 100 GFLOP/s of the best large matrix product (PyTorch eager)" in text
    assert "bound by arithmetic in PyTorch eager; by the launching of operators in PyTorch compile" in text
    assert "None of the three limits explains even 30.0 % of the step in TensorFlow graph" in text
    assert "no such thing here" in text
    assert text.count("Roofline") >= 1
    assert "operations per byte, at least 9 operators" in text


def test_where_nothing_binds_the_report_says_so_of_all():
    page = html([with_answers({EAGER: value(1.0), GRAPH: value(2.0)})])
    assert "of the step in any stack: there the time goes" in page


def test_a_report_of_reasons_alone():
    page = html([with_answers({}, lost=[EAGER, GRAPH])])
    assert "No answer for PyTorch eager and TensorFlow graph: no such thing here" in page


def test_disturbed_blocks_do_not_decide():
    assert value(0.01, disturbed=(1,)).step_seconds == pytest.approx(0.0095), "the median of the quiet ones"
    lost = value(COUNT.flops / 1e11 / 0.8, disturbed=(0, 1))
    assert lost.disturbed
    assert words(lost).startswith("disturbed: ")
    text = re.sub(r"(<[^>]+>|\s+)+", " ", html([with_answers({EAGER: lost, GRAPH: value(0.5)})]))
    assert "TensorFlow graph comes closest" in text
    assert "Nothing is said of PyTorch eager: most of the blocks were disturbed." in text
    assert "other work ran beside 2 of 3 blocks" in text


def test_disturbed_ceilings_are_told():
    mine, other = value(0.01, product=2e11), value(0.02, product=1e11)
    products = [mine.products[0].model_copy(update={"repetitions": [Call(**c) for c in calls(2e-2, disturbed=(0,))]})]
    (sound,) = ceilings(with_answers({EAGER: mine, GRAPH: other})).values()
    (found,) = ceilings(with_answers({EAGER: mine.model_copy(update={"products": products}), GRAPH: other})).values()
    assert (sound.disturbed, found.disturbed) == (False, True)
    page = html([with_answers({EAGER: mine.model_copy(update={"products": products}), GRAPH: other})])
    assert "the ceilings may lie higher" in page


def test_a_lower_bound_of_launches_and_the_size_of_streams_are_told():
    mine = value(0.01)
    compiled = mine.model_copy(
        update={"smallest": mine.smallest.model_copy(update={"eager_rest": "loss and optimiser"})}
    )
    small = value(0.02, caches=CACHES | {"last_level_bytes": 2 << 30, "count": 12, "short_of_memory": True})
    text = re.sub(r"(<[^>]+>|\s+)+", " ", html([with_answers({"torch:compile:cpu:default": compiled, GRAPH: small})]))
    assert "A lower bound: loss and optimiser are launched beside it" in text
    assert "two arrays of 1.00 GiB each, against 12 last-level caches of 2.00 GiB together" in text
    assert "as free memory allowed no more; the ceiling of memory may be one of caches (TensorFlow graph)" in text


class Still:
    """A session of a framework that does nothing."""

    class adapter:
        @staticmethod
        def synchronize():
            pass

    together = 1
    job = {"threads": 1, "device": "cpu"}  # noqa: RUF012  # read only

    def __getattr__(self, name):
        return lambda **words: {}

    def steps(self, count):
        return 0.01 * count

    def whole_calls(self, steps):
        return steps


class Offered:
    per_operator = True

    def __init__(self):
        self.products = []

    def on_gpu(self, adapter):
        return False

    def product(self, adapter, size):
        return lambda: self.products.append(size)

    def streams(self, adapter, array_bytes):
        yield "add", lambda: None, 3 * array_bytes

    def smallest(self, adapter):
        return lambda: None, True


def test_the_worker_times_every_size_and_kind(monkeypatch):
    offered = Offered()
    monkeypatch.setattr(experiments, "of_framework", lambda framework, name: offered)
    asked = {
        "sizes": [8, 16],
        "stream_bytes": 4096,
        "free_bytes": 1 << 30,
        "repetitions": 2,
        "seconds": 1e-4,
        "blocks": 3,
        "warm": 0.0,
    }
    found = worker.answer(Still(), framework="still", **asked)
    assert [p["size"] for p in found["products"]] == [8, 16]
    assert [s["kind"] for s in found["streams"]] == ["add"]
    assert all(len(p["repetitions"]) == 2 for p in [*found["products"], *found["streams"], found["smallest"]])
    assert found["smallest"]["calls"] % worker.SMALLEST == 0
    assert len(found["blocks"]) == 3
    assert all(b["steps"] >= worker.LEAST for b in found["blocks"])
    first, most = offered.products.count(8), found["products"][0]["products"]
    assert first == 2 + 2 * most, "once to compile, once to learn how long, then every repetition whole"


def test_steps_that_go_together_are_taken_together(monkeypatch):
    taken = []

    class Several(Still):
        together = 5

        def steps(self, count):
            taken.append(count)
            return 0.001 * count

        def whole_calls(self, steps):
            return -(-steps // 5) * 5

    monkeypatch.setattr(experiments, "of_framework", lambda framework, name: Offered())
    asked = {"sizes": [8], "stream_bytes": 4096, "free_bytes": 1 << 30, "repetitions": 1, "seconds": 0.012}
    found = worker.answer(Several(), framework="still", **asked, blocks=2, warm=0.0)
    assert taken
    assert all(count % 5 == 0 for count in taken)
    assert found["smallest"]["together"] == 5


def caches(system, cpu, *levels):
    """``levels``: (level, size, the CPUs that share it)."""
    for index, (level, size, shared) in enumerate(levels):
        folder = system / f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", level), ("size", size), ("shared_cpu_list", shared)):
            (folder / name).write_text(f"{text}\n")


def test_arrays_lie_beyond_all_last_level_caches(tmp_path):
    for cpu in range(4):
        third = (3, "98304K", "0-1" if cpu < 2 else "2-3")
        caches(tmp_path, cpu, (1, "48K", cpu), (1, "32K", cpu), (2, "1024K", cpu), third)
    assert worker.last_level([0, 1, 2, 3], tmp_path) == [96 << 20] * 2
    assert worker.last_level([0, 1], tmp_path) == [96 << 20], "of the run's CPUs only"
    much = {"cpus": [0, 1, 2, 3], "system": tmp_path}
    assert worker.sized(False, None, 1 << 40, **much) == {
        "last_level_bytes": 192 << 20, "count": 2, "array_bytes": worker.BEYOND * 192 << 20, "short_of_memory": False
    }  # fmt: skip
    little = worker.sized(False, None, 1 << 30, **much)
    assert little["short_of_memory"]
    assert little["array_bytes"] == (1 << 30) * worker.OF_MEMORY / worker.ARRAYS
    assert worker.sized(False, 4096, 1 << 40, **much)["array_bytes"] == 4096


def test_where_no_cache_is_told_it_is_assumed(tmp_path):
    seen = worker.sized(False, None, 1 << 40, cpus=[0], system=tmp_path)
    assert seen["array_bytes"] == worker.BEYOND * worker.NO_CACHE_KNOWN
    assert seen["last_level_bytes"] is None
    assert worker.sized(True, None, 1 << 40)["array_bytes"] == worker.ON_GPU


def test_a_framework_that_offers_nothing_is_unavailable():
    with pytest.raises(Unavailable, match="limits is not written for numpy"):
        experiments.of_framework("numpy", "limits")


def test_every_profile_has_its_amounts():
    from benchmarks.protocol.profiles import PROFILES

    assert set(AMOUNTS) == set(PROFILES)
    assert all(set(amounts.sizes) == {"cpu", "cuda"} for amounts in AMOUNTS.values())
    assert [dataclasses.asdict(a)["repetitions"] for a in AMOUNTS.values()] == sorted(
        a.repetitions for a in AMOUNTS.values()
    )
