"""The parent process imports nothing heavy, and the command line keeps its names."""

import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from benchmarks.commands.cli import FORMER_NAMES, SECTIONS, main
from benchmarks.frameworks.discovery import frameworks, is_written
from benchmarks.workload import ROOT, discover

HEAVY = ("torch", "tensorflow", "keras", "tensorlayerx", "pandas", "scipy", "matplotlib", "seaborn", "requests")


def python(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def imported(words):
    code = f"""
import sys
from benchmarks.commands.cli import main
try:
    main({words!r}, prog_name="bench")
except SystemExit as end:
    code = end.code
print("\\nLOADED", *sorted({{m.split(".")[0] for m in sys.modules}}), "CODE", code)
"""
    done = python(code)
    assert "LOADED" in done.stdout, done.stderr
    return done.stdout.rpartition("LOADED")[2].split()


def test_help_and_list_import_nothing_heavy():
    for words in (["--help"], ["list", "--json"], ["run", "--help"]):
        loaded = imported(words)
        assert loaded[-2:] == ["CODE", "0"]
        assert not set(HEAVY) & set(loaded)


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    file = tmp_path / "file"
    file.touch()
    commands = [[name, "--json", f"{file}/x.json"] for name in ("sources", "peers", "pitfalls", "selftest")]
    for words in [["run", "--impls", "tests/toys", "--out", f"{file}/run"], *commands]:
        command = [sys.executable, "-m", "benchmarks", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].lower().startswith("error: "), done.stderr


def test_the_engine_imports_no_framework():
    done = python("import sys, benchmarks.engine.run, benchmarks.commands.run, reports.cli; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "tensorflow", "keras", "tensorlayerx"} & {m.split(".")[0] for m in done.stdout.split()}


def test_a_worker_needs_only_numpy_and_its_framework():
    blocked = [
        "click", "rich", "pydantic", "scipy", "pandas", "psutil", "cpuinfo", "pynvml", "jinja2", "pooch", "platformdirs"
    ]  # fmt: skip
    code = "import sys\n" + "".join(f"sys.modules[{m!r}] = None\n" for m in blocked)
    code += "import benchmarks.worker.session, benchmarks.worker, benchmarks.frameworks.numpy_adapter\n"
    code += "from benchmarks.workload import discover\nprint(len(discover()))\n"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(discover())


def test_list_json_names_every_stack():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "list", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = json.loads(done.stdout)
    keys = {"workload", "variant", "framework", "mode", "device", "tuned", "available", "reason"}
    assert all(keys <= row.keys() for row in rows)
    assert all(isinstance(row["available"], bool) and (row["available"] or row["reason"]) for row in rows)
    seen = {(r["workload"], r["variant"], r["framework"], r["mode"], r["device"]) for r in rows}
    wanted = {
        (f.workload.name, f.workload.variant, name, mode, device)
        for f in discover()
        for name, framework in frameworks().items()
        for mode in framework.modes
        for device in ("cpu", "cuda")
        if is_written(f, name, mode)
    }
    assert seen == wanted


def test_help_lists_each_command_once_in_its_section():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    titles = re.split(r"^(?=\S.*:$)", done.stdout, flags=re.MULTILINE)
    listed = {s.splitlines()[0].rstrip(":"): re.findall(r"^  (\w\S*)  ", s, re.MULTILINE) for s in titles if s.strip()}
    assert {title: listed[title] for title in SECTIONS} == {title: list(names) for title, names in SECTIONS.items()}
    assert not {"hog", "museum"} & {name for names in listed.values() for name in names}


@pytest.mark.parametrize(("former", "now"), FORMER_NAMES.items())
def test_former_names_keep_working(former, now):
    commands = [main.get_command(click.Context(main), name) for name in main.list_commands(click.Context(main))]
    options = {o.lstrip("-") for c in commands for p in c.params for o in (*p.opts, *p.secondary_opts)}
    assert now in options | {c.name for c in commands}
    assert former not in options | {c.name for c in commands}


def test_a_former_name_is_the_same_command_and_option(monkeypatch):
    seen = []
    monkeypatch.setattr("benchmarks.commands.run.run_command", lambda **options: seen.append(options) or 0)
    for words in ("--time-limit 4 --isolated --canary", "--request-timeout 4 --solo --aa-check"):
        assert CliRunner().invoke(main, ["run", *words.split()]).exit_code == 0
    assert seen[0] == seen[1]
    assert (seen[0]["time_limit"], seen[0]["isolated"], seen[0]["canary"]) == (4, True, True)
    assert (
        CliRunner().invoke(main, ["museum", "--list"]).output == CliRunner().invoke(main, ["pitfalls", "--list"]).output
    )


def test_resume_names_the_options_to_remove():
    done = CliRunner().invoke(main, ["run", "--resume", "--isolated", "--seed", "1", "--time-limit", "9"])
    assert done.exit_code == 2
    assert "--resume keeps the original options; remove --solo, --seed" in done.output
