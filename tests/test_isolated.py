"""--solo: the top stacks alone, after the passes; journal, resume, verdicts side by side. NumPy toys."""

import sys
from pathlib import Path

import pytest
from measured import measure
from result_factory import make

from benchmarks.analysis.solo import isolated, stands, top
from benchmarks.analysis.verdicts import compare_all
from benchmarks.engine.journal import Journal, Launched
from benchmarks.engine.select import make_plan
from benchmarks.engine.workers import Workers
from benchmarks.errors import Problem
from benchmarks.protocol.profiles import FASTEST
from benchmarks.schema.results import Result, read
from benchmarks.verify.file import verify

TOYS = Path(__file__).parent / "toys"


def plan(**options):
    return make_plan(
        **{"command": "test", "workload": ["toy/sound"], "profile": "smoke", "threads": 1, "impls": TOYS}
        | {"measure": ["training"], "isolated": True, "passes": 2}
        | options
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("isolated")
    said = []
    most = {"alone": 0}
    start = Workers.start

    def counted(self, *words, **fields):
        launch = start(self, *words, **fields)
        if launch.solo:
            most["alone"] = max(most["alone"], len(self.alive))
        return launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workers, "start", counted)
        measure(plan(env=[f"second={sys.executable}"]), out, report=said.append)
    return out, read(out / "result.json"), most, said


def test_each_top_stack_is_measured_alone_as_often(run):
    _, result, most, said = run
    (found,) = result.isolated
    assert {a.stack for a in found.stacks} == {row.stack.key for row in result.rows}
    for one in found.stacks:
        assert one.status == "ok"
        assert [la.pass_index for la in one.launches] == [0, 1]
        assert all(len(la.blocks) == result.options.rounds and not la.interleaved for la in one.launches)
        assert all(b.evidence.idle_worker_cpu_seconds == 0 for la in one.launches for b in la.blocks)
    assert most["alone"] == 1  # one worker resident at a time
    (standing,) = found.standings
    assert (standing.interleaved, standing.isolated, standing.stands) == ("provisional", "provisional", "open")
    assert [len(row.launches) for row in result.rows] == [2, 2]  # the interleaved launches are apart
    assert list(verify(result)) == []
    assert any("alone, pass 2/2" in text for text in said)


def test_resume_redoes_only_what_is_missing(run, tmp_path):
    out, _, _, _ = run
    kept = []
    for line in (out / "journal.jsonl").read_text().splitlines():
        kept.append(line)
        if '"event": "isolated_pass"' in line:
            break
    (tmp_path / "journal.jsonl").write_text("\n".join(kept) + "\n")
    before = len(Journal(tmp_path).of(Launched))
    measure(plan(env=[f"second={sys.executable}"]), tmp_path)
    result = read(tmp_path / "result.json")
    assert len(Journal(tmp_path).of(Launched)) == before + len(result.isolated[0].stacks)
    assert list(verify(result)) == []


def seal(plain):
    return Result.model_validate(plain)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r["isolated"][0]["standings"][0].update(stands="stands"), "].stands: the file says stands"),
        (lambda r: r["isolated"][0]["stacks"][0]["launches"].pop(), "has passes"),
        (lambda r: r["isolated"].clear(), "not measured alone"),
        (lambda r: r["options"].update(isolate=False), "without --solo"),
        (lambda r: r["isolated"][0]["stacks"][0].update(stack="torch:eager:cpu:default"), "the file has one"),
        (lambda r: r["isolated"][0]["stacks"][0]["launches"][0]["blocks"].pop(), "has rounds"),
    ],
)
def test_verify_derives_it_again(run, change, says):
    plain = run[1].model_dump(mode="json", by_alias=True)
    change(plain)
    assert any(says in violation for violation in verify(seal(plain)))


@pytest.mark.parametrize(
    ("together", "alone", "word"),
    [
        ("faster", "faster", "stands"),
        ("equivalent", "equivalent", "stands"),
        ("faster", "slower", "falls"),
        ("equivalent", "slower", "falls"),
        ("faster", "undecided", "open"),
        ("provisional", "faster", "open"),
        ("untrustworthy", "faster", "open"),
        ("equivalent", "negligibly faster", "stands"),
        ("negligibly slower", "equivalent", "stands"),
        ("negligibly slower", "slower", "stands"),
        ("negligibly slower", "negligibly faster", "falls"),  # each excludes the other
        ("negligibly slower", "faster", "falls"),
        ("negligibly slower", "undecided", "open"),
    ],
)
def test_when_a_verdict_stands(together, alone, word):
    def said(text):
        verdict = text.removeprefix("negligibly ")
        (found,) = compare_all([timed("a", 1), timed("b", 1)])
        return found.model_copy(update={"verdict": verdict, "negligible": verdict != text})

    assert stands(said(together), said(alone)) == word


def timed(key, *pass_seconds):
    row = make(passes=len(pass_seconds), interrupted=False).rows[0]
    launches = [
        la.model_copy(update={"blocks": [la.blocks[0].model_copy(update={"seconds": s, "steps": 1})]})
        for la, s in zip(row.launches, pass_seconds, strict=True)
    ]
    stack = row.stack.model_copy(update={"mode": key})
    return row.model_copy(update={"stack": stack, "launches": launches})


def test_the_top_are_three_and_whatever_equals_the_fastest():
    wobble = [1, 1.02, 0.99, 1.01, 0.98, 1.0]
    levels = {"a": 1.0, "b": 1.002, "c": 1.004, "d": 1.003, "e": 2.0, "f": 3.0}
    rows = [
        timed(name, *(level * w * (1 + 0.01 * ((i + k) % 3)) for k, w in enumerate(wobble)))
        for i, (name, level) in enumerate(levels.items())
    ]
    found = [key.split(":")[1] for key in top(rows)]
    assert set(found) >= {"a", "b", "c", "d"}
    assert not {"e", "f"} & set(found)
    assert len(top(rows[:1] + rows[4:])) == FASTEST  # far behind, but among the fastest three
    assert top([]) == []


def test_the_top_are_of_documented_and_of_tuned_stacks():
    """The tuned ones are all faster, and the fastest documented ones are measured alone all the same."""
    rows = [timed(f"m{i}", *(6 + 2 * i + k / 99 for k in range(6))) for i in range(4)]
    tuned = [timed(f"t{i}", *(1 + 2 * i / 9 + k / 99 for k in range(6))) for i in range(4)]
    tuned = [row.model_copy(update={"stack": row.stack.model_copy(update={"tuned": True})}) for row in tuned]
    found = [key.split(":")[1] for key in top([*tuned, *rows])]
    assert found == ["m0", "m1", "m2", "t0", "t1", "t2"]


def test_a_reversed_verdict_falls_and_a_crash_is_told():
    fast, slow = timed("a", 1, 1.01, 0.99, 1, 1.01), timed("b", 2, 2.01, 1.99, 2, 2.02)
    together = compare_all([fast, slow])
    found = isolated([fast, slow], {fast.stack.key: slow.launches, slow.stack.key: fast.launches}, together)
    assert [s.stands for s in found.standings] == ["falls"]
    crashed = [slow.launches[0].model_copy(update={"status": "crashed", "reason": "signal 9"})]
    found = isolated([fast, slow], {fast.stack.key: fast.launches, slow.stack.key: crashed}, together)
    assert found.standings == []
    assert [(a.status, a.reason) for a in found.stacks] == [("ok", ""), ("crashed", "pass 1: signal 9")]


def test_isolated_needs_training():
    with pytest.raises(Problem, match="--solo measures training again"):
        plan(measure=["accuracy"])
