"""--budget while the run goes on: slow machines give passes up, fast ones none, --resume counts on. NumPy toys."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from measured import measure

from benchmarks.analysis.pilot import MOST
from benchmarks.engine import budget, clock
from benchmarks.engine.estimate import estimate, extremes
from benchmarks.engine.journal import Journal, PassMade, PilotDecided
from benchmarks.engine.select import make_plan
from benchmarks.schema.results import Pilot, Result, read
from benchmarks.verify.file import verify

TOYS = Path(__file__).parent / "toys"


@pytest.fixture(scope="module")
def plan():
    """Three toys with as many passes as are ever made, and accuracy, in 1.1 times the estimate."""
    whole = make_plan(
        command="test", impls=TOYS, threads=1, recipe="smoke", profile="full", passes=20,
        workload=["toy/sound", "toy/slow", "toy/raises"],
    )  # fmt: skip
    return whole.with_request(budget_seconds=1.1 * estimate(whole))


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
            journal.add(PassMade(key=entry.key, index=p))
            if counting.cut(entry, took=took):
                break
        made = len(journal.of(PassMade, key=entry.key))
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
    words = [budget.cut_words(cut) for e in plan.entries if (cut := journal.cut(e.key))]
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
    assert again.journal.spent() <= again.seconds <= spent
    now[0] = 12.0
    assert again.seconds == again.journal.spent() + 7.0
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
    assert whole.options.passes == MOST
    measure(whole.with_request(budget_seconds=1.0), out)
    return read(out / "result.json")


def test_a_run_stops_when_its_time_is_over_and_says_what_it_took(run):
    (cut,) = run.budget.cuts
    assert [len(row.launches) for row in run.rows] == [cut.passes]
    assert 1 <= cut.passes < MOST
    assert run.complete and run.rows[0].status == "ok"
    assert any(note.startswith("--budget: took ") and note.endswith(" of 1 s") for note in run.notes)
    assert any(f"got {cut.passes} of {MOST} passes" in note for note in run.notes)
    assert list(verify(run)) == []


FOUND = {"workload": "toy", "variant": "sound", "stacks": 2, "pairs": 1, "passes": 9, "spread": 0.01, "ratio": 1.01}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(budget=None), "what became of --budget is not told"),
        (lambda r: r["options"].update(budget_seconds=None), "told, though there was none"),
        (lambda r: r["budget"]["finds"].append(FOUND), "budget.finds[toy sound]: the file has one"),
        (lambda r: r["budget"].update(spent_seconds=1e6), "not within start and end"),
        (lambda r: r["budget"]["cuts"].clear(), "has passes"),
        (lambda r: r["budget"]["cuts"][0].update(planned=31), "is no cut of the 30"),
        (lambda r: r["budget"]["cuts"][0].update(spent_seconds=1e6), "after the run had ended"),
        (lambda r: r["notes"].pop(), "lacks the note: --budget: took"),
    ],
)
def test_verify_derives_it_again(run, change, says):
    plain = run.model_dump(mode="json", by_alias=True)
    change(plain)
    changed = Result.model_validate(plain)
    assert any(says in v for v in verify(changed))


def test_before_a_pilot_the_estimate_is_of_what_it_is_likely_to_ask_for():
    """Five passes are the least of a full run; up to thirty may follow."""
    whole = make_plan(
        command="test", impls=TOYS, threads=1, recipe="smoke", profile="full", workload=["toy/sound"],
    )  # fmt: skip
    least, most = extremes(whole)
    assert least == estimate(whole.with_request(pilot=None, passes=5))
    assert most == estimate(whole.with_request(pilot=None, passes=MOST))
    assert least < estimate(whole) < most


@pytest.mark.parametrize("passes", [5, 12, 30])
def test_progress_goes_with_the_passes_that_a_pilot_asks_for(tmp_path, passes):
    """Two workloads whose pilots ask for equally many: the first is half of the work, whatever was estimated."""
    whole = make_plan(
        command="test", impls=TOYS, threads=1, recipe="smoke", profile="full", measure=["training"],
        workload=["toy/sound", "toy/raises"],
    )  # fmt: skip
    journal, shares = Journal(tmp_path), []
    counting = clock.Clock(whole, journal)
    for place, entry in enumerate(whole.entries):
        for p in range(passes):
            journal.add(PassMade(key=entry.key, index=p))
            if p == 2:
                decision = Pilot(
                    workload=entry.workload, variant=entry.variant, pilot=3, stacks=2, spread=0.01, upper=0.01,
                    needed=passes, passes=passes, most_passes=MOST,
                )  # fmt: skip
                journal.add(PilotDecided(key=entry.key, decision=decision))
            shares.append(counting.share(place))
        assert len(shares) != passes or shares[-1] == pytest.approx(counting.share(1))
    assert shares[passes + 2 :] == sorted(shares[passes + 2 :])
    assert sum(share > 0.9 for share in shares) <= 0.2 * len(shares) + 1
    assert counting.share(2) == 1.0
