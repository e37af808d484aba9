"""CONTRIBUTING.md is true and stays short; the example in docs/MODELS.md runs as it stands there."""

import re
import subprocess
import sys

import pytest
from frameworks import need

from benchmarks.schema.results import read
from benchmarks.workload import ROOT, discover

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MODELS = (ROOT / "docs" / "MODELS.md").read_text("utf-8")
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
FILES = dict(re.findall(r"^`my_models/(\S+)`\n\n```python\n(.*?)^```", MODELS, re.MULTILINE | re.DOTALL))
ROOMS = re.findall(r"\w+", " ".join(re.findall(r"^\| (`\w+/`.*?) \|", CONTRIBUTING, re.MULTILINE)))


def test_the_page_is_short():
    assert len(CONTRIBUTING.splitlines()) <= 150


@pytest.mark.parametrize("text", [CONTRIBUTING, MODELS, PROTOCOL], ids=["CONTRIBUTING", "MODELS", "PROTOCOL"])
def test_the_files_it_names_exist(text):
    named = re.findall(r"(?:`|\]\()((?:benchmarks|reports|results|tests|docs|impls)/[\w/.]*)[`)#]", text)
    assert named
    examples = re.compile(r"\b(NAME|EXPERIMENT|FRAMEWORK|PROGRAM)")
    assert not [path for path in named if not examples.search(path) and not (ROOT / path).exists()]


def test_rooms_stand_in_the_order_that_the_linter_holds():
    toml = (ROOT / "pyproject.toml").read_text("utf-8")
    layers = re.search(r"^layers = \[(.*?)^\]", toml, re.MULTILINE | re.DOTALL)[1]
    assert list(reversed(ROOMS)) == re.findall(r'"benchmarks\.(\w+)"', layers)


def test_the_files_on_the_way_of_a_step_time_exist():
    drawing = re.search(r"## The way of a step time\n.*?```text\n(.*?)```", CONTRIBUTING, re.DOTALL)[1]
    files = re.findall(r"[\w/]+/\w+\.(?:py|html\.j2)", drawing)
    assert len(files) >= 10
    assert not [name for name in files if not (ROOT / name).exists()]


@pytest.fixture
def my_models(tmp_path):
    folder = tmp_path / "my_models"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_declaration_is_sound(my_models):
    assert set(FILES) == {"softmax/workload.py", "softmax/softmax_torch.py"}
    (found,) = discover(my_models)
    assert found.workload.key == "softmax"


@pytest.mark.framework
def test_the_example_runs(my_models, tmp_path):
    need("torch")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "benchmarks", "run", "--impls", str(my_models), "--profile", "smoke"]
    command += ["--mode", "eager", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = read(out / "result.json").rows
    assert row.status == "ok"
    assert row.certificate.status == "ok"
