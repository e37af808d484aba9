"""The report of text and of skip-gram pairs: each metric in its own words, units and direction."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from result_factory import make, make_words
from rich.console import Console
from test_report import EVIL, Page, work

from benchmarks.analysis.verdicts import compare_all
from benchmarks.commands.run import print_summary
from benchmarks.schema.results import Result
from reports import numbers, summary
from reports.charts import Axes, drawn, pass_frame, svg
from reports.charts import accuracy as chart
from reports.measure import MEASURES, measure
from reports.ranking import rank
from reports.render import html
from reports.scores import accuracies, also
from reports.tables import summary as table
from reports.verdict import metric_line, sentence
from reports.work import label


@pytest.fixture(scope="module")
def result() -> Result:
    return make_words()


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return Page(html([result]))


def changed(result: Result, **values: Any) -> Result:
    """The same result with every field of these names, wherever it stands, set to the values."""

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            return {k: values[k] if k in values else walk(v) for k, v in part.items()}
        return [walk(v) for v in part] if isinstance(part, list) else part

    found = Result.model_validate(walk(json.loads(result.model_dump_json(by_alias=True))))
    return found.model_copy(update={"comparisons": compare_all(found.rows)})


def book_run(result: Result, metrics: list[list[float]], book: float = 118.2, metric: str = "perplexity") -> Result:
    """Trainings of the book's recipe on real data alone, one list of final metrics per trained stack."""
    rows = [r for r in result.rows if r.workload == "novel" and r.accuracy]
    out = []
    for row, finals in zip(rows, metrics, strict=True):
        assert row.accuracy is not None
        first = row.accuracy.trainings[0]
        trainings = [first.model_copy(update={"seed": i, "metric": m, "curve": []}) for i, m in enumerate(finals)]
        trained = row.accuracy.model_copy(
            update={"recipe": "book", "judged": False, "reason": "", "trainings": trainings}
        )
        out.append(row.model_copy(update={"launches": [], "status": "ok", "reason": "", "accuracy": trained}))
    declared = result.declared[0]
    plain = {**declared.declaration, "metric": metric, "book_figure": {"value": book, "what": "printed"}}
    changes = {
        "rows": out, "comparisons": [], "declared": [declared.model_copy(update={"declaration": plain})],
        "data": [result.data[0].model_copy(update={"source": "real", "optimum": None})],
        "options": result.options.model_copy(update={"measure": ["accuracy"], "data": "real", "recipe": "book"}),
    }  # fmt: skip
    return result.model_copy(update=changes)


def test_text_is_told_in_tokens_and_perplexity(result: Result, page: Page) -> None:
    for said in (
        "PyTorch compile was measured ahead : 99,100 tokens/s, 1.30 times the throughput",
        "Perplexity (lower is better): PyTorch eager 23.90 (1.20 × floor, in range), TensorFlow eager 31.07 (1.56 × ",
        "floor, missed). Floor on this test set 19.87. Book 118.2 (after 13 epochs).",
        "Batch 20 × 35 tokens", "20,000 training and 10,000 test words",
        "Training tokens/s; step Ratio interval Perplexity lower is better CPU per step CPUs busy "
        "First, further token p50; p99 Offline tokens/s; batch",
        "Floor the source's own, on this test set 19.87", "Accepted range recipe quick 20.00–26.00",
        "Perplexity during training.", "perplexity (lower is better)", "training tokens per second", "floor 19.87",
        "perplexity missed", "State error of tolerance",
    ):  # fmt: skip
        assert said in page.text, said
    assert "accuracy missed" not in page.text and "samples/s" not in page.text


def test_pairs_are_told_in_pairs_and_loss(page: Page) -> None:
    for said in (
        "18,100 pairs/s", "NCE loss (lower is better): PyTorch eager 2.913 (not judged)",
        "Floor on this test set 2.751.", "training pairs per second", "NCE loss during training.",
        "NCE loss lower is better", "Offline words/s; batch", "Single p50; p90, p99",
        "augmentation resize40 flip crop32",
        "spearman wordsim353 range over seeds pairs wordsim353 range over seeds analogies range over seeds "
        "PyTorch eager −0.0412 353 0.0000",
    ):  # fmt: skip
        assert said in page.text, said


def test_what_models_write_and_nearest_words_have_headings_of_their_own(result: Result, page: Page) -> None:
    assert "What the trained models write" not in page.text and "Nearest words" not in page.text  # nothing was kept

    def only(key: str, said: dict[str, str]) -> str:
        rows = [r for r in changed(result, generated=said).rows if r.workload == key]
        return Page(html([result.model_copy(update={"rows": rows, "comparisons": [], "rankings": []})])).text

    pairs = only("neighbours", {"king": "queen, prince"})
    assert "Nearest words PyTorch eager king queen, prince TensorFlow eager king queen, prince" in pairs
    assert "What the trained models write" not in pairs
    text = only("novel", {"k = 1": "it is a | book"})
    assert "What the trained models write PyTorch eager k = 1 it is a | book" in text
    assert "Nearest words" not in text


def test_first_and_further_tokens_stand_together(result: Result) -> None:
    w = work(result, "novel")
    shown = table(w, rank(w))
    column = next(i for i, c in enumerate(shown.columns) if c.title == "First, further token")
    assert all(re.fullmatch(r"3\.\d\d ms, \d+ µs", row[column].text) for row in shown.rows)
    assert shown.columns[shown.foot[0].column].title == "Perplexity"


def test_throughput_counts_every_word(result: Result) -> None:
    row = next(r for r in result.rows if r.workload == "novel")
    rates = pass_frame([row])["rate"]
    assert list(rates) == [20 * 35 / s for s in row.pass_step_seconds().values()]


def test_scores_beside_the_metric(result: Result) -> None:
    assert also(work(result, "novel")) is None
    shown = also(work(changed(result, also={"neighbours": 0.6131}), "neighbours"))
    assert shown is not None
    assert [c.title for c in shown.columns] == ["Stack", "neighbours"]
    w = work(result, "neighbours")
    row = next(r for r in w.rows if r.accuracy)
    assert row.accuracy is not None
    apart = [t.model_copy(update={"also": {"analogies": 0.25 + t.seed / 4}}) for t in row.accuracy.trainings]
    one = row.model_copy(update={"accuracy": row.accuracy.model_copy(update={"trainings": apart})})
    shown = also(work(result.model_copy(update={"rows": [one]}), "neighbours"))
    assert shown is not None
    assert (shown.rows[0][1].text, shown.rows[0][1].sub) == ("0.3750", "0.2500 to 0.5000")
    assert all(also(w) is None for w in [work(make(), "mnist_mlp")])


@pytest.mark.parametrize(
    ("metrics", "headline", "words"),
    [
        ([[90.1, 92.2], [95.0, 96.0]], "is bettered by both stacks", "better: all"),
        (
            [[90.1, 92.2], [117.0, 119.0]],
            "is bettered by PyTorch eager and lies among the seeds of TensorFlow eager",
            "better: PyTorch eager; within: TensorFlow eager",
        ),
        ([[130.0], [119.0]], "is not reached by both stacks", "worse: all"),
    ],
)  # fmt: skip
def test_perplexity_beside_the_book_has_no_standard_error(
    result: Result, metrics: list[list[float]], headline: str, words: str
) -> None:
    run = book_run(result, metrics)
    said = sentence(work(run, "novel"))
    assert said.headline == f"The book's perplexity of 118.2 {headline}"
    assert "range over seeds alone" in said.text and "standard error" not in said.text
    page = Page(html([run]))
    assert "Standard errors are binomial" not in page.text
    assert "÷ book" in page.text
    assert "| LSTM on a novel | perplexity 118.2 |" in summary.markdown([run])
    assert f"no SE; seeds {words} |" in summary.markdown([run])


def test_a_metric_of_no_known_direction_claims_nothing(result: Result) -> None:
    run = book_run(result, [[1.0], [2.0]], book=3.0, metric="word_error")
    said = sentence(work(run, "novel"))
    assert said.headline == "The book's word error of 3.000 stands beside these figures"
    plain = [d.model_copy(update={"declaration": {**d.declaration, "metric": "word_error"}}) for d in result.declared]
    line = metric_line(work(result.model_copy(update={"declared": plain}), "novel"))
    assert line.startswith("Word error: PyTorch eager 23.90 (in range), ") and "Optimum on this test set 19.87" in line


def test_seeds_are_told_as_multiples_of_the_floor(result: Result) -> None:
    options = result.options.model_copy(update={"measure": ["accuracy"]})
    rows = [r.model_copy(update={"launches": []}) for r in result.rows]
    run = result.model_copy(update={"rows": rows, "options": options, "comparisons": []})
    text, pairs = (accuracies(work(run, key)) for key in ("novel", "neighbours"))
    assert text is not None and pairs is not None
    assert (text.columns[1].sub, pairs.columns[1].sub) == ("÷ floor", "− floor")
    assert [cell.sub for cell in (text.rows[0][-2], pairs.rows[0][-2])] == ["1.203", "+0.162"]
    assert sentence(work(run, "novel")).headline == "Perplexity alone was measured"
    assert "TensorFlow eager (perplexity failed)" in " ".join(sentence(work(run, "novel")).asides)


def test_far_perplexities_get_a_logarithmic_axis(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Axes] = []
    plain = svg.area
    monkeypatch.setattr(svg, "area", lambda *a, **k: seen.append(plain(*a, **k)) or seen[-1])
    for run, key in ((result, "novel"), (result, "neighbours"), (make(), "mnist_mlp")):
        w = work(run, key)
        assert drawn(chart, w, rank(w), "k") is not None
    assert [axes.get_yscale() for axes in seen] == ["log", "linear", "linear"]
    assert [axes.get_ylabel() for axes in seen] == [
        "perplexity (lower is better)", "NCE loss (lower is better)", "accuracy",
    ]  # fmt: skip


def test_readme_has_the_words_of_each_kind(result: Result) -> None:
    lines = summary.markdown([make(interrupted=False), result]).splitlines()
    heads = [line.split(" | ") for line in lines if line.startswith("| Stack |")]
    assert [(h[1], *h[4:6]) for h in heads[-2:]] == [
        ("Tokens/s", "Perplexity (lower is better)", "Floor / book (real data)"),
        ("Pairs/s", "NCE loss (lower is better)", "Floor / book (real data)"),
    ]
    assert {(h[1], *h[4:6]) for h in heads[:-2]} == {("Samples/s", "Accuracy", "Optimum / book (real data)")}
    assert "| PyTorch eager | 76,300 | 9.18 | 1.30 | 23.90 (1.20 × floor), in range | 19.87 / 118.2 |" in "\n".join(
        lines
    )


def test_the_terminal_says_the_same(result: Result) -> None:
    console = Console(width=140, file=io.StringIO(), record=True)
    print_summary(console, result)
    print_summary(console, make())
    text = console.export_text()
    for said in (
        "novel (floor 19.87)", "tokens/s", "perplexity, lower is better", "23.90 23.90 (1.20 × floor)", "pairs/s",
        "NCE loss, lower is better", "2.913 2.914", "samples/s", " accuracy ", "0.79",
    ):  # fmt: skip
        assert said in text, said


def test_images_of_new_runs_are_counted_as_images() -> None:
    new = changed(make(), unit="images")
    page = Page(html([new]))
    assert "images/s; step" in page.text and "training images per second" in page.text
    assert "training and 10,000 test examples" in page.text and "samples/s" not in page.text


def test_hostile_units_metrics_and_scores_are_text(result: Result) -> None:
    hostile = changed(result, unit=EVIL, metric=2.5, also={EVIL: 0.5}, augmentation=EVIL)
    plain = [d.model_copy(update={"declaration": {**d.declaration, "metric": EVIL}}) for d in hostile.declared]
    hostile = hostile.model_copy(update={"declared": plain})
    text = html([hostile])
    page = Page(text)
    assert "<script>alert" not in text and len([tag for tag, _ in page.elements if tag == "script"]) == 1
    assert page.text.count("alert(1)") > 20
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "<script" not in summary.markdown([hostile])
    assert all(label(row.stack) in page.text for row in hostile.rows)


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [("accuracy", 0.98765, "0.9877"), ("perplexity", 108.34, "108.3"), ("perplexity", 1234.5, "1,234"),
     ("nce_loss", 2.75123, "2.751"), ("nce_loss", 0.69314, "0.6931"), (None, 0.5, "0.5000")],
)  # fmt: skip
def test_figures_of_metrics(metric: str | None, value: float, shown: str) -> None:
    assert measure(metric).text(value) == shown


def test_distances_of_metrics() -> None:
    assert MEASURES["accuracy"].distance(0.97, 0.98) == "−0.0100"
    assert MEASURES["perplexity"].distance(24.0, 20.0) == "1.200"
    assert MEASURES["nce_loss"].distance(2.7, 2.75) == "−0.050"
    assert MEASURES["nce_loss"].distance(2.75, 2.75) == "0.000"
    assert MEASURES["perplexity"].over(24.0, None) == MEASURES["accuracy"].over(0.9, 0.98) == ""
    assert [numbers.score(v) for v in (353.0, -0.5, 1.0, 12.345)] == ["353", "−0.5000", "1.0000", "12.35"]
