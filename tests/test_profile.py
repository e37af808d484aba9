"""The part profile: how a timeline is split, how answers are checked, and what the report says of them."""

import gzip
import json
import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from part_answers import calls
from result_factory import make

from benchmarks.experiments.profile.measure import AMOUNTS
from benchmarks.experiments.profile.schema import PARTS, Value, check, words
from benchmarks.experiments.profile.timeline import (
    Event,
    Recorded,
    common,
    length,
    operators,
    own_spans,
    split,
    union,
    write_chrome,
)
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.measurements import Answer
from reports.render import html

PLACE = {"part": "profile", "workload": "mnist_mlp_ablation", "variant": "linear"}


def event(name, kind, start, end, lane="main", *, device=False):
    return Event(name, kind, lane, float(start), float(end), device)


def recorded(*events, window=(0.0, 100.0)):
    return Recorded(events=list(events), window=window)


def test_an_operator_counts_what_no_operator_inside_it_takes():
    outer, inner = event("addmm", "kernel", 10, 50), event("copy_", "copy", 20, 30)
    wrapped = event("linear", "host", 5, 60)
    owned = {e.name: spans for e, spans in own_spans([inner, wrapped, outer])}
    assert owned == {"linear": [(5, 10), (50, 60)], "addmm": [(10, 20), (30, 50)], "copy_": [(20, 30)]}
    found = split(recorded(outer, inner, wrapped), device=False, cpu_seconds=100.0)
    assert found == {"wall": 100, "kernels": 30, "copies": 10, "idle": 0, "host": 60}


def test_threads_overlap_and_kernels_go_before_copies():
    a, b = event("a", "kernel", 10, 40, "pool 1"), event("b", "kernel", 30, 60, "pool 2")
    c = event("c", "copy", 50, 70, "pool 3")
    found = split(recorded(a, b, c), device=False, cpu_seconds=150.0)
    assert (found["kernels"], found["copies"], found["host"]) == (50, 10, 40)
    assert {o.name: o.seconds for o in operators(recorded(a, b, c), device=False)} == {"a": 30, "b": 30, "c": 20}


def test_a_cpu_is_idle_as_far_as_cpu_time_is_missing():
    found = split(recorded(event("a", "kernel", 0, 60)), device=False, cpu_seconds=75.0)
    assert (found["idle"], found["host"]) == (10, 30)
    assert split(recorded(event("a", "kernel", 0, 60)), device=False, cpu_seconds=0.0)["host"] == 0
    assert split(recorded(), device=False, cpu_seconds=120.0)["idle"] == 0


def test_a_gpu_is_idle_where_the_host_waits_for_nothing():
    """The host launches until 30, then waits until 90; the device works 10 to 20 and 40 to 70."""
    host = [event("launch", "host", 0, 30), event("cudaDeviceSynchronize", "wait", 30, 90)]
    device = [event("gemm", "kernel", 10, 20, "stream 7", device=True), event("Memcpy", "copy", 40, 70, device=True)]
    on_cpu = event("aten::mm", "kernel", 5, 8)
    found = split(recorded(*host, *device, on_cpu), device=True, cpu_seconds=1.0)
    assert found == {"wall": 100, "kernels": 10, "copies": 30, "idle": 30, "host": 30}
    names = {o.name: (o.kind, o.seconds) for o in operators(recorded(*host, *device, on_cpu), device=True)}
    assert names["gemm"] == ("kernel", 10)
    assert names["launch"] == ("host", 17)
    assert names["cudaDeviceSynchronize"] == ("host", 30)


def test_nothing_outside_the_window_counts():
    found = recorded(event("a", "kernel", 0, 30), event("a", "kernel", 90, 95), window=(20.0, 60.0))
    assert split(found, device=False, cpu_seconds=44.0) == {
        "wall": 40, "kernels": 10, "copies": 0, "idle": 0, "host": 30,
    }  # fmt: skip
    (only,) = operators(found, device=False)
    assert (only.seconds, only.calls) == (10, 1)


def test_host_work_beside_a_kernel_costs_nothing():
    waiting = event("FunctionRun", "host", 0, 100)
    kernel = event("MatMul", "kernel", 10, 90, "pool")
    first, second = operators(recorded(waiting, kernel), device=False)
    assert (first.name, first.seconds, second.name, second.seconds) == ("MatMul", 80, "FunctionRun", 20)


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda p: (float(min(p)), float(max(p)))))
kinds = st.sampled_from(["kernel", "copy", "host", "wait"])
lanes = st.sampled_from(["a", "b"])
events = st.lists(
    st.builds(
        lambda kind, lane, start, extent, device: event(kind, kind, start, start + extent, lane, device=device),
        kinds,
        lanes,
        st.integers(0, 120),
        st.integers(0, 40),
        st.booleans(),
    ),
    max_size=12,
)


@given(spans, spans)
def test_spans_are_sets_of_instants(a, b):
    def instants(found):
        return {i + 0.5 for i in range(60) if any(s <= i < e for s, e in found)}

    assert instants(union(a)) == instants(a)
    assert length(union(a)) == len(instants(a))
    assert instants(common(union(a), union(b))) == instants(a) & instants(b)


@given(events, st.booleans(), st.integers(0, 300))
def test_every_instant_belongs_to_one_part(found, device, cpu):
    parts = split(recorded(*found), device=device, cpu_seconds=cpu)
    assert parts["wall"] == 100
    assert all(parts[part] >= -1e-9 for part in PARTS)
    assert sum(parts[part] for part in PARTS) == pytest.approx(100)
    for operator in operators(recorded(*found), device=device):
        assert 0 < operator.seconds <= 100 * operator.calls


def test_a_trace_is_what_browsers_open(tmp_path):
    path = tmp_path / "t.json.gz"
    write_chrome([event("mm", "kernel", 1, 3), event("gemm", "kernel", 2, 3, "s", device=True)], path)
    lines = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    assert [(x["name"], x["ts"], x["dur"], x["pid"]) for x in lines if x["ph"] == "X"] == [
        ("mm", 1e6, 2e6, 0),
        ("gemm", 2e6, 1e6, 1),
    ]
    assert {x["args"]["name"] for x in lines if x["ph"] == "M"} == {"main", "s"}


def value(step=0.01, slow=1.1, compilation=None, disturbed=(), **shares):
    """A stack whose step of ``step`` seconds is divided by ``shares``; what is left is the host's."""
    wall = 8 * step * slow
    split_ = {part: shares.get(part, 0.0) * wall for part in PARTS} | {"wall": wall}
    split_["host"] = wall - sum(split_[part] for part in ("kernels", "copies", "idle"))
    blocks = calls(*(8 * step * f for f in (0.9, 1.0, 1.2)), disturbed=disturbed)
    made = [{"name": "aten::addmm", "kind": "kernel", "seconds": wall / 2, "calls": 24}]
    made += [{"name": "Optimizer.step", "kind": "host", "seconds": wall / 4, "calls": 8}]
    return Value.model_validate(
        {
            "batch_size": 64, "steps": 8, "split": split_, "cpu_seconds": wall, "operators": made,
            "unprofiled": [b | {"steps": 8} for b in blocks],
            "profiled": calls(wall, disturbed=(0,) if 3 in disturbed else ())[0],
            "operator_seconds": wall, "compilation": compilation, "trace": "traces/a.json.gz",
        }
    )  # fmt: skip


def with_answers(values, lost=()):
    base = make(interrupted=False)
    answers = [Answer(**PLACE, stack=k, status="ok", value=v.model_dump()) for k, v in values.items()]
    answers += [Answer(**PLACE, stack=k, status="failed", reason="it broke") for k in lost]
    options = base.options.model_copy(update={"measure": [*base.options.measure, "profile"]})
    return base.model_copy(update={"answers": answers, "options": options})


def text(result):
    return unescape(re.sub(r"(<[^>]+>|\s)+", " ", html([result])))


EAGER, GRAPH, SLOW = "torch:eager:cpu:default", "tensorflow:graph:cpu:default", "tensorlayerx:eager:cpu:default"


def test_a_step_is_divided_as_the_profiled_ones_were():
    mine = value(0.01, slow=2.0, kernels=0.6, copies=0.1)
    assert mine.step_seconds == pytest.approx(0.01)
    assert mine.slow_down == pytest.approx(2.0)
    assert mine.per_step("kernels") == pytest.approx(0.006)
    assert sum(mine.per_step(part) for part in PARTS) == pytest.approx(0.01)
    assert "kernels 60%" in words(mine)


def test_the_report_lays_the_difference_to_what_grew():
    broken = {"graphs": 3, "graph_breaks": 2, "recompiles": 1, "reasons": ["call to print"]}
    values = {
        EAGER: value(0.010, kernels=0.8, compilation=broken),
        GRAPH: value(0.020, kernels=0.85),
        SLOW: value(0.040, slow=3.0, kernels=0.2),
    }
    found = text(with_answers(values, lost=["torch:compile:cpu:default"]))
    assert "PyTorch eager spends 80.0 % of its step in the operators themselves and is the fastest here" in found
    assert "TensorFlow graph (+10.0 ms; longest operator aten::addmm, 50.0 %) mostly in the operators" in found
    assert "TensorLayerX eager (+30.0 ms) mostly on the host, in Python and the framework's dispatch" in found
    assert "The profiler itself slowed TensorLayerX eager much" in found
    assert "it broke" in found
    assert "Why: call to print" in found
    assert "aten::addmm" in found
    assert "traces/a.json.gz" in found


@pytest.mark.parametrize(("which", "decides"), [((1,), True), ((0, 1), False), ((3,), False)])
def test_disturbed_steps_do_not_decide(which, decides):
    """Three blocks without the profiler, and the profiled stretch."""
    mine = value(0.010, kernels=0.8, disturbed=which)
    assert mine.disturbed is not decides
    found = text(with_answers({EAGER: mine, GRAPH: value(0.1, kernels=0.8)}))
    assert ("PyTorch eager spends 80.0 %" in found) is decides
    assert ("Nothing is said of PyTorch eager: other work ran beside." in found) is not decides
    assert "Disturbed: other work ran beside" in found
    assert ("disturbed" in words(mine)) is not decides


def test_a_stack_that_its_compiler_declined_is_told():
    """Dynamo traces no nn.LSTM: the whole model then runs as without torch.compile."""
    declined = {"graphs": 0, "graph_breaks": 1, "recompiles": 0, "reasons": ["no RNN"]}
    values = {EAGER: value(0.010, kernels=0.9), "torch:compile:cpu:default": value(0.010, compilation=declined)}
    found = text(with_answers(values))
    assert "PyTorch compile compiled nothing, so its steps are those of the mode without a compiler: no RNN." in found
    assert "0 graphs" in words(values["torch:compile:cpu:default"])


def test_work_that_is_not_declared_is_flagged_where_it_was_looked_for():
    """Stacks with the same flag share a sentence; older answers, which were not looked at, have none."""
    flag = {"kind": "size", "subject": "BatchMatMulV2", "sentence": "BatchMatMulV2 makes 160 MB."}
    flagged = {GRAPH: {"flags": [flag]}, SLOW: {"flags": [flag]}, EAGER: {"flags": []}}
    values = {key: Value.model_validate(value().model_dump() | more) for key, more in flagged.items()}
    found = text(with_answers(values))
    assert "Flag, TensorFlow graph and TensorLayerX eager: BatchMatMulV2 makes 160 MB." in found
    assert found.count("Flag,") == 1
    assert "flags: 1" in words(values[GRAPH])
    old = value().model_dump(exclude={"flags", "unlisted"})
    assert Value.model_validate(old).flags is None
    assert "Flag," not in text(with_answers({EAGER: value()}))
    unlisted = value().model_copy(update={"unlisted": "no shapes"})
    assert "PyTorch eager is not checked for flags: no shapes." in text(with_answers({EAGER: unlisted}))


def test_no_stack_is_called_slower_for_a_hair():
    found = text(with_answers({EAGER: value(0.0100, kernels=0.8), GRAPH: value(0.0105, kernels=0.8)}))
    assert "no other stack is clearly slower" in found
    assert "lose their time" not in found


def test_two_parts_share_a_difference():
    slow = value(0.030, kernels=0.4, copies=0.2, idle=0.2)
    found = text(with_answers({EAGER: value(0.010, kernels=0.9), GRAPH: slow}))
    assert "mostly in copies and waiting" in found or "mostly waiting and in copies" in found


def test_answers_that_contradict_themselves_are_found():
    mine = value(kernels=0.5)

    def complaints(**changes):
        result = with_answers({EAGER: mine.model_copy(update=changes)})
        return list(check(result, result.answers[0]))

    assert complaints() == []
    assert any("add up" in c for c in complaints(split=mine.split.model_copy(update={"host": 0.0})))
    assert any("order" in c for c in complaints(operators=mine.operators[::-1]))
    assert any("longer than all" in c for c in complaints(operator_seconds=1e-9))
    for trace in ("/a.json.gz", "traces/../a.json.gz", "traces/a.txt"):
        assert any("does not lie" in c for c in complaints(trace=trace))


def test_every_profile_has_its_amounts():
    assert set(AMOUNTS) == set(PROFILES)
