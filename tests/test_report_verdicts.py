"""What the report says of verdicts: joint intervals, places, what could have been found, pilot and canary."""

import io
import random

import pytest
import result_factory
from click.testing import CliRunner
from rich.console import Console

from benchmarks.analysis.pilot import judge_pilot
from benchmarks.analysis.ratios import FAMILY_ERROR
from benchmarks.analysis.verdicts import compare_all, rank_all
from benchmarks.commands.cli import main
from benchmarks.commands.run import print_summary
from benchmarks.schema import results as r
from reports import summary
from reports.ranking import JOINT, rank, size
from reports.render import html
from reports.verdict import sentence
from reports.work import Work, gather

KEY = "mnist_mlp"


def judged(result: r.Result, rows: list[r.Row], **changes: object) -> r.Result:
    comparisons = compare_all(rows)
    derived = {"rows": rows, "comparisons": comparisons, "rankings": rank_all(rows, comparisons)}
    return result.model_copy(update={**derived, **changes})


def with_canary(result: r.Result, level: float) -> r.Result:
    """PyTorch eager of one workload launched once more, its step times ``level`` times as long."""
    twin = next(row for row in result.rows if row.workload == KEY and row.stack.key == "torch:eager:cpu:default")
    rng, launches = random.Random(0), []
    for launch in twin.launches:
        noise = level * (1 + rng.gauss(0, 0.002))
        blocks = [b.model_copy(update={"seconds": b.seconds * noise}) for b in launch.blocks]
        launches.append(launch.model_copy(update={"blocks": blocks}))
    stack = twin.stack.model_copy(update={"replica": 1})
    again = twin.model_copy(update={"stack": stack, "launches": launches, "certificate": None, "accuracy": None})
    return judged(result, [*result.rows, again])


@pytest.fixture(scope="module")
def full() -> r.Result:
    return result_factory.make(passes=6, interrupted=False)


def work(result: r.Result) -> Work:
    return next(w for w in gather([result]) if w.key == KEY)


def test_a_ratio_has_its_joint_interval_and_what_could_be_found(full: r.Result) -> None:
    found = rank(work(full))
    base, row = found.ranked[:2]
    stored = work(full).comparison(row, base)
    versus = found.against[row.stack.key]
    assert stored is not None
    assert (versus.low, versus.high) == (stored.simultaneous_low, stored.simultaneous_high)
    assert stored.low is not None and stored.simultaneous_low is not None
    assert stored.simultaneous_low < stored.low  # jointly is wider than alone
    assert versus.finds.endswith(" %")
    assert f"{1 - FAMILY_ERROR:.0%}".replace("%", " %") == JOINT
    assert versus.within == f"joint 97 % interval {versus.interval}"
    assert f"({versus.within}" in sentence(work(full)).text
    assert "95 %" not in html([full]).split('id="method"')[1]
    assert "joint interval (97 % for all pairs of a table together)" in summary.markdown([full])
    before = full.model_copy(update={"verdict_rule": 2})
    assert "joint interval (97 % for all pairs of a workload together)" in summary.markdown([before])
    text = html([full])
    assert f"finds\u00a0{versus.finds}".replace(" ", "\u00a0") in text
    assert "hold jointly for all pairs" in " ".join(text.split())
    assert f"finds {versus.finds}" in summary.markdown([full])


def test_large_differences_are_told_as_ratios() -> None:
    assert (size(1.031), size(2.4), size(1e33)) == ("3.1 %", "2.4 times", "over 100 times")


def test_places_and_passes_stand_in_the_verdict(full: r.Result) -> None:
    said = " ".join(sentence(work(full)).asides)
    assert "Places: 1 TensorFlow graph; 2 PyTorch eager" in said
    assert "6 passes would have found differences of " in said


def test_the_pilots_decision_is_told(full: r.Result) -> None:
    rows = [row for row in full.rows if row.workload == KEY]
    pilot = judge_pilot(rows, pilot=3)
    said = " ".join(sentence(work(full.model_copy(update={"pilots": [pilot]}))).asides)
    assert f"Decided after 3 passes: {pilot.passes} passes" in said
    assert "launches of a stack vary by" in said
    several = [pilot, pilot.model_copy(update={"variant": "other", "passes": 31})]
    assert f"{pilot.passes} to 31 passes" in summary.markdown([full.model_copy(update={"pilots": several})])


@pytest.mark.parametrize(("level", "says"), [(1.0005, "as it should be"), (1.2, "an alarm")])
def test_the_canary_is_a_check_and_no_stack(full: r.Result, level: float, says: str) -> None:
    result = with_canary(full, level)
    found = work(result)
    assert [row.stack for row in found.rows] == [row.stack for row in work(full).rows]
    assert [row.stack for row in rank(found).ranked] == [row.stack for row in rank(work(full)).ranked]
    line = next(text for text in sentence(found).asides if text.startswith("Canary"))
    assert line.startswith("Canary: two launches of PyTorch eager differ by ")
    assert says in line
    assert line in html([result]).replace("&#39;", "'")


def test_what_the_canary_speaks_against_is_said(full: r.Result) -> None:
    said = sentence(work(with_canary(full, 3.0)))
    assert any("untrustworthy, two launches of torch:eager:cpu:default differ by as much" in a for a in said.asides)
    assert said.standing == "shared"


def test_the_terminal_tells_first_places_and_the_canary(full: r.Result) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    print_summary(console, with_canary(full, 1.0005))
    text = console.export_text()
    assert "fastest: tensorflow graph" in text
    assert "minimum detectable difference" in text
    assert "A/A check: two launches of torch eager: ratio " in text
    assert "torch eager again" not in text


def test_help_names_the_self_test() -> None:
    done = CliRunner().invoke(main, ["--help"])
    assert "selftest" in done.output


def test_a_run_that_was_only_asked_further_questions_says_so():
    result = result_factory.make()
    first = result.declared[0]
    value = {"batch_size": 2, "steps": 1, "imported_resident": 10}
    place = {"part": "memory", "workload": first.name, "variant": first.variant, "stack": "torch:eager:cpu:default"}
    options = result.options.model_copy(update={"measure": ["memory"]})
    answered = {"options": options, "rows": [], "answers": [r.Answer(**place, status="ok", value=value)]}
    asked = gather([result.model_copy(update=answered)])[0]
    said = sentence(asked, rank(asked))
    assert said.headline == "Speeds were not compared"
    assert said.text == "; answered below: memory."
    silent = gather([result.model_copy(update=answered | {"answers": []})])[0]
    assert sentence(silent, rank(silent)).headline == "Nothing was measured"
