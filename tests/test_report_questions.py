"""The Markdown page of what parts found."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from part_answers import launch, result

from benchmarks.schema.markdown import markers
from reports import questions
from reports.cli import main

BEGIN, END = markers("results")
STEPS = {"torch:eager:cpu": 0.010, "tensorflow:graph:cpu": 0.012}


def threads(step):
    return {"batch_size": 64, "counts": [
        {"threads": n, "status": "ok", "launches": [launch(0, step / n), launch(1, step / n)]} for n in (1, 2)
    ]}  # fmt: skip


@pytest.fixture
def made():
    values = {key: threads(step) for key, step in STEPS.items()}
    return result("sweep_threads", {**values, "tensorlayerx:eager:cpu": "a | b\nis <missing>"})


def test_it_has_title_question_sentence_and_table(made):
    text = questions.markdown([made])
    assert text.startswith("## Threads\n\nHow training scales from one thread to all of the run's, on a CPU.\n\n**")
    table = [row for row in text.splitlines() if row.startswith("|")]
    assert len({row.count("|") for row in table}) == 1
    assert any(row.startswith("| PyTorch eager |") for row in table)
    assert made.id in text


def test_what_was_not_measured_says_why_and_breaks_no_table(made):
    (row,) = [row for row in questions.markdown([made]).splitlines() if row.startswith("| TensorLayerX eager")]
    assert "unavailable: a &#124; b is &lt;missing&gt;" in row


def test_what_all_workloads_share_is_told_once(made):
    """Two workloads of one run: the same missing certificate, the same notes."""
    other = [row.model_copy(update={"variant": "relu"}) for row in made.rows]
    answers = [a.model_copy(update={"variant": "relu"}) for a in made.answers]
    declared = [d.model_copy(update={"variant": "relu"}) for d in made.declared]
    both = {"rows": [*made.rows, *other], "answers": [*made.answers, *answers]}
    text = questions.markdown([made.model_copy(update={**both, "declared": [*made.declared, *declared]})])
    assert len(re.findall(r"^\*\*", text, re.MULTILINE)) == 2
    lines = [row for row in text.splitlines() if row and not row.startswith(("|", "**"))]
    assert len(lines) == len(set(lines))


def test_a_run_of_no_part_adds_nothing(made):
    bare = made.model_copy(update={"options": made.options.model_copy(update={"measure": ["training"]})})
    assert questions.markdown([bare, made]) == questions.markdown([made])


def test_the_page_is_renewed_and_checked(made, tmp_path: Path):
    stored = tmp_path / "result.json"
    stored.write_text(made.model_dump_json(by_alias=True), "utf-8")
    page = tmp_path / "QUESTIONS.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n", "utf-8")
    words = [str(stored), "--questions", str(page)]
    stale = CliRunner().invoke(main, [*words, "--check"])
    assert (stale.exit_code, stale.output) == (1, f"Error: The page of answers in {page} is not up to date.\n")
    assert CliRunner().invoke(main, words).exit_code == 0
    assert page.read_text("utf-8") == f"before\n{BEGIN}\n{questions.markdown([made])}{END}\nafter\n"
    assert CliRunner().invoke(main, [*words, "--check"]).exit_code == 0
    assert not (tmp_path / "report.html").exists()
