"""What the sections of parts say of stacks that failed their certificate, or have none, and of disturbed samples."""

import dataclasses
import importlib

import pytest
from part_answers import BATCH, blocks, cells, launch, result, section
from result_factory import make
from test_part_sweep_batch import value as sweep

from benchmarks import experiments
from benchmarks.experiments.quiet import doubts, median_step, spoilt
from benchmarks.schema import results as r
from benchmarks.schema.samples import Block
from reports import cost
from reports.parts import Section, judged, sections
from reports.render import html
from reports.work import gather

CNN = ("mnist_cnn", "default")
FAILED, GOOD = "tensorflow:graph:cpu:default", "torch:eager:cpu:default"


def cnn(part, values, **options):
    """The factory's MNIST CNN, of which TensorFlow graph failed its certificate, with answers of one part."""
    base = make(interrupted=False)
    rows = [row for row in base.rows if (row.workload, row.variant) == CNN]
    place = {"part": part, "workload": CNN[0], "variant": CNN[1], "status": "ok"}
    answers = [r.Answer(**place, stack=stack, value=value) for stack, value in values.items()]
    asked = base.options.model_copy(update={"measure": [part], "workloads": ["mnist_cnn"], **options})
    declared = [d for d in base.declared if d.name == CNN[0]]
    return base.model_copy(update={"options": asked, "rows": rows, "answers": answers, "declared": declared})


def uncertified(made, *keys):
    """Without the certificates of the stacks named, or of all."""
    bare = {"certificate": None, "status": "ok", "reason": ""}
    rows = [row.model_copy(update=bare) if not keys or row.stack.key in keys else row for row in made.rows]
    return made.model_copy(update={"rows": rows})


def told(values, made=None):
    (found,) = sections(gather([made or cnn("sweep_batch", values)])[0], "w0")
    return found


@pytest.fixture
def values():
    """TensorFlow graph is the faster one, and failed."""
    return {GOOD: sweep(1e-3, 1e-5), FAILED: sweep(1e-4, 1e-6), "torch:compile:cpu:default": sweep(2e-3, 2e-5)}


def test_a_stack_that_failed_its_certificate_is_never_called_fastest(values):
    found = told(values)
    assert "At batch 1 the fastest is PyTorch eager" in found.sentence
    assert "TensorFlow" not in found.sentence + found.charts[0].svg
    table = found.tables[0][1]
    assert [row[0].text for row in table.rows] == ["PyTorch eager", "PyTorch compile"]
    (line,) = table.lines
    assert (line.names, line.word) == (("TensorFlow graph",), "certificate failed")
    assert line.text.startswith("left out, for it does other work than declared: gradient of fc1.weight is 0.8 from")
    assert found.caveats == []
    passing = cnn("sweep_batch", values)
    good = {"status": "ok", "reason": "", "certificate": passing.rows[0].certificate}
    rows = [row.model_copy(update=good) if row.stack.key == FAILED else row for row in passing.rows]
    assert (
        "At batch 1 the fastest is TensorFlow graph" in told(values, passing.model_copy(update={"rows": rows})).sentence
    )


def test_where_only_it_answered_the_section_says_why_there_is_nothing(values):
    found = told({FAILED: values[FAILED]})
    assert found.sentence.startswith("No answer for TensorFlow graph: left out, for it does other work than declared")
    assert not found.charts


@pytest.mark.parametrize("name", experiments.names())
def test_no_part_is_shown_the_answer_of_a_failed_stack(name, monkeypatch):
    seen = []

    def show(work, answers, key):
        seen.append((answers, work.result.answers))
        return Section(name, "told")

    monkeypatch.setattr(importlib.import_module(f"reports.parts.{name}"), "show", show)
    place = {"part": name, "workload": CNN[0], "variant": CNN[1], "status": "ok", "reason": "", "value": {}}
    made = cnn(name, {})
    answers = [r.Answer.model_construct(**place, stack=stack) for stack in (GOOD, FAILED, "torch:invented:cpu:default")]
    (found,) = sections(gather([made.model_copy(update={"answers": answers})])[0], "w0")
    for shown in seen[0]:
        assert [(a.stack, a.status, a.value) for a in shown] == [(GOOD, "ok", {}), (FAILED, "parity_failed", None)]
    assert found.sentence == "told"


def test_other_ways_to_fail_leave_an_answer_out_too(values):
    made = cnn("sweep_batch", values)

    def status(**row):
        rows = [x.model_copy(update=row) if x.stack.key == GOOD else x for x in made.rows]
        found = {a.stack: a for a in judged(made.model_copy(update={"rows": rows}))}
        return found[GOOD].status, found[GOOD].reason

    assert status() == ("ok", "")
    died = made.rows[0].certificate.model_copy(update={"status": "crashed", "reason": "it died"})
    assert status(certificate=died) == ("crashed", "left out, for its certificate could not be made: it died")
    order = {"status": "parity_failed", "reason": "the samples were not trained in the declared order"}
    assert status(**order)[0] == "parity_failed"


def test_a_run_without_certificates_says_so_in_every_section(values):
    bare = told(values, uncertified(cnn("sweep_batch", values)))
    assert "TensorFlow graph" in bare.sentence, "nothing failed, so everything is shown"
    (caveat,) = bare.caveats
    assert caveat.startswith("Not certified in this run: nothing in it proves that these stacks do the same work.")
    some = told(values, uncertified(cnn("sweep_batch", values), "torch:compile:cpu:default"))
    assert some.caveats == ["Not certified in this run: PyTorch compile."]
    page = html([uncertified(cnn("sweep_batch", values))])
    assert page.index("Not certified in this run") < page.index("Throughput over batch sizes")


# -- price -----------------------------------------------------------------------------------------------


def test_a_price_that_cannot_be_applied_is_told(values):
    made = cnn("sweep_batch", values, price_per_hour=2.5)
    timed = gather([made])[0]
    assert "At 2.50 an hour" in cost.sections(timed)[0].sentence
    bare = [row.model_copy(update={"launches": []}) for row in made.rows]
    untimed = dataclasses.replace(timed, rows=tuple(bare))
    (found,) = cost.sections(untimed)
    assert found.sentence == "The price of 2.50 an hour could not be applied: training was not timed in this run."
    asked = made.options.model_copy(update={"measure": ["training"]})
    (found,) = cost.sections(dataclasses.replace(untimed, result=made.model_copy(update={"options": asked})))
    assert found.sentence.endswith("no stack has a timing that counts.")


# -- disturbed samples -----------------------------------------------------------------------------------


def disturbed(blocks, count):
    for block in blocks[:count]:
        block["disturbed"] = True


def test_spoilt_is_what_has_fewer_quiet_blocks_than_disturbed_ones():
    def of(count):
        made = blocks(0.01, 4)
        disturbed(made, count)
        return [Block(**b) for b in made]

    assert [spoilt(of(k)) for k in range(5)] == [False, False, False, True, True]
    quiet, most = of(1), of(3)
    assert median_step(quiet) == sorted(b.step_seconds for b in quiet[1:])[1]
    assert doubts([of(0)], settled=True) == ""
    assert doubts([of(0), quiet], settled=True) == "1 of 8 blocks were disturbed; the quiet ones count."
    told = doubts([of(0), most], settled=False)
    assert told == "3 of 8 blocks were disturbed; no verdict rests on this. The warm-up did not become steady."


def test_a_batch_whose_blocks_were_disturbed_decides_nothing():
    made = {"torch:eager:cpu": sweep(1e-3, 1e-5), "tensorflow:graph:cpu": sweep(1e-4, 1e-6)}
    disturbed(made["torch:eager:cpu"]["points"][0]["blocks"], 2)
    disturbed(made["torch:eager:cpu"]["points"][-1]["blocks"], 1)
    made["tensorflow:graph:cpu"]["points"][2]["settled"] = False
    found = section(result("sweep_batch", made))
    assert found.sentence.startswith(
        "At batch 1 it is undecided who is fastest: most blocks of PyTorch eager were disturbed. "
        "At batch 512 the fastest is TensorFlow graph"
    )
    table = found.tables[0][1]
    (torch,) = [row for row in table.rows if row[0].text == "PyTorch eager"]
    assert [cell.tone for cell in torch[1:]] == ["warn", "", "", "", ""]
    assert [bool(cell.mark) for cell in torch[1:]] == [True, False, False, False, True]
    assert "2 of 3 blocks were disturbed; no verdict rests on this." in table.notes
    assert "The warm-up did not become steady." in table.notes
    assert "Hollow: disturbed" in found.charts[0].caption
    assert "Hollow" not in section(result("sweep_batch", {"torch:eager:cpu": sweep(1e-3, 1e-5)})).charts[0].caption


def test_a_crossing_over_disturbed_blocks_is_undecided():
    made = {"torch:eager:cpu": sweep(1e-4, 1e-5), "torch:eager:cuda": sweep(5e-4, 1e-7)}
    for value in made.values():
        value["unit"] = "samples"
    assert "from a batch of about" in section(result("sweep_batch", made, gpu=True)).sentence
    disturbed(made["torch:eager:cuda"]["points"][2]["blocks"], 3)
    found = section(result("sweep_batch", made, gpu=True))
    assert "PyTorch eager: undecided where the GPU overtakes the CPU" in found.sentence
    assert {row[0]: row for row in cells(found)}["PyTorch eager (cuda)"][-1] == "undecided"
    assert "GPU overtakes CPU" not in found.charts[0].svg


def test_who_is_alone_at_a_batch_is_not_called_fastest_there():
    made = {"torch:eager:cpu": sweep(1e-3, 1e-5), "tensorflow:graph:cpu": sweep(1e-4, 1e-6, b512="too little memory")}
    found = section(result("sweep_batch", made))
    assert "At batch 128 the fastest is TensorFlow graph" in found.sentence
    assert "At batch 512" not in found.sentence
    assert "Not measured: TensorFlow graph at batch 512 (out of memory)." in found.sentence
    made["torch:compile:cpu"] = sweep(2e-3, 2e-5)
    three = section(result("sweep_batch", made)).sentence
    assert "At batch 512 the fastest is PyTorch eager" in three and "of 2 stacks measured there" in three
    alone = section(result("sweep_batch", {"torch:eager:cpu": sweep(1e-3, 1e-5)})).sentence
    assert alone.startswith("Only PyTorch eager was measured; it trains most at batch 512")
    apart = {"b1": "x", "b8": "x", "b32": "x"}
    made = {"torch:eager:cpu": sweep(1e-3, 1e-5, **apart), "torch:compile:cpu": sweep(1, 1, b128="x", b512="x")}
    assert section(result("sweep_batch", made)).sentence.startswith("No batch was measured in more than one stack")


def test_threads_and_precisions_over_disturbed_blocks_are_undecided():
    def threads(one, two):
        counts = [{"threads": k, "status": "ok", "launches": [launch(0, s)]} for k, s in ((1, one), (2, two))]
        return {"batch_size": BATCH, "counts": counts}

    made = {"torch:eager:cpu": threads(0.01, 0.006), "tensorflow:graph:cpu": threads(0.01, 0.009)}
    disturbed(made["tensorflow:graph:cpu"]["counts"][0]["launches"][0]["blocks"], 2)
    found = section(result("sweep_threads", made))
    assert "a step of PyTorch eager is 1.67 times" in found.sentence
    assert "TensorFlow graph 1.1" not in found.sentence
    assert found.sentence.endswith("Undecided, because most blocks were disturbed: TensorFlow graph.")
    one = "2 of 3 blocks were disturbed; no verdict rests on this."
    assert found.tables[0][1].notes == [one, "The speed-up rests on disturbed blocks with one thread."]
    assert "Hollow: mostly disturbed" in found.charts[0].caption

    def precision(name, step):
        probed = launch(0, step, product_error=2e-7 if name == "float32" else 2e-3)
        return {"precision": name, "status": "ok", "launches": [probed], "untrained": "too long"}

    made = {
        stack: {"batch_size": BATCH, "precisions": [precision("float32", 0.01), precision("bf16", 0.02)]}
        for stack in ("torch:eager:cpu", "tensorflow:graph:cpu")
    }
    disturbed(made["torch:eager:cpu"]["precisions"][0]["launches"][0]["blocks"], 3)
    found = section(result("precision", made))
    assert "Undecided in bf16, because most blocks were disturbed: PyTorch eager." in found.sentence
    assert "In bf16 a step takes 2.00 (TensorFlow graph) times as long" in found.sentence
    shown = {(row[0].text, row[1].text): row for row in found.tables[0][1].rows}
    assert shown["PyTorch eager", "bf16"][4].sub == "undecided: disturbed"
    assert shown["TensorFlow graph", "bf16"][4].tone == ""
    assert "Hollow" in found.charts[0].caption
