"""Other programs beside the stacks: run, scored and shown, but never certified, ranked or compared."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from result_factory import make_words

from benchmarks import data
from benchmarks.data import skipgram
from benchmarks.engine import baselines
from benchmarks.engine.select import make_plan
from benchmarks.errors import Problem
from benchmarks.schema.results import Baseline, read
from benchmarks.tasks.inputs import save_arrays
from benchmarks.verify.file import verify
from benchmarks.worker.baseline import train
from benchmarks.workload import ROOT, Pairs, discover, load
from reports.cli import main as report
from reports.render import html
from reports.summary import markdown
from reports.verdict import rank
from reports.work import gather

IMPLS = Path(__file__).parent / "baselines"
SMOKE = ("--profile", "smoke", "--threads", "1", "--measure", "accuracy")


def command(out, *words, variant="sound"):
    chosen = ["--impls", str(IMPLS), "--workload", f"vectors/{variant}", *SMOKE] if "--resume" not in words else []
    return [sys.executable, "-m", "benchmarks", "run", *chosen, "--out", str(out), *words]


def run(out, *words, variant="sound"):
    return subprocess.run(
        command(out, *words, variant=variant), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    out = tmp_path_factory.mktemp("baselines") / "run"
    return out, run(out, "--seed", "3")


def expected(seed):
    """What the scorer of the stacks says of the fake's vectors."""
    pairs = load(IMPLS / "vectors", "sound").workload.dataset
    arrays = skipgram.embedded(pairs, seed=seed, train_examples=1_000, test_examples=1_000).arrays
    drawn = np.random.default_rng(seed).normal(size=(200, 6)).astype(np.float32)
    found = skipgram.scores(drawn, drawn, np.zeros(200, np.float32), arrays, negatives=8)
    assert "loss" in found
    return {name: value for name, value in found.items() if name != "loss"}


def test_a_baseline_is_run_and_scored_by_the_scorer_of_the_stacks(sound):
    out, done = sound
    assert done.returncode == 0, done.stderr
    result = read(out / "result.json")
    assert list(verify(result)) == []
    fake, missing = result.baselines
    assert (fake.name, fake.status, fake.version) == ("fake", "ok", np.__version__)
    assert fake.settings == {"way": "sound", "columns": 6, "epochs": 2}
    assert (fake.seed, fake.threads, fake.recipe, fake.unit, fake.processed) == (3, 1, "smoke", "words", 2_000)
    assert fake.units_per_second() == 2_000 / fake.seconds
    assert fake.scores == pytest.approx(expected(3))
    (row,) = result.rows
    (training,) = row.accuracy.trainings
    assert set(fake.scores) == set(training.also)
    assert "nce_loss" not in fake.scores
    assert (missing.name, missing.status, missing.version) == ("missing", "unavailable", None)
    assert missing.reason == "no-such-program is not installed: pip install no-such-program"


def test_the_terminal_has_one_line_of_each(sound):
    _, done = sound
    lines = [line for line in done.stdout.splitlines() if line.startswith("baseline ")]
    assert len(lines) == 2
    assert lines[0].startswith(f"baseline Drawn vectors {np.__version__} (other algorithm, not certified, not equal")
    assert "words/s, spearman planted" in lines[0]
    missing = "no-such-program is not installed: pip install no-such-program"
    assert lines[1] == f"baseline Missing program: unavailable: {missing}"


def kept(out, *dropped):
    """The journal without the events of these kinds."""
    path = out / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(e) + "\n" for e in events if e["event"] not in dropped))
    return events


def count(out, kind):
    return sum(json.loads(line)["event"] == kind for line in (out / "journal.jsonl").read_text().splitlines())


def test_resume_does_it_once(tmp_path):
    out = tmp_path / "run"
    assert run(out).returncode == 0
    first = read(out / "result.json").baselines[0]
    kept(out, "finished")
    done = run(out, "--resume")
    assert done.returncode == 0, done.stderr
    assert read(out / "result.json").baselines[0] == first  # seconds and all: it was not done again
    kept(out, "finished", "baseline")
    done = run(out, "--resume")
    assert done.returncode == 0, done.stderr
    again = read(out / "result.json").baselines[0]
    assert (again.status, again.scores) == ("ok", first.scores)
    assert again.seconds != first.seconds
    assert (count(out, "training"), count(out, "baseline_start"), count(out, "baseline")) == (1, 2, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupted_it_is_said_so(tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(command(out, variant="hangs"), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 180
    while not ((out / "journal.jsonl").exists() and count(out, "baseline_start")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    result = read(out / "result.json")
    assert (result.baselines[0].status, result.baselines[0].reason) == ("interrupted", "the run ended early")
    assert [v for v in verify(result) if "baseline" in v] == []


@pytest.mark.parametrize(
    ("variant", "reason"),
    [("raises", "ValueError: the baseline was told to raise"), ("shapeless", "one per word: (200, D), got (199, 6)")],
)
def test_a_failure_is_a_row_with_its_reason(tmp_path, variant, reason):
    out = tmp_path / "run"
    done = run(out, variant=variant)
    assert done.returncode == 1
    assert f"failed: vectors/{variant}: baseline fake: " in done.stderr
    result = read(out / "result.json")
    assert [row.status for row in result.rows] == ["ok"]  # the stacks are not touched by it
    fake = result.baselines[0]
    assert fake.status == "failed"
    assert reason in fake.reason
    assert any("ValueError" in line for line in fake.log_tail)
    assert str(ROOT) not in "".join(fake.log_tail)
    assert list(verify(result)) == []
    assert reason in html([result])


# -- plans -------------------------------------------------------------------------------------------


def test_it_belongs_to_accuracy(tmp_path):
    asked = {"command": "test", "workload": ["vectors/sound"], "profile": "smoke", "impls": IMPLS, "threads": 1}
    assert [b.name for b in make_plan(**asked).entries[0].baselines] == ["fake", "missing"]
    assert make_plan(**asked, measure=["training"]).entries[0].baselines == []


def test_a_changed_baseline_cannot_be_resumed(tmp_path):
    import shutil

    impls = tmp_path / "impls"
    shutil.copytree(IMPLS, impls)
    plan = make_plan(command="test", workload=["vectors/sound"], profile="smoke", impls=impls, threads=1)
    assert plan.changed_files() == []
    with (impls / "vectors" / "baseline_fake.py").open("a") as file:
        file.write("CHANGED = True\n")
    assert plan.changed_files() == ["baseline_fake.py"]


@pytest.mark.parametrize(
    ("toy", "text", "says"),
    [
        ("baselines/vectors", 'LABEL = "x"', "must assign strings to LABEL, DESCRIPTION, UNIT and distributions"),
        ("toys/toy", (IMPLS / "vectors" / "baseline_fake.py").read_text(), "no word vectors"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(tmp_path, toy, text, says):
    folder = tmp_path / Path(toy).name
    folder.mkdir()
    (folder / "workload.py").write_text((Path(__file__).parent / toy / "workload.py").read_text())
    (folder / "baseline_odd.py").write_text(text)
    with pytest.raises(Problem, match=says):
        baselines.planned(load(folder, "sound"), sys.executable)


# -- results -----------------------------------------------------------------------------------------

GOOD = Baseline(
    workload="neighbours", variant="default", name="other", label="Other <i>program</i>", description="its own way",
    version="1.2", implementation={}, status="ok", recipe="quick", seed=1, threads=2, settings={"negative": 5},
    seconds=4.0, processed=1_000_000, unit="words", scores={"spearman_planted": 0.551, "questions": 1000.0},
)  # fmt: skip


def with_baselines(*found):
    return make_words().model_copy(update={"baselines": list(found)})


def violations(*found):
    return [v for v in verify(with_baselines(*found)) if "baseline" in v]


def test_verify_of_baselines():
    assert violations(GOOD) == []
    nothing = {"seconds": None, "processed": None, "scores": {}}
    lost = GOOD.model_copy(update={"status": "failed", "reason": "why", **nothing})
    assert violations(lost) == []

    def broken(**changes):
        (said,) = violations(GOOD.model_copy(update=changes))
        return said

    assert "ok without version, time or scores" in broken(seconds=None)
    assert "ok without version, time or scores" in broken(version=None)
    assert "failed, yet it holds measurements" in broken(status="failed", reason="why")
    assert "without a reason" in broken(status="unavailable", **nothing)
    assert "interrupted in a run that is complete" in broken(status="interrupted", reason="why", **nothing)
    assert "not declared" in broken(workload="nobody")
    assert "not given the recipe, seed and threads" in broken(threads=4)
    assert "claims the stacks' metric" in broken(scores={"nce_loss": 2.0})
    assert any("appears twice" in v for v in violations(GOOD, GOOD))


def test_the_report_shows_it_apart():
    lost = {"name": "lost", "status": "failed", "reason": "no memory", "seconds": None, "processed": None, "scores": {}}
    result = with_baselines(GOOD, GOOD.model_copy(update=lost))
    text = html([result])
    assert "Other <i>program" not in text  # escaped
    table = text[text.index("<caption>Baselines of Skip-gram of neighbours") :]
    table = table[: table.index("</table>")]
    for said in ("other algorithms, not certified, not equal work", "250,000", "words/s", "0.5510", "no memory"):
        assert said in table, said
    assert text.count("neither ranked nor compared") == 1  # the other workload has none
    works = {w.key: w for w in gather([result])}
    assert [b.name for b in works["neighbours"].baselines] == ["other", "lost"]
    assert works["novel"].baselines == ()
    before = {w.key: rank(w) for w in gather([make_words()])}
    assert {key: rank(w) for key, w in works.items()} == before  # rankings and ratios do not know it
    line = next(line for line in markdown([result]).splitlines() if line.startswith("Other"))
    assert line == (
        "Other &lt;i&gt;program&lt;/i&gt; 1.2 (baseline: other algorithm, not certified, not equal work): "
        "250,000 words/s; spearman planted 0.5510."
    )


def test_the_page_of_a_run_with_baselines_renders(sound, tmp_path):
    out, _ = sound
    page = tmp_path / "page.html"
    done = CliRunner().invoke(report, [str(out), "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert "Drawn vectors" in page.read_text()


# -- gensim ------------------------------------------------------------------------------------------


@pytest.mark.framework
def test_gensim_learns_the_planted_language(tmp_path):
    pytest.importorskip("gensim", reason="gensim is not installed: pip install --group baselines")
    (found,) = [f for f in discover() if f.workload.key == "word2vec"]
    assert found.baselines() == ["gensim"]
    (planned,) = baselines.planned(found, sys.executable)
    assert planned.reason == ""
    pairs = Pairs(name="skipgram", vocabulary=50_000, window=1, negatives=64, train_examples=1)
    embedded = data.load(pairs, source="embedded", seed=0, train_examples=50_000, test_examples=1_000)
    save_arrays(tmp_path, embedded.arrays)
    job = {"folder": str(found.folder), "variant": "default", "name": "gensim", "recipe": "book", "seed": 0}
    answer = train(**job, inputs=str(tmp_path), threads=1, affinity=[])
    assert answer["processed"] == 20 * 50_000
    assert (answer["settings"]["window"], answer["settings"]["vector_size"]) == (1, 128)
    assert json.loads(json.dumps(answer)) == answer
    # Measured .125 and .532; vectors drawn at random give about .002 and 0 ± .02.
    assert answer["scores"]["neighbours"] > 0.05
    assert answer["scores"]["spearman_planted"] > 0.3


@pytest.mark.framework
def test_gensim_gives_vectors_in_the_order_of_ids():
    pytest.importorskip("gensim", reason="gensim is not installed: pip install --group baselines")
    from benchmarks.workload import load_module

    (found,) = [f for f in discover() if f.workload.key == "word2vec"]
    module = load_module(found.baseline("gensim"), "baseline_gensim_tested")
    ids = np.random.default_rng(0).choice([7, 3, 11], size=30_000, p=[0.2, 0.3, 0.5])
    told = module.settings(found.workload, found.workload.recipe("smoke"))
    model = module.build(ids, told, 1, 0)
    module.train(model, ids)
    vectors = module.vectors(model, 13)
    assert vectors.shape == (13, 128)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(np.flatnonzero(np.abs(vectors).sum(1)), [3, 7, 11])
    for word in (3, 7, 11):
        np.testing.assert_array_equal(vectors[word], model.wv[str(word)])
    tokens = module.Tokens(ids)
    for _ in range(2):  # once for each epoch
        assert [word for sentence in tokens for word in sentence] == [str(i) for i in ids]
