"""Each book's figure is held against the score that the book measured; other books' figures are shown, no more."""

from __future__ import annotations

import re

import pytest
from result_factory import make_book
from test_report import Page, work

from benchmarks.schema.results import Result, Row
from benchmarks.workload import BookFigure, Workload, discover, hash_declaration
from reports import summary
from reports.render import html
from reports.scores import accuracies
from reports.tables import _references
from reports.verdict import against_book, metric_line, sentence

KEY = "mnist_mlp_ablation/batchnorm"
SCORE = "accuracy_batch_statistics"
LOWER = 0.05  # how far the batches' statistics put the score below the metric


def scored(row: Row) -> Row:
    """With the book's own score beside every metric."""
    if row.accuracy is None:
        return row
    trainings = [
        t.model_copy(update={"also": {SCORE: t.metric - LOWER} if t.metric is not None else {}})
        for t in row.accuracy.trainings
    ]
    return row.model_copy(update={"accuracy": row.accuracy.model_copy(update={"trainings": trainings})})


@pytest.fixture(scope="module")
def result() -> Result:
    """The book's figure of ``batchnorm`` is of batch statistics, and another book prints one."""
    base = make_book()
    declared = []
    for d in base.declared:
        plain = dict(d.declaration)
        if d.variant == "batchnorm":
            plain["book_figure"] = {"type": "BookFigure", "value": 0.9311, "what": "never evaluated", "score": SCORE}
            plain["other_figures"] = [{"type": "BookFigure", "value": 0.9, "what": "64,000 iterations"}]
        declared.append(d.model_copy(update={"declaration": plain}))
    return base.model_copy(update={"declared": declared, "rows": [scored(r) for r in base.rows]})


def test_the_figure_is_held_against_its_own_score(result: Result) -> None:
    w, plain = work(result, KEY), work(make_book(), KEY)
    for row, same in zip(w.rows, plain.rows, strict=True):
        held, before = against_book(w, row), against_book(plain, same)
        assert (held is None) == (before is None)
        if held is not None and before is not None:
            assert held.metrics == pytest.approx({seed: m - LOWER for seed, m in before.metrics.items()})
            assert held.figure == 0.9311
    said = sentence(w)
    assert said.headline == (
        "The book's 0.9311 (batch statistics) is met by PyTorch eager and TensorFlow eager, not by TensorLayerX eager"
    )
    assert ": PyTorch eager 0.9296 to 0.9312 over 3 seeds, " in said.text
    assert "Another book prints 0.9000 (64,000 iterations)." in said.asides


def test_without_its_score_nothing_is_claimed(result: Result) -> None:
    w = work(result.model_copy(update={"rows": make_book().rows}), KEY)
    assert all(against_book(w, row) is None for row in w.rows)
    assert sentence(w).headline == "Accuracy alone was measured"


def test_the_tables_say_of_what_a_figure_is(result: Result) -> None:
    w = work(result, KEY)
    shown = accuracies(w)
    assert shown is not None
    titles = [c.title for c in shown.columns]
    assert titles == ["Stack", "Seed 0", "Seed 1", "Seed 2", "Mean", "Seeds, batch statistics", "Book"]
    assert {cell.sub for row in shown.rows for cell in row[1:5]} == {""}  # no distance from another score's figure
    assert [(f.name, f.value, f.column) for f in shown.foot] == [("Other book", "0.9000", 4)]
    assert [(r.name, r.what, r.value) for r in _references(w)] == [
        ("Book", "never evaluated, real data", "0.9311 (batch statistics)"),
        ("Other book", "64,000 iterations, real data", "0.9000"),
    ]
    page = Page(html([result]))
    assert "other book 0.9000" in page.text  # in the chart of the metric, where the other has no place
    assert "book 0.9311" not in page.text
    assert re.search(r"Other book 64,000 iterations 0\.9000", page.text)


def test_the_readme_has_a_line_per_figure(result: Result) -> None:
    lines = [line for line in summary.markdown([result]).splitlines() if "batch norm" in line]
    assert len(lines) == 2
    assert "| 0.9311 (batch statistics) | 0.9296 to 0.9312 over 3 seeds, eager |" in lines[0]
    assert "; 64,000 iterations | 0.9000 | 0.9796 to 0.9812 over 3 seeds, eager |" in lines[1]
    assert lines[1].endswith("| trained otherwise |")


def test_a_timed_run_names_all_figures(result: Result) -> None:
    options = result.options.model_copy(update={"measure": ["training", "accuracy"]})
    w = work(result.model_copy(update={"options": options}), KEY)
    assert metric_line(w).endswith("Book 0.9311 (never evaluated). Other book 0.9000 (64,000 iterations).")
    assert "0.9311 (batch statistics); 0.9000, other book" in summary.markdown([w.result])


def test_what_the_book_printed_of_something_else_is_shown_and_not_compared(result: Result) -> None:
    plain = {"type": "BookFigure", "value": 0.977, "what": "images it had seen", "aside": "training images"}
    declared = [
        d.model_copy(update={"declaration": {**d.declaration, "other_figures": [plain]}})
        if d.variant == "batchnorm"
        else d
        for d in result.declared
    ]
    seen = result.model_copy(update={"declared": declared})
    (line,) = [line for line in summary.markdown([seen]).splitlines() if "images it had seen" in line]
    assert "| 0.9770 |" in line
    assert line.endswith("| not measured |")
    assert " seeds, " not in line
    timed = seen.model_copy(update={"options": seen.options.model_copy(update={"measure": ["training", "accuracy"]})})
    assert metric_line(work(timed, KEY)).endswith("Book, training images 0.9770 (images it had seen).")


def test_figures_judge_and_do_not_change_the_work() -> None:
    resnet: Workload = next(f.workload for f in discover() if f.workload.key == "cifar10_resnet")
    plain = resnet.declaration()
    assert plain["book_figure"]["score"] == SCORE
    assert [f["value"] for f in plain["other_figures"]] == [0.936, 0.9]
    bare = {k: v for k, v in plain.items() if k != "other_figures"}
    bare["book_figure"] = {k: v for k, v in plain["book_figure"].items() if k != "score"}
    assert hash_declaration(plain) == hash_declaration(bare) == resnet.hash
    bare["book_figure"] = {**bare["book_figure"], "value": 0.9}
    assert hash_declaration(bare) != resnet.hash


def test_an_optional_score_stays_out_of_the_declaration() -> None:
    ablation = next(f.workload for f in discover() if f.workload.key == KEY)
    assert isinstance(ablation.book_figure, BookFigure)
    assert set(ablation.declaration()["book_figure"]) == {"type", "value", "what"}
    assert "other_figures" not in ablation.declaration()
