"""What the report says of tuned modes: marked as such, held against the ordinary modes of their framework."""

import dataclasses
import re

import pytest
from result_factory import make

from benchmarks.results import digest
from benchmarks.verdicts import compare_all, rank_all
from reports import tuning
from reports.ranking import rank
from reports.render import html
from reports.summary import markdown
from reports.verdict import sentence
from reports.work import gather


def slower(launch, factor):
    blocks = [b.model_copy(update={"seconds": b.seconds * factor}) for b in launch.blocks]
    return launch.model_copy(update={"blocks": blocks})


def made(passes=5, **tuned):
    """The factory's MNIST MLP with a tuned row for each MODE=FACTOR: PyTorch eager's times, so much longer."""
    base = make(passes=passes, interrupted=False)
    rows = [row for row in base.rows if row.workload == "mnist_mlp"]
    eager = rows[0]
    for name, factor in tuned.items():
        mode = name.replace("_", "-")
        stack = eager.stack.model_copy(update={"mode": mode, "tuned": True})
        launches = [slower(la, factor) for la in eager.launches]
        rows.append(eager.model_copy(update={"stack": stack, "launches": launches}))
    compared = compare_all(rows)
    changes = {"rows": rows, "comparisons": compared, "rankings": rank_all(rows, compared)}
    changes |= {"declared": [d for d in base.declared if d.name == "mnist_mlp"]}
    result = base.model_copy(update=changes)
    return result.model_copy(update={"digest": digest(result)})


def shown(result):
    (work,) = gather([result])
    return work, tuning.sections(work, rank(work), "t")


def test_a_run_without_tuned_rows_says_nothing_of_tuning():
    assert shown(made())[1] == []
    assert "tuned" not in html([made()])


def test_each_tuned_mode_is_held_against_the_ordinary_modes_of_its_framework():
    work, (section,) = shown(made(eager_keepmem=0.8, max_autotune=1.5))
    assert section.title == "What tuning brings"
    best = r"Against PyTorch eager, the fastest ordinary mode of PyTorch, a step takes 0\.80 times as long "
    best += r"\(95 % interval 0\.\d+ to 0\.\d+, faster\) in PyTorch eager \(freed memory kept\) and 1\.50 times "
    best += r"as long \(95 % interval 1\.\d+ to 1\.\d+, slower\) in PyTorch compile \(max-autotune\)\."
    assert re.fullmatch(best, section.sentence), section.sentence
    table = section.tables[0][1]
    assert [[row[0].text, row[1].text, row[2].text, row[3].text] for row in table.rows] == [
        ["PyTorch eager (freed memory kept)", "PyTorch eager", "0.80", "faster"],
        ["PyTorch eager (freed memory kept)", "PyTorch compile", table.rows[1][2].text, "faster"],
        ["PyTorch compile (max-autotune)", "PyTorch eager", "1.50", "slower"],
        ["PyTorch compile (max-autotune)", "PyTorch compile", table.rows[3][2].text, "slower"],
    ]
    eager, keep = work.rows[0], next(row for row in work.rows if row.stack.mode == "eager-keepmem")
    stored = work.comparison(keep, eager)
    assert table.rows[0][2].sort == pytest.approx(stored.ratio)
    assert "PyTorch compile (max-autotune) against eager" in section.charts[0].svg
    assert section.caveats == []


def test_ratios_of_a_pair_are_by_pass():
    work, _ = shown(made(eager_keepmem=0.8))
    (keep, *_) = tuning.pairs(work, rank(work))
    assert keep.ratios == [pytest.approx(0.8)] * 5


def test_below_five_passes_and_without_certificate_the_section_says_so():
    _, (section,) = shown(made(passes=2, eager_keepmem=0.8))
    assert "0.80 times as long (provisional) in PyTorch eager (freed memory kept)" in section.sentence
    assert section.caveats == ["Provisional: fewer than 5 passes, so there is no interval."]
    bare = made(eager_keepmem=0.8)
    rows = [row.model_copy(update={"certificate": None}) for row in bare.rows]
    _, (section,) = shown(bare.model_copy(update={"rows": rows}))
    assert section.caveats[0].startswith("Not certified in this run")


def test_a_tuned_mode_that_failed_or_stands_alone_is_a_line_with_its_reason():
    result = made(eager_keepmem=0.8)
    failed = {"status": "parity_failed", "reason": "certificate: gradient of fc1.weight"}
    rows = [row.model_copy(update=failed) if row.stack.tuned else row for row in result.rows]
    _, (section,) = shown(result.model_copy(update={"rows": rows}))
    (line,) = section.tables[0][1].lines
    assert (line.names, line.word) == (("PyTorch eager (freed memory kept)",), "certificate failed")
    assert section.sentence.startswith("No tuned mode has a timing that counts")
    assert not section.charts
    (work,) = gather([result])
    alone = dataclasses.replace(work, rows=tuple(row for row in work.rows if row.stack.tuned))
    (section,) = tuning.sections(alone, rank(alone), "t")
    assert section.tables[0][1].lines[0].word == "alone"


def test_tuned_rows_are_marked_in_page_and_readme():
    result = made(eager_keepmem=0.8)
    page = re.sub(r"<[^>]+>", "|", html([result]))
    assert "|PyTorch eager (freed memory kept), tuned|" in page
    assert "|PyTorch eager, tuned|" not in page
    (work,) = gather([result])
    told = "PyTorch eager (freed memory kept) is a tuned mode: what tuning brings stands further below."
    assert told in sentence(work).asides
    assert "| PyTorch eager (freed memory kept), tuned |" in markdown([result])
