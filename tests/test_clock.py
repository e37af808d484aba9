"""--budget while the run goes on: slow machines give passes up, fast ones none, --resume counts on. NumPy toys."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.engine import budget, clock
from benchmarks.engine.estimate import estimate
from benchmarks.engine.journal import Journal
from benchmarks.engine.run import Run
from benchmarks.engine.select import make_plan
from benchmarks.schema.results import Result, digest, read
from benchmarks.verify.file import verify

TOYS = Path(__file__).parent / "toys"


@pytest.fixture(scope="module")
def plan():
    """Three toys with as many passes as are ever made, and accuracy, in 1.1 times the estimate."""
    whole = make_plan(
        command="test", impls=TOYS, threads=1, recipe="smoke", profile="full", passes=20,
        workload=["toy/sound", "toy/slow", "toy/raises"],
    )  # fmt: skip
    return budget.changed(whole, budget_seconds=1.1 * estimate(whole))


@pytest.fixture
def now(monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    return seconds


def passes_on(plan, now, journal, slower):
    """Passes that each workload gets on a machine that takes ``slower`` times the estimate; ``now`` goes on."""
    counting, out = clock.Clock(plan, journal), []
    for k, entry in enumerate(plan.entries):
        for p in counting.left(entry, list(range(plan.options.passes))):
            took = slower * (counting._passes(k, p + 1) - (counting._passes(k, p) if p else 0))
            now[0] += took
            journal.add("pass", workload=entry.key, index=p)
            if counting.cut(entry, took=took):
                break
        made = len(journal.of("pass", workload=entry.key))
        now[0] += slower * (counting._whole(k, made) - counting._passes(k, made))
        out.append(made)
    return out


@pytest.mark.parametrize("slower", [0.2, 1.0])
def test_a_machine_as_fast_as_estimated_keeps_its_passes(plan, now, tmp_path, slower):
    assert passes_on(plan, now, Journal(tmp_path), slower) == [20, 20, 20]


@pytest.mark.parametrize("slower", [1.3, 1.7, 2.5])
def test_a_slower_machine_gives_passes_up_and_is_in_time(plan, now, tmp_path, slower):
    made = passes_on(plan, now, Journal(tmp_path), slower)
    assert all(1 <= n < 20 for n in made)
    assert max(made) - min(made) <= 2  # no workload pays for another
    assert 0.8 * plan.options.budget_seconds < now[0] <= 1.001 * plan.options.budget_seconds


def test_a_hopeless_time_still_gives_each_workload_a_pass_and_says_so(plan, now, tmp_path):
    journal = Journal(tmp_path)
    assert passes_on(plan, now, journal, 100.0) == [1, 1, 1]
    words = [budget.cut_words(cut) for cut in clock.cuts(journal.events).values()]
    assert words[0].startswith(f"--budget: {plan.entries[0].key} got 1 of 20 passes, more did not fit into the time")
    assert len(words) == 3 and all(w.endswith("; its verdicts are provisional") for w in words)


def test_passes_asked_for_by_number_stay(plan, now, tmp_path):
    fixed = plan.model_copy(update={"passes_fixed": True})
    assert passes_on(fixed, now, Journal(tmp_path), 3.0) == [20, 20, 20]


def test_resume_counts_on_and_keeps_the_decision(plan, now, tmp_path):
    made = passes_on(plan, now, Journal(tmp_path), 2.5)
    spent = now[0]
    now[0] = 5.0  # another process, another day
    again = clock.Clock(plan, Journal(tmp_path))
    assert clock.spent(again.journal.events) <= again.seconds <= spent
    now[0] = 12.0
    assert again.seconds == clock.spent(again.journal.events) + 7.0
    assert [len(again.left(e, list(range(20)))) for e in plan.entries] == made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A toy in a second, for which twenty passes were planned."""
    out = tmp_path_factory.mktemp("second")
    whole = make_plan(
        command="test",
        workload=["toy/sound"],
        profile="smoke",
        threads=1,
        impls=TOYS,
        measure=["training"],
        budget="9m",
    )
    assert whole.options.passes == 20
    Run(budget.changed(whole, budget_seconds=1.0), out, say=lambda text: None).go()
    return read(out / "result.json")


def test_a_run_stops_when_its_time_is_over_and_says_what_it_took(run):
    (cut,) = run.budget.cuts
    assert [len(row.launches) for row in run.rows] == [cut.passes]
    assert 1 <= cut.passes < 20
    assert run.complete and run.rows[0].status == "ok"
    assert any(note.startswith("--budget: took ") and note.endswith(" of 1 s") for note in run.notes)
    assert any(f"got {cut.passes} of 20 passes" in note for note in run.notes)
    assert list(verify(run)) == []


FOUND = {"workload": "toy", "variant": "sound", "stacks": 2, "pairs": 1, "passes": 9, "spread": 0.01, "ratio": 1.01}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(budget=None), "what became of --budget is not told"),
        (lambda r: r["options"].update(budget_seconds=None), "told, though there was none"),
        (lambda r: r["budget"]["finds"].append(FOUND), "what the passes could find does not follow"),
        (lambda r: r["budget"].update(spent_seconds=1e6), "not within start and end"),
        (lambda r: r["budget"]["cuts"].clear(), "has passes"),
        (lambda r: r["budget"]["cuts"][0].update(planned=21), "is no cut of the 20"),
        (lambda r: r["budget"]["cuts"][0].update(spent_seconds=1e6), "after the run had ended"),
        (lambda r: r["notes"].pop(), "lacks the note: --budget: took"),
    ],
)
def test_verify_derives_it_again(run, change, says):
    plain = run.model_dump(mode="json", by_alias=True)
    change(plain)
    changed = Result.model_validate(plain)
    changed = changed.model_copy(update={"digest": digest(changed)})
    assert any(says in v for v in verify(changed))
