"""``python tests/mutations``: inject every fault and say which check caught it; 1 if one escaped unmarked."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.engine.environment import ROOT, worker_environment
from benchmarks.schema.results import Stack
from mutations.campaign import WORKLOADS
from mutations.faults import FRAMEWORKS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/mutations", description=__doc__)
    parser.add_argument("--framework", default=",".join(FRAMEWORKS), help="names separated by commas")
    parser.add_argument("--workload", default="", choices=("", *WORKLOADS))
    parser.add_argument("--fault", default="", help="only those whose names match this expression")
    parser.add_argument("--kinds", action="store_true", help="one fault of every kind, over all frameworks")
    parser.add_argument("--every", action="store_true", help="certify every workload first, those without faults too")
    parser.add_argument("--first", action="store_true", help="stop at the first check that catches a fault")
    parser.add_argument("--sound", type=int, metavar="N", help="certify N sound programs instead: false alarms")
    parser.add_argument("--log", type=Path, help="file for what frameworks print and for tracebacks")
    parser.add_argument("--references", type=Path, help="folder that keeps the float64 references, for several runs")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bookbench-references-") as made:
        words.references = (words.references or Path(made)).resolve()
        words.references.mkdir(parents=True, exist_ok=True)
        return _run(parser, words)


def _run(parser: argparse.ArgumentParser, words: argparse.Namespace) -> int:
    frameworks = [f for f in words.framework.split(",") if importlib.util.find_spec(f)]
    if not frameworks:
        parser.error(f"not installed: {words.framework}")
    if words.sound is not None:
        return _sound(frameworks, words)
    total, bad = Counter[str](), False
    for framework in frameworks:
        start, seen = time.perf_counter(), Counter[str]()
        passed_on = [f"--{flag}" for flag in ("kinds", "every", "first") if getattr(words, flag)]
        for told in _child(framework, words, "--workload", words.workload, "--fault", words.fault, *passed_on):
            if told["fault"] != "no fault":
                seen[told["how"]] += 1
            bad |= told["how"] in ("broken", "alarm") or (told["how"] == "escaped" and not told["escapes"])
            bad |= told["how"] == "caught" and bool(told["escapes"])  # no longer escapes: unmark it
            print(_line(framework, told), flush=True)
        total += seen
        print(f"{framework}: {_counts(seen)} in {time.perf_counter() - start:.0f} s", flush=True)
    print(f"all: {_counts(total)}")
    return int(bad)


def _sound(frameworks: list[str], words: argparse.Namespace) -> int:
    alarms = done = 0
    chosen = [words.workload] if words.workload else list(WORKLOADS)
    count = len(frameworks)  # the same seed for each in turn: one reference serves them all
    pairs = [(frameworks[i % count], chosen[i // count % len(chosen)], 1 + i // count) for i in range(words.sound)]
    for framework in frameworks:
        mine = [f"{workload}:{seed}" for name, workload, seed in pairs if name == framework]
        for told in _child(framework, words, "--sound", *mine):
            done += 1
            alarms += told["how"] != "sound"
            print(_line(framework, told), flush=True)
    print(f"false alarms: {alarms} / {done}")
    return int(alarms > 0)


def _child(framework: str, given: argparse.Namespace, *words: str) -> Iterator[dict[str, Any]]:
    """What the framework's own process tells; raises with its last words if it dies."""
    with tempfile.TemporaryDirectory(prefix="bookbench-mutations-") as made, tempfile.TemporaryFile("w+") as kept:
        scratch = Path(made)
        stack = Stack(framework=framework, mode="eager", device="cpu")
        # One thread: several wait for each other, for seconds where other work keeps the cores.
        environment = worker_environment(stack, threads=1, scratch=scratch / "home", caches=scratch / "caches")
        environment["PYTHONPATH"] += os.pathsep + str(ROOT / "tests")
        environment["BOOKBENCH_REFERENCES"] = str(given.references)
        (scratch / "home").mkdir()
        command = [sys.executable, "-m", "mutations.campaign", framework, str(scratch), *words]
        errors = given.log.open("a") if given.log else kept
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child:
            assert child.stdout is not None
            try:
                yield from map(json.loads, child.stdout)
            except BaseException:
                child.kill()
                raise
        if child.returncode:
            kept.seek(0)
            raise SystemExit(f"{framework}: the campaign broke off: {''.join(kept.readlines()[-3:]).strip()}")


def _line(framework: str, told: dict[str, Any]) -> str:
    mode = "" if told["mode"] == "eager" else f" ({told['mode']})"
    how, reason = told["how"], told["reason"]
    if how in ("escaped", "broken", "alarm"):
        how, reason = how.upper(), reason or told["escapes"] or "not marked"
    elif told["escapes"]:
        how += ", though marked as escaping"
    if how == "refused":
        how = "caught by contract"
    head = f"{framework} {told['workload']}{mode}: {told['fault']}"
    return f"{head}: {how}{': ' if reason else ''}{reason} [{told['seconds']} s]"


def _counts(seen: Counter[str]) -> str:
    return f"caught / injected {seen['caught'] + seen['refused']} / {seen.total()}" + "".join(
        f", {seen[how]} {how}" for how in ("escaped", "broken") if seen[how]
    )
