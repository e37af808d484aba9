"""The museum without a measurement: what is derived from samples, and the page made of it."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from museum_factory import case, sample, visit
from pydantic import ValidationError

from benchmarks import museum
from benchmarks.commands.cli import main
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import frameworks
from benchmarks.museum import page
from benchmarks.museum.schema import NOT_VISITED, Case, Judged, Scores, read, write
from benchmarks.schema.markdown import renew
from benchmarks.workload import ROOT, discover

KEPT = sorted((ROOT / "results" / "museum").glob("*.json"))
SAMPLE = st.builds(sample, st.floats(1e-5, 10), st.integers(1, 50))


# -- statistics ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(SAMPLE, SAMPLE), min_size=1, max_size=9))
def test_the_factor_is_of_seconds_per_step_and_within_its_range(pairs):
    right, wrong = map(list, zip(*pairs, strict=True))
    one = case(1.0).model_copy(update={"right": right, "wrong": wrong})
    assert one.low <= one.factor <= one.high
    assert one.factors[0] * right[0].seconds / right[0].steps == pytest.approx(wrong[0].seconds / wrong[0].steps)


@pytest.mark.parametrize(
    ("factors", "moved"),
    [
        ((2.0, 1.9, 2.2), True),
        ((0.5, 0.4, 0.6), True),
        ((1.03, 1.04, 1.02), False),  # as much as launches differ
        ((0.97, 0.96, 0.98), False),
        ((1.4, 1.3, 0.99), False),  # not in one direction
    ],
)
def test_what_counts_as_moved(factors, moved):
    assert case(*factors).moved is moved


def test_a_visit_is_noisy_when_its_right_samples_are():
    quiet, loud = case(*[2.0] * 9), case(2.0, disturbed=True)
    assert not visit({"hog": [quiet]}).noisy
    assert not visit({"hog": [quiet, quiet, loud]}).noisy
    assert visit({"hog": [quiet, loud, loud]}).noisy
    assert visit({"hog": [quiet, loud, loud]}).disturbed == (2, 11)
    hogged = [sample(1, 1, disturbed=True)] * 9
    assert not visit({"hog": [quiet.model_copy(update={"wrong": hogged})]}).noisy  # there it is meant


def test_the_schema_refuses_what_cannot_be():
    with pytest.raises(ValidationError, match="as many right samples"):
        case(2.0, wrong=[])
    with pytest.raises(ValidationError, match="exactly when it is ok"):
        case(2.0, status="failed", reason="it broke")
    with pytest.raises(ValidationError, match="every seed"):
        Scores(metric="accuracy", recipe="quick", seeds=[0, 1], right=[0.5, 0.6], wrong=[0.1])


def test_what_is_written_is_read_again(tmp_path):
    kept = visit({"hog": [case(2.0)], "no_synchronise": [case()]})
    write(kept, tmp_path / "new" / "one.json")
    assert read(tmp_path / "new" / "one.json") == kept
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(Problem, match=r"other\.json is no visit"):
        read(tmp_path / "other.json")


def test_best_of_n_on_steps_that_never_vary_and_on_steps_that_do():
    remark = museum.exhibit("best_of_n").remark
    still = remark(case(1.0, single_steps=[[0.001] * 100]))
    assert "two bests of 10 differ by more than 2% in 0% of the draws" in still
    assert "the best of 10 is +0.0% off" in still
    lucky = remark(case(1.0, single_steps=[[0.001] * 98 + [0.0008] * 2]))
    assert "two medians of 10 in 0%" in lucky
    off = re.search(r"the best of 10 is \+(\d+\.\d)% off in the middle of the draws", lucky)
    assert float(off[1]) == pytest.approx(25.0)


# -- the page ------------------------------------------------------------------------------------------


def cells(found):
    return [line.split(" | ") for line in page.document(found).splitlines() if line.startswith("| ")][2:]


def test_the_table_says_which_way_and_why_not():
    found = visit(
        {
            "data_copy": [case(1.5, 1.6, 1.4), case(1.0, 1.02, 0.98, stack="tensorflow:graph:cpu")],
            "no_synchronise": [case()],
            "unequal_threads": [case(0.02, 0.03, 0.01)],
        }
    )
    rows = cells(found)
    assert [row[0].removeprefix("| ") for row in rows] == [
        "Threads for one side only",  # what moved farthest comes first
        "Data copied inside the clock",
        "Data copied inside the clock",
        "No synchronise",
    ]
    assert [row[-1].removesuffix(" |") for row in rows] == [
        "faster than it is",
        "slower than it is",
        "did not move here",
        "unavailable: there is nothing to leave out",
    ]
    assert rows[1][3:6] == ["1.00", "1.50", "× 1.50 (1.40 to 1.60)"]
    text = page.document(found)
    assert "the number did not move on this machine" in text
    assert "2 threads" in text and "torch 2.13" in text
    assert "**" not in text


def test_noise_and_smoke_are_said_first():
    loud = page.document(visit({"hog": [case(2.0, disturbed=True)]}, profile="smoke"))
    assert loud.startswith("**A smoke run: the figures mean nothing.**")
    assert "(1 of 1 right samples were disturbed" in loud
    assert "Detection marked 0 of 1 blocks beside the hog as disturbed, and 1 of 1 without it." in loud


def test_how_long_it_took_and_what_was_left_out_is_said(tmp_path):
    whole = visit({"hog": [case(2.0)]})
    assert page.took(whole) == "The visit took 4.0 minutes."
    assert "4.0 minutes" in page.document(whole) and "not visited" not in page.document(whole)
    left = case(reason=NOT_VISITED)
    cut = visit({"hog": [case(2.0)], "no_synchronise": [case()], "unequal_threads": [left]}, minutes=3.5, seconds=261.0)
    assert "**1 of 3 cases were not visited: after 3.50 minutes nothing further was begun.**" in page.document(cut)
    write(cut, tmp_path / "a.json")
    shown = CliRunner().invoke(main, ["pitfalls", "--from", str(tmp_path / "a.json")])
    assert shown.exit_code == 0
    told = "The visit took 4.3 minutes. 1 of 3 cases were not visited: nothing was begun after 3.50 minutes; --minutes"
    assert told in " ".join(shown.output.split())


def test_what_certificate_and_training_say():
    sound, faulty = Judged(status="ok", failed=[]), Judged(status="parity_failed", reason="x", failed=["loss", "feed"])
    scores = Scores(
        metric="accuracy", recipe="quick", seeds=[0, 1], right=[0.52, 0.51], wrong=[0.1, 0.1], optimum=0.977
    )
    text = page.document(visit({"double_softmax": [case(1.0, sound=sound, faulty=faulty, scores=scores)]}))
    assert "The certificate catches it: failed in `loss`, `feed`." in text
    assert "recipe `quick`, 2 seeds: accuracy 0.5100 to 0.5200 right, 0.1000 wrong; optimum 0.9770." in text
    missed = page.judged(case(1.0, sound=sound, faulty=sound))
    assert missed == "The certificate does not catch it."
    assert "of the right program" in page.judged(case(1.0, sound=faulty, faulty=faulty))


def test_the_page_in_the_tree_is_of_the_newest_visit_kept():
    body = page.document(read(KEPT[-1])) if KEPT else "Not measured yet.\n"
    assert not renew(ROOT / "docs" / "MUSEUM.md", "museum", body, write=False)


def test_visits_in_the_tree_are_whole_quiet_and_tell_nothing_of_the_machine_s_folders():
    for path in KEPT:
        found = read(path)
        assert [e.name for e in found.exhibits] == list(museum.names()), path.name
        assert found.profile == "quick" and not found.noisy and not found.not_visited, path.name
        assert not re.search(r'"/(home|root|tmp|work|Users)/', path.read_text("utf-8")), path.name


# -- exhibits and command ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", museum.names())
def test_an_exhibit_tells_what_it_must(name):
    module = museum.exhibit(name)
    assert len(module.MISTAKE) > 200 and "\n" not in module.MISTAKE
    assert all((module.TITLE, module.PREVENTED, module.RIGHT, module.WRONG, module.__doc__))
    assert len(set(module.PLACES)) == len(module.PLACES) > 0
    found = {f.workload.key: f for f in discover()}
    for place in module.PLACES:
        framework, mode = place.stack.split(":")
        assert mode in frameworks()[framework].modes
        assert found[place.workload].implementation(framework).exists()


def test_exhibits_are_listed():
    done = CliRunner().invoke(main, ["pitfalls", "--list"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == list(museum.names())


def test_wrong_words_are_usage_errors(tmp_path):
    unknown = CliRunner().invoke(main, ["pitfalls", "--only", "hog,unknown"])
    assert unknown.exit_code == 2 and "--only unknown: no such exhibit; there are best_of_n" in unknown.output
    write(visit({"hog": [case(2.0)]}), tmp_path / "a.json")
    both = CliRunner().invoke(main, ["pitfalls", "--from", str(tmp_path / "a.json"), "--only", "hog"])
    assert both.exit_code == 2


def test_a_kept_visit_is_shown_without_a_framework(tmp_path):
    write(visit({"hog": [case(2.0)]}), tmp_path / "a.json")
    code = f"""
import sys
from benchmarks.commands.cli import main
try:
    main(["pitfalls", "--from", {str(tmp_path / "a.json")!r}])
except SystemExit as end:
    print(end.code, *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "A hog on one core" in done.stdout
    code, *loaded = done.stdout.splitlines()[-1].split()
    assert code == "0"
    assert not {"torch", "tensorflow", "keras", "pandas", "scipy"} & set(loaded)


def test_a_failed_case_makes_the_command_fail(tmp_path):
    assert Case.model_validate(case(status="crashed", reason="it died").model_dump()).status == "crashed"
    write(visit({"hog": [case(status="crashed", reason="it died")]}), tmp_path / "a.json")
    assert CliRunner().invoke(main, ["pitfalls", "--from", str(tmp_path / "a.json")]).exit_code == 1
