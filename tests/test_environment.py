"""What a worker's process gets from its surroundings, and what leaves them in a result."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine.environment import RECORDED, ROOT, clean_paths, worker_environment
from benchmarks.errors import Problem
from benchmarks.machine.packages import describe, normalise
from benchmarks.schema.results import Stack

SCRATCH, CACHES = Path("scratch").absolute(), Path("caches").absolute()


def environment(framework: str = "torch", mode: str = "eager", device: str = "cpu", **inherited: str) -> dict[str, str]:
    stack = Stack.model_validate({"framework": framework, "mode": mode, "device": device})
    return worker_environment(stack, threads=3, scratch=SCRATCH, caches=CACHES, inherited=inherited)


def test_only_what_is_named_is_passed_on() -> None:
    inherited = {
        "PATH": "p", "LD_LIBRARY_PATH": "l", "CUDA_HOME": "c", "LC_ALL": "C", "SECRET": "s", "OMP_SCHEDULE": "dynamic",
        "PYTHONDONTWRITEBYTECODE": "1", "TF_ENABLE_ONEDNN_OPTS": "0", "OMP_NUM_THREADS": "64", "TL_BACKEND": "paddle",
    }  # fmt: skip
    seen = environment(**inherited)
    assert {k: seen[k] for k in ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "LC_ALL")} == {
        k: inherited[k] for k in ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "LC_ALL")
    }
    for name in ("SECRET", "OMP_SCHEDULE", "PYTHONDONTWRITEBYTECODE", "TF_ENABLE_ONEDNN_OPTS", "TL_BACKEND"):
        assert name not in seen
    assert seen["OMP_NUM_THREADS"] == "3"


def test_all_stacks_get_the_same_threads_and_no_busy_waiting() -> None:
    threads = [n for n in environment() if n.endswith("_THREADS")]
    assert len(threads) >= 6
    for framework in ("torch", "tensorflow", "tensorlayerx", "numpy"):
        seen = environment(framework)
        assert {seen[name] for name in threads} == {"3"}
        assert "OMP_WAIT_POLICY" not in seen
        assert seen["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize(
    ("framework", "mode", "expected"),
    [
        ("tensorlayerx", "eager", "tensorflow"),
        ("tensorlayerx", "trainonestep", "tensorflow"),
        ("tensorlayerx", "torch-trainonestep", "torch"),
        ("torch", "eager", ""),
        ("tensorflow", "graph", ""),
    ],
)
def test_backend_of_tensorlayerx(framework: str, mode: str, expected: str) -> None:
    assert environment(framework, mode).get("TL_BACKEND", "") == expected


def test_gpus_are_hidden_from_cpu_stacks_only() -> None:
    assert environment(device="cpu", CUDA_VISIBLE_DEVICES="2")["CUDA_VISIBLE_DEVICES"] == "-1"
    assert environment(device="cuda", CUDA_VISIBLE_DEVICES="2")["CUDA_VISIBLE_DEVICES"] == "2"
    assert "CUDA_VISIBLE_DEVICES" not in environment(device="cuda")


def test_a_worker_writes_below_its_scratch_folder(tmp_path: Path) -> None:
    stack = Stack(framework="torch", mode="eager", device="cpu")
    env = worker_environment(stack, threads=1, scratch=tmp_path, caches=tmp_path)
    code = (
        "import os, pathlib, site; print(pathlib.Path.home(), os.path.expanduser('~'), site.getuserbase(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    home, tilde, user_base = done.stdout.splitlines()
    assert home == tilde == str(tmp_path)
    assert not user_base.startswith(str(tmp_path))  # packages installed with pip --user stay in sight
    for name in ("KERAS_HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"):
        assert env[name].startswith(str(tmp_path))


def test_a_worker_finds_the_engine_and_what_the_user_added() -> None:
    assert environment()["PYTHONPATH"] == str(ROOT)
    assert environment(PYTHONPATH="more")["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "more"]


def test_recorded_variables_hold_no_folders() -> None:
    assert len(set(RECORDED)) == len(RECORDED)
    own = environment("tensorlayerx", "eager")
    assert not [name for name in RECORDED if os.sep in own.get(name, "")]
    assert {n for n in own if n.endswith("_THREADS")} <= set(RECORDED)


# -- paths -----------------------------------------------------------------------------------------


def test_paths_of_this_machine_become_words(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("/home/ada").absolute()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr(sys, "prefix", str(home / "venv"))
    assert clean_paths(f'File "{ROOT}/benchmarks/engine/run.py", line 3') == 'File "./benchmarks/engine/run.py", line 3'
    assert clean_paths(f"{home}/venv/lib/x.py and {home}/notes") == "<env>/lib/x.py and ~/notes"
    assert clean_paths(f"-I{home}/include:{home}") == "-I~/include:~"
    assert clean_paths(f"{tempfile.gettempdir()}/x") == "<tmp>/x"
    assert clean_paths(f"{home}/out/a.json", f"{home}/out") == "<run>/a.json"


def test_other_folders_that_begin_alike_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    for path in ("/home/adam/x", "/home/ada-old", "/home/ada.bak"):
        assert clean_paths(path) == path
    assert clean_paths("it lies in /home/ada.") == "it lies in ~."


@pytest.mark.parametrize("prefix", ["/", "/usr", "/usr/local", ""])
def test_folders_that_every_machine_has_stay(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "base_prefix", prefix)
    monkeypatch.setenv("HOME", "/")
    assert clean_paths("/usr/bin/g++ /usr/local/bin/x") == "/usr/bin/g++ /usr/local/bin/x"


def test_a_link_to_the_run_folder_is_cleaned_both_ways(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    text = f"{tmp_path / 'link'}/a {(tmp_path / 'real').resolve()}/b"
    assert clean_paths(text, str(tmp_path / "link")) == "<run>/a <run>/b"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean_paths(f"{ROOT}/{text}")
    assert str(ROOT) not in once or str(ROOT) in text
    assert clean_paths(once) == once


# -- interpreters -----------------------------------------------------------------------------------


def test_an_interpreter_describes_itself_as_another_would() -> None:
    here = describe(["pytest", "no-such-distribution"])
    assert set(here["versions"]) == {"pytest"}
    assert here["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert describe()["versions"]["pytest"] == here["versions"]["pytest"]
    # Asked through a path that is not sys.executable, it answers from a process of its own.
    spelled = Path(sys.executable).parent / "." / ".." / Path(sys.executable).parent.name / Path(sys.executable).name
    there = describe(["PyTest", "no-such-distribution"], spelled)
    assert there["versions"] == here["versions"]
    assert (there["python"], there["prefix"]) == (here["python"], here["prefix"])


def test_something_that_is_no_python_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not a Python"):
        describe([], tmp_path / "nothing")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(Problem, match="broken"):
        describe([], broken)


def test_names_compare_as_pep_503_says() -> None:
    assert normalise("Typing_Extensions") == normalise("typing.extensions") == "typing-extensions"
