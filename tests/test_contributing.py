"""The example in CONTRIBUTING.md runs as it stands there."""

import re
import subprocess
import sys

import pytest
from frameworks import need

from benchmarks.schema.results import read
from benchmarks.workload import ROOT, discover

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FILES = dict(re.findall(r"^`my_models/(\S+)`\n\n```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))


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
