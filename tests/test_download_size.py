"""What tox says before it installs gigabytes."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine.environment import ROOT
from benchmarks.machine import download_size
from benchmarks.machine.download_size import CPU_INDEX, absent, announcement, main

BOTH = ["torch", "tensorflow"]


def pinned(name: str) -> str:
    (version,) = set(re.findall(rf'"{name}==([\w.]+)"', (ROOT / "pyproject.toml").read_text("utf-8")))
    return version


def install(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")


def test_what_is_installed_in_the_pinned_version_is_not_missing(tmp_path: Path) -> None:
    assert absent(BOTH, [str(tmp_path)]) == BOTH
    install(tmp_path, "torch", f"{pinned('torch')}+cpu")
    install(tmp_path, "tensorflow", "2.0.0")
    assert absent(BOTH, [str(tmp_path)]) == ["tensorflow"]


def test_cuda_is_said_to_be_too_much_for_a_cpu_and_how_to_do_without() -> None:
    said = announcement("bench-cpu", BOTH, linux=True, cpu_index=False)
    assert said.splitlines() == [
        "bench-cpu now installs its frameworks: up to 3.6 GB, 8 minutes at 100 Mbit/s.",
        "2.5 GB of it are CUDA, which a CPU does not need. Without it: up to 1.1 GB, 3 minutes at 100 Mbit/s.",
        "To leave it out press Ctrl-C and run: "
        "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu tox -e bench-cpu",
    ]


@pytest.mark.parametrize(
    ("environment", "missing", "linux", "cpu_index", "size"),
    [
        ("bench-cpu", BOTH, True, True, "1.1"),
        ("bench-cpu", BOTH, False, False, "1.1"),
        ("bench-cpu", ["tensorflow"], True, False, "0.9"),
        ("bench-gpu", BOTH, True, False, "6.4"),
        ("bench-gpu", BOTH, True, True, "6.4"),  # an index beside PyPI; what it brings is not known here
        ("bench-gpu", ["tensorflow"], True, False, "3.7"),
    ],
)
def test_one_line_where_there_is_no_choice(
    environment: str, missing: list[str], linux: bool, cpu_index: bool, size: str
) -> None:
    (line,) = announcement(environment, missing, linux=linux, cpu_index=cpu_index).splitlines()
    assert line.startswith(f"{environment} now installs its frameworks: up to {size} GB, ")


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert announcement("bench-cpu", [], linux=True, cpu_index=False) == ""


def test_the_script_looks_at_the_variables_of_pip_and_at_both_pythons(
    monkeypatch: Any, tmp_path: Path, capsys: Any
) -> None:
    own, other = tmp_path / "lib", tmp_path / "tensorflow" / "lib" / "python3.11" / "site-packages"
    monkeypatch.setattr(sys, "path", [str(own)])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"https://example.org/simple {CPU_INDEX}")
    main("bench-cpu")
    assert "up to 1.1 GB" in capsys.readouterr().out
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL")
    main("bench-gpu")
    assert "up to 6.4 GB" in capsys.readouterr().out
    install(own, "torch", pinned("torch"))
    install(other, "tensorflow", pinned("tensorflow"))
    main("bench-gpu")
    assert capsys.readouterr().out == ""
    main("bench-cpu")  # whose TensorFlow has no Python of its own
    assert "up to 0.9 GB" in capsys.readouterr().out


def test_it_runs_as_tox_runs_it_before_anything_is_installed(tmp_path: Path) -> None:
    """Without site-packages, and with nothing of the suite to import."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    command = [sys.executable, "-I", "-S", download_size.__file__, "bench-cpu"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bench-cpu now installs its frameworks: up to ")
    assert done.stderr == ""


@pytest.mark.parametrize("environment", ["bench-cpu", "bench-gpu"])
def test_tox_says_it_first(environment: str) -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    section = tox[f"testenv:{environment}"]
    assert section["dependency_groups"] == ""  # tox would install these before it runs anything
    commands = section["commands_pre"].strip().splitlines()
    said = commands.index(f"python -I benchmarks/machine/download_size.py {environment}")
    assert said < min(place for place, command in enumerate(commands) if "pip" in command)
