"""What is published: committed results verify, the README's table and picture come from them."""

import re
import subprocess
import sys

import pytest

from benchmarks.schema.results import read
from benchmarks.verify.file import verify_file
from benchmarks.workload import ROOT, discover

RESULTS = sorted((ROOT / "results").glob("*.json"))
EARLIER = sorted((ROOT / "results" / "earlier").glob("*.json"))  # of implementations that were replaced since
TRAININGS = sorted((ROOT / "results" / "accuracy").glob("*.json"))  # what ranges and agreement come from
PARTS = sorted((ROOT / "results" / "parts").glob("*.json"))  # what docs/QUESTIONS.md comes from
# Changed since the parts were measured, and in what. docs/QUESTIONS.md says so.
RENEWED = {
    "lstm_text": "its quick recipe, which the parts precision and time_to_accuracy train, has a second epoch",
    "mnist_cnn": "its quick recipe has four epochs, no longer two",
}
README = (ROOT / "README.md").read_text("utf-8")


def test_there_is_a_measured_run():
    assert RESULTS
    assert TRAININGS
    assert PARTS


@pytest.mark.parametrize("path", [*RESULTS, *EARLIER, *TRAININGS, *PARTS], ids=lambda p: p.name)
def test_committed_results_verify(path):
    assert list(verify_file(path)) == []
    text = path.read_text("utf-8")
    assert not re.search(r'"/(home|root|tmp|work|Users)/', text)


def test_committed_results_are_of_the_declarations_in_the_tree():
    now = {(f.workload.name, f.workload.variant): f.workload.hash for f in discover()}
    for path in [*RESULTS, *PARTS]:
        for declared in read(path).declared:
            if path in PARTS and declared.name in RENEWED:
                continue
            assert declared.hash == now[declared.name, declared.variant], f"{path.name}: {declared.name} has changed"


def test_the_readme_table_is_current():
    command = [sys.executable, "-m", "reports", *map(str, RESULTS), "--readme", "README.md", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_answers_is_current():
    command = [sys.executable, "-m", "reports", *map(str, PARTS), "--questions", "docs/QUESTIONS.md", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_readme_points_at_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"^ {2,4}(\w+\.py|\w+/)\s", README, re.MULTILINE):
        assert list(ROOT.rglob(name.rstrip("/"))), name
