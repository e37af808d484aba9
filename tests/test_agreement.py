"""The committed trainings are of today's code; what is declared follows from them, and in them the frameworks agree."""

from fnmatch import fnmatch

import pytest

from benchmarks.analysis.agreement import agreements, finished, representatives
from benchmarks.analysis.ranges import trained, work
from benchmarks.schema.results import read
from benchmarks.workload import ROOT, Accepted, Equivalence, SeedLocked, discover
from benchmarks.workload.sources import implementation_files

FILES = sorted([*(ROOT / "results" / "accuracy").glob("*.json"), *(ROOT / "results").glob("*-books.json")])
RESULTS = [read(path) for path in FILES]
DECLARED = {
    (f.workload.name, f.workload.variant, plain["name"]): (f.workload, recipe, plain)
    for f in discover()
    for recipe, plain in zip(f.workload.recipes, f.workload.declaration()["recipes"], strict=True)
}
# Trainings of the recipe as it is declared today, not of an earlier one by the same name.
TRAINED = {
    key: same[0]
    for key, kept in trained(RESULTS).items()
    if (same := [found for found in kept if found.recipe == work(DECLARED[key][2])])
}
RANGED = [key for key, (_, recipe, _) in DECLARED.items() if isinstance(recipe.accepted, Accepted)]
LOCKED = [key for key, (_, recipe, _) in DECLARED.items() if isinstance(recipe.agreement, SeedLocked)]
FOUND = {(f.workload.name, f.workload.variant): f for f in discover()}
# Trainings of code that has changed since, or of which nobody recorded as much, and why they still stand.
STALE = {
    "*-books.json": "a book's recipe takes hours; its figures stand in the README with their date",
    "*-short*.json": "real data, hours of training; before December 2026 the bytes of fewer files were hashed",
}
# Of a declaration: what decides the work of every recipe. The others name it, count it or judge it.
DOES = ("dataset", "layers", "optimiser", "batch_size", "loss", "decay")
# Seeds that vary so much that these cannot show the margin; more of them or a calmer recipe would.
NOT_SHOWN = {("mnist_cnn", "default", "quick")}


def rows(key):
    """Of every file, those that trained the recipe as it is declared today."""
    out = []
    for result in RESULTS:
        declared = {(d.name, d.variant): d.declaration for d in result.declared}
        for row in result.rows:
            if row.accuracy and (row.workload, row.variant, row.accuracy.recipe) == key:
                recipe = next(r for r in declared[key[:2]]["recipes"] if r["name"] == key[2])
                out += [row] if work(recipe) == work(DECLARED[key][2]) else []
    return out


def stale(result):
    """(Row, what is not of today) for the trainings behind declared ranges and references, where there is something."""
    declared = {(d.name, d.variant): d.declaration for d in result.declared}
    for row in result.rows:
        key = row.workload, row.variant
        if row.stack.tuned or not row.accuracy or (*key, row.accuracy.recipe) not in {*RANGED, *LOCKED}:
            continue
        workload, _, recipe = DECLARED[(*key, row.accuracy.recipe)]
        trained_by = next(r for r in declared[key]["recipes"] if r["name"] == recipe["name"])
        if work(trained_by) != work(recipe):
            continue  # of an earlier recipe by the same name: it stands behind nothing
        now = implementation_files(FOUND[key], row.stack.framework, row.stack.mode)
        changed = sorted({name for name, _ in row.implementation.items() ^ now.items()})
        today = workload.declaration()
        changed += [k for k in DOES if today.get(k) != declared[key].get(k)]
        if changed:
            yield row, changed


def measure_again(path, result, rows):
    """The command that renews ``rows`` of the file."""
    stacks = ",".join(dict.fromkeys(f"{row.stack.framework}:{row.stack.mode}" for row in rows))
    keys = ",".join(dict.fromkeys(f"{row.workload}/{row.variant}".removesuffix("/default") for row in rows))
    words = f"--accuracy-seeds {result.options.accuracy_seeds} --recipe {rows[0].accuracy.recipe}"
    words += f" --data {result.options.data} --workload {keys} --stack {stacks} --out NEW"
    return f"python -m benchmarks run --measure accuracy {words} && cp NEW/result.json {path.relative_to(ROOT)}"


@pytest.mark.parametrize(("path", "result"), list(zip(FILES, RESULTS, strict=True)), ids=[path.stem for path in FILES])
def test_trainings_behind_what_is_declared_are_of_todays_code(path, result):
    found = list(stale(result))
    if any(fnmatch(path.name, pattern) for pattern in STALE):
        return  # the test below
    if found:
        said = [f"{row.workload}/{row.variant} {row.stack.label}: changed {', '.join(why)}" for row, why in found]
        again = measure_again(path, result, [row for row, _ in found])
        pytest.fail("\n".join([*said, f"measure again: {again}"]), pytrace=False)


@pytest.mark.parametrize("pattern", STALE)
def test_no_training_is_excused_that_needs_no_excuse(pattern):
    matching = [result for path, result in zip(FILES, RESULTS, strict=True) if fnmatch(path.name, pattern)]
    assert any(list(stale(result)) for result in matching), f"remove {pattern} from STALE"


@pytest.mark.parametrize("key", RANGED, ids="-".join)
def test_declared_ranges_follow_from_the_committed_trainings(key):
    accepted = DECLARED[key][1].accepted
    assert TRAINED[key].bounds() == (accepted.low, accepted.high)
    for beside in accepted.also or ():
        assert TRAINED[key].bounds(beside.score) == (beside.low, beside.high), beside.score


@pytest.mark.parametrize("key", LOCKED, ids="-".join)
def test_seed_locked_limits_and_references_follow_from_the_committed_trainings(key):
    locked, found = DECLARED[key][1].agreement, TRAINED[key]
    assert (locked.tolerance, locked.loss) == (found.tolerance(), found.loss())
    assert locked.references in (None, found.references())
    assert (locked.references is not None) == (key[2] == "quick"), "embedded data have references, real data none"


@pytest.mark.parametrize("key", TRAINED, ids="-".join)
def test_frameworks_agree_by_the_declared_criterion(key):
    workload, recipe, _ = DECLARED[key]
    assert {row.stack.framework for row in rows(key)} == {"torch", "tensorflow", "tensorlayerx"}
    found = agreements(rows(key), workload.declaration(), data=recipe.data)
    pairs = [a for a in found if a.second != "reference"]
    assert len(pairs) == 3
    if isinstance(recipe.agreement, Equivalence) and len(pairs[0].seeds) < 5:
        assert all(a.verdict == "not judged" and "needs five seeds" in a.why for a in pairs)
    elif key in NOT_SHOWN:
        verdicts = {a.verdict for a in pairs}
        assert "not shown" in verdicts and verdicts <= {"agree", "not shown"}
    else:
        assert [a for a in found if a.verdict != "agree"] == []
    if isinstance(recipe.agreement, Equivalence) and recipe.agreement.loss is not None:
        assert recipe.agreement.loss == TRAINED[key].loss()
        assert all(a.loss_difference <= a.loss_margin for a in pairs)


QUICK = [key for key in RANGED if key[2] == "quick"]


@pytest.mark.parametrize("key", QUICK, ids="-".join)
def test_quick_recipes_were_trained_from_five_seeds_in_a_documented_mode_of_each_framework(key):
    """What the ranges claim. That the other modes do the same work is what each one's certificate proves."""
    chosen = representatives(rows(key))
    assert {row.stack.framework for row in chosen} == {"torch", "tensorflow", "tensorlayerx"}
    least = 3 if key[0] == "cifar10_resnet" else 5  # a training of ResNet takes minutes
    assert all(len(finished(row)) >= least for row in chosen)


def test_recipes_with_a_range_declare_how_frameworks_agree():
    assert [key for key in RANGED if DECLARED[key][1].agreement is None] == []


def test_margins_are_round_numbers_with_a_reason():
    equivalences = [recipe.agreement for _, recipe, _ in DECLARED.values() if isinstance(recipe.agreement, Equivalence)]
    assert {e.margin for e in equivalences} <= {0.01, 0.05}, "one for accuracies, one for perplexities"
    assert all(e.reason and (e.loss is None) == (e.loss_protocol is None) for e in equivalences)
