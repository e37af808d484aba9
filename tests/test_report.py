"""The report: everything in the result is shown, nothing is claimed that was not measured, nothing is loaded."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Outcome
from result_factory import make, make_book, on_gpu

from benchmarks.schema import results
from benchmarks.schema.markdown import markers
from reports import numbers, summary
from reports.charts import block_frame, curve_frame, pass_frame, start_frame
from reports.cli import main
from reports.ranking import rank
from reports.render import html
from reports.verdict import against_book, judgement, sentence
from reports.work import Work, gather, label

BEGIN, END = markers("results")
EVIL = "<script>alert(1)</script>\"'&{{7*7}}$x_1$]]>\x1b[31m"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements with attributes, ids, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def result() -> results.Result:
    return make()


@pytest.fixture(scope="module")
def text(result: results.Result) -> str:
    return html([result])


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def run(*arguments: object) -> Outcome:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def work(result: results.Result, key: str) -> Work:
    return next(w for w in gather([result]) if w.key == key)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "result.json"
    path.parent.mkdir()
    results.write(make(), path)
    return path


# What is shown


def test_every_row_and_every_reason_is_on_the_page(result: results.Result, page: Page) -> None:
    for row in result.rows:
        assert label(row.stack) in page.text
        assert row.reason in page.text
    for launch in (la for row in result.rows for la in row.launches):
        assert all(line in page.text for line in launch.log_tail)
    assert {row.status for row in result.rows} == {
        "ok", "unavailable", "crashed", "parity_failed", "accuracy_failed", "interrupted",
    }  # fmt: skip


def test_every_row_is_in_the_table_of_its_workload(text: str, result: results.Result) -> None:
    tables = re.findall(r'<table class="summary">.*?</table>', text, re.S)
    works = gather([result])
    assert len(tables) == len(works) == 4
    for table, w in zip(tables, works, strict=True):
        headings = re.sub(
            r"<small>.*?</small>|<sup>.*?</sup>", "", " ".join(re.findall(r"<th scope=.row.*?</th>", table, re.S))
        )
        for row in w.rows:
            assert label(row.stack) in headings
    assert re.search(r"TensorLayerX eager</span>.*?unavailable</b> No module named", tables[0], re.S)


def test_what_was_not_measured_is_not_a_zero(text: str) -> None:
    cells = re.findall(r"<td class=.num[^>]*>(.*?)</td>", text, re.S)
    assert cells
    training = [c for c in cells if re.match(r"0(\.0+)?<small>", c)]
    assert training == []


def test_a_timing_without_certificate_says_so(page: Page, result: results.Result) -> None:
    assert "timing without valid certificate" in page.text
    assert "None of these timings has a valid certificate." in page.text
    broken = work(result, "mnist_cnn")
    found = rank(broken)
    assert [label(r.stack) for r in found.timed] == ["TensorFlow graph"]
    assert "TensorFlow graph was timed but not ranked" in " ".join(sentence(broken).asides)


def test_notes_and_warnings_are_prominent(page: Page, result: results.Result) -> None:
    top = page.text[: page.text.index("Charts One colour")]
    assert result.notes[0] in top
    assert "The run was interrupted" in top
    assert "with uncommitted changes" in top


def test_edits_by_hand_show(result: results.Result, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    results.write(result, path)
    warning = "this result file was changed after the run"
    assert warning not in html([results.read(path)])
    path.write_text(path.read_text("utf-8").replace("Memory was short", "Memory was ample"), "utf-8")
    assert warning in html([results.read(path)])


def test_disturbed_blocks_are_marked(page: Page) -> None:
    assert "1 marked as disturbed" in page.text
    assert "Hollow: disturbed" in page.text


def test_a_gpu_is_named_and_its_state_shown(result: results.Result) -> None:
    page = Page(html([on_gpu(result)]))
    assert "Example CPU E5 @ 2.60GHz and Example GPU" in page.text
    assert "PyTorch eager (cuda)" in page.text
    assert "1,700 MHz 51.0 °C 1" in page.text
    assert "device 900 MiB" in page.text
    assert "GPU clock" not in Page(html([result])).text


def test_extreme_certificates_are_shown(result: results.Result) -> None:
    row = next(r for r in result.rows if r.certificate)
    assert row.certificate is not None
    first = row.certificate.tensors[0]
    tensors = [first.model_copy(update={"error": None, "passed": False}), first.model_copy(update={"tolerance": 0.0})]
    certificate = row.certificate.model_copy(update={"status": "parity_failed", "reason": "odd", "tensors": tensors})
    rows = [row.model_copy(update={"status": "parity_failed", "reason": "odd", "certificate": certificate})]
    text = html([result.model_copy(update={"rows": rows, "comparisons": []})])
    assert "not finite" in text
    assert "No stack has a timing that counts" in text


# What is claimed


def test_few_passes_are_provisional(result: results.Result) -> None:
    for w in gather([result]):
        said = sentence(w)
        assert said.standing == "provisional"
        assert "Provisional: fewer than 5 passes" in said.text
        assert "fastest" not in said.headline


def test_crossing_intervals_share_first_place_and_clear_ones_do_not() -> None:
    full = make(passes=6, interrupted=False)
    shared = sentence(work(full, "mnist_mlp_ablation/batchnorm"))
    assert shared.standing == "shared"
    assert shared.headline.endswith("share first place")
    settled = sentence(work(full, "mnist_mlp"))
    assert settled.standing == "settled"
    assert re.search(r"TensorFlow graph trains fastest", settled.headline)
    assert re.search(
        r"1\.\d\d times the throughput of the next, PyTorch eager \(joint 97 % interval 1\.\d\d to 1\.\d\d\)",
        settled.text,
    )


def test_a_comparison_stored_the_other_way_round_means_the_same() -> None:
    full = make(passes=6, interrupted=False)
    w = work(full, "mnist_mlp")
    a, b = w.rows[0], w.rows[1]
    there, back = w.comparison(a, b), w.comparison(b, a)
    assert there is not None and back is not None
    assert there.low is not None and there.high is not None and back.low is not None and back.high is not None
    assert (there.verdict, back.verdict) == ("faster", "slower")
    assert there.ratio * back.ratio == pytest.approx(1)
    assert back.low == pytest.approx(1 / there.high)
    assert back.low < back.ratio < back.high


def test_different_declarations_stay_apart() -> None:
    first, second = make("run-a"), make("run-b", learning_rate=0.5)
    hashes = {w.hash[:12] for r in (first, second) for w in gather([r]) if w.key == "mnist_cnn"}
    shown = Page(html([first, second])).text
    assert len(hashes) == 2
    assert "mnist_cnn comes with 2 different declarations" in shown
    for h in hashes:
        assert f"Declaration {h}: not comparable" in shown
    assert "mnist_mlp comes with" not in shown
    assert "mnist_cnn appears with 2 declarations" in summary.markdown([first, second])


def test_a_result_without_rows_or_declarations_still_renders(result: results.Result) -> None:
    bare = result.model_copy(update={"rows": [], "comparisons": []})
    assert "No stack has a timing that counts" in html([bare])
    lost = result.model_copy(update={"declared": [], "data": []})
    assert "mnist_mlp" in html([lost])


def test_an_unfinished_training_is_not_judged(result: results.Result) -> None:
    row = next(r for r in result.rows if r.variant == "batchnorm" and r.accuracy)
    assert row.accuracy is not None
    assert judgement(row) == "in range"
    cut = row.accuracy.trainings[1].model_copy(update={"status": "timeout", "metric": None})
    accuracy = row.accuracy.model_copy(update={"trainings": [row.accuracy.trainings[0], cut]})
    assert judgement(row.model_copy(update={"accuracy": accuracy})) == "unfinished"


@pytest.mark.parametrize(
    ("verdict", "low", "high", "says"),
    [
        ("undecided", 0.97, 1.05, "this run cannot order them"),
        ("untrustworthy", 1.01, 1.05, "this run cannot order them"),
        ("equivalent", 1.001, 1.012, "differ by less than 2 %"),
    ],
)
def test_who_is_not_beaten_shares_first_place(verdict: results.Verdict, low: float, high: float, says: str) -> None:
    full = make(passes=6, interrupted=False)
    key = "mnist_mlp"
    first, second = rank(work(full, key)).ranked[:2]
    changed = [
        c.model_copy(update={"verdict": verdict, "low": low, "high": high, "ratio": 1.01})
        if {first.stack.key, second.stack.key} == {c.first, c.second} and c.workload == key
        else c
        for c in full.comparisons
    ]
    said = sentence(work(full.model_copy(update={"comparisons": changed}), key))
    assert said.standing == "shared"
    assert says in said.text
    assert f", {verdict})" in said.text
    assert "fastest" not in said.headline


# What is safe


def test_hostile_strings_are_text() -> None:
    hostile = make(evil=EVIL)
    text = html([hostile])
    page = Page(text)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert len(scripts) == 1
    assert "<script>alert" not in text
    assert page.text.count("<script>alert(1)</script>\"'&{{7*7}}$x_1$]]>") > 20
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    table = summary.markdown([hostile])
    assert "<script" not in table
    body = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in body} == {8}


def test_nothing_is_loaded_from_anywhere(text: str, page: Page) -> None:
    assert not [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object", "embed", "base")]
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert attributes.get(name) is None or str(attributes[name]).startswith("#"), (tag, attributes)
    assert re.findall(r"https?:", text) == []
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    policy = next(a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none';")


def test_ids_are_unique_and_references_meet_them(page: Page, text: str) -> None:
    ids = [str(a["id"]) for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = {str(a[n])[1:] for _, a in page.elements for n in ("href", "xlink:href") if n in a}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", text))
    wanted |= {str(a[n]) for _, a in page.elements for n in ("aria-labelledby",) if n in a}
    assert wanted <= set(ids)


def test_charts_take_their_colours_from_the_page_and_are_named(text: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(charts) == 15  # four workloads, and linear was not trained
    for chart in charts:
        assert 'role="img"' in chart and "<title id=" in chart
        assert not re.search(r"#[0-9a-f]{6}", chart)
        assert "DejaVu" not in chart


def test_the_same_results_give_the_same_bytes(text: str) -> None:
    assert html([make()]) == text


def test_no_framework_and_no_engine_is_imported(stored: Path) -> None:
    code = (
        "import sys; from reports.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "names = ('torch', 'tensorflow', 'tensorlayerx', 'benchmarks')\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in names))"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, str(stored), "--out", str(stored.with_name("r.html"))],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    # The schema of results, declarations and what follows from samples, and nothing that makes results.
    rooms = {name.split(".")[1] for name in ast.literal_eval(done.stdout.splitlines()[-1]) if "." in name}
    assert not rooms & {"commands", "data", "engine", "frameworks", "machine", "tasks", "verify", "worker"}
    assert "'torch'" not in done.stdout and "'tensorflow'" not in done.stdout
    assert done.stderr == ""


# The command line


def test_files_and_folders(stored: Path, tmp_path: Path) -> None:
    for given in ([stored], [stored.parent], [tmp_path], [stored, stored.parent]):
        out = tmp_path / "page.html"
        done = run(*given, "--out", out)
        assert done.exit_code == 0, done.output
        size, last = done.output.splitlines()
        assert re.fullmatch(r"Report of 1 run, \d+ KiB:", size)
        assert last == str(out)
        assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist."),
        ("", "is not a Bookbench result: Invalid JSON"),
        ("[]", "is not a Bookbench result: "),
        ('{"schema_version": 7}', "is not a Bookbench result: schema_version: Input should be 1 (and "),
        (b"\xff\xfe\x00", "cannot be read: "),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, content: str | bytes | None, says: str) -> None:
    path = tmp_path / "result.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(path)
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {path} {says}")
    assert len(done.output.splitlines()) == 1
    assert "Traceback" not in done.output


def test_more_bad_input(tmp_path: Path, stored: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(empty).output == f"Error: {empty} holds no result.json.\n"
    assert "cannot be written" in run(stored, "--out", tmp_path / "no" / "page.html").output
    assert run().exit_code == 2
    assert run(stored, "--check").exit_code == 2


def test_readme_table(stored: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    stale = run(stored, "--readme", readme, "--check")
    assert stale.exit_code == 1
    assert stale.output == f"Error: The results table in {readme} is not up to date.\n"
    assert "old" in readme.read_text(encoding="utf-8")
    assert run(stored, "--readme", readme).exit_code == 0
    new = readme.read_text(encoding="utf-8")
    begins = f"before\n{BEGIN}\n**MNIST CNN, as documented** (<code>mnist_cnn</code>, batch 128)\n\n| Stack |"
    assert new.startswith(begins)
    assert new.endswith(f"{END}\nafter\n")
    assert run(stored, "--readme", readme, "--check").exit_code == 0
    assert run(stored, "--readme", readme).exit_code == 0
    assert readme.read_text(encoding="utf-8") == new
    assert not (tmp_path / "report.html").exists()


def test_readme_without_markers(stored: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n", encoding="utf-8")
    done = run(stored, "--readme", readme)
    assert done.exit_code == 1
    assert done.output == f"Error: {readme}: there is no {BEGIN} followed by {END}.\n"


def test_readme_table_has_every_row(result: results.Result) -> None:
    table = summary.markdown([result])
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len(lines) == len(result.rows) + 2 * 4
    assert "unavailable: No module named" in table
    assert "| TensorFlow graph | 15,400 | 32.5 | 1.00 | – | 0.9870 / – | passed, 1.85e-5 of 1.00e-4 |" in lines
    assert "| PyTorch eager | 12,100 | 41.4 | 1.27 | 0.7977, not judged |" in table


def test_readme_names_machine_date_versions_and_passes(result: results.Result) -> None:
    packages = {"torch": "2.13.0", "tensorflow": "2.21.0", "tensorlayerx": "0.5.8", "six": "1.17.0"}
    installed = [result.interpreters[0].model_copy(update={"packages": packages})]
    last = summary.markdown([result.model_copy(update={"interpreters": installed})]).splitlines()[-1]
    for fact in (
        "Example CPU E5 @ 2.60GHz, 2 threads; 2026-01-02; torch 2.13.0, tensorflow 2.21.0, tensorlayerx 0.5.8;",
        "2 passes.", "Verdicts are provisional: below 5 passes", "Interrupted",
    ):  # fmt: skip
        assert fact in last
    assert "six" not in last
    full = summary.markdown([make(passes=6, interrupted=False)])
    assert "6 passes." in full and "provisional" not in full
    assert re.search(r"\| PyTorch eager \| 12,100 \| 41\.4 \| 1\.28 \(1\.\d\d to 1\.\d\d, finds \d\.\d %\) \|", full)
    assert "1.00 (shared)" in full and "undecided, finds" in full


# Runs that timed nothing


def test_accuracy_alone_is_held_against_the_book() -> None:
    book = make_book()
    w = work(book, "mnist_mlp_ablation/batchnorm")
    torch, broken = (
        next(r for r in w.rows if r.stack.key == f"{f}:eager:cpu:default") for f in ("torch", "tensorlayerx")
    )
    held = against_book(w, torch)
    assert held is not None and held.within
    assert torch.accuracy is not None
    assert [held.low, held.high] == [f([t.metric for t in torch.accuracy.trainings]) for f in (min, max)]
    assert held.lower == pytest.approx(held.low - 2 * (held.low * (1 - held.low) / 10_000) ** 0.5)
    missed = against_book(w, broken)
    assert missed is not None and missed.within is False
    said = sentence(w)
    assert said.headline == "The book's 0.9811 is met by PyTorch eager and TensorFlow eager, not by TensorLayerX eager"
    assert "Training was not timed in this run." in said.asides
    assert sentence(work(book, "mnist_mlp_ablation/linear")).headline == "The book's 0.9198 is met by all 3 stacks"
    quick = make(passes=2, interrupted=False)
    assert all(against_book(w, row) is None for w in gather([quick]) for row in w.rows)


@pytest.mark.parametrize("change", ["recipe", "data", "batch"])
def test_other_work_is_not_held_against_the_book(change: str) -> None:
    book = make_book()
    row = next(r for r in book.rows if r.accuracy)
    assert row.accuracy is not None
    if change == "recipe":
        row = row.model_copy(update={"accuracy": row.accuracy.model_copy(update={"recipe": "short"})})
    elif change == "batch":
        row = row.model_copy(update={"batch_size": 128})
    data = [d.model_copy(update={"source": "embedded"}) for d in book.data] if change == "data" else book.data
    w = gather([book.model_copy(update={"rows": [row], "data": data})])[0]
    assert against_book(w, w.rows[0]) is None
    assert sentence(w).headline == "Accuracy alone was measured"
    assert summary.BOOKS not in summary.markdown([w.result])


def test_the_page_of_an_accuracy_run_has_nothing_empty() -> None:
    text = html([make_book()])
    page = Page(text)
    assert text.count('<table class="seeds">') == 3
    assert '<table class="summary">' not in text
    assert len(re.findall(r"<svg", text)) == 3
    for absent in (
        "Training throughput",
        "From start to first step",
        "No stack has a timing",
        "samples/s; step",
        "NaN",
    ):
        assert absent not in page.text
    assert "Stack status Seed 0 − book Seed 1 − book Seed 2 − book Mean − book Seeds ± 2 standard errors" in page.text
    assert re.search(r"PyTorch eager ok 0\.9796 −0\.0015 0\.9812 \+0\.0001 .* 0\.9811 within", page.text)
    assert re.search(r"TensorLayerX eager ok 0\.9687 −0\.0124 .* 0\.9811 outside", page.text)
    assert "– b out of memory" in page.text
    assert "No block was timed: this run measured accuracy only." in page.text
    assert "No certificate was measured." in page.text


def test_certificates_alone(result: results.Result) -> None:
    rows = [r.model_copy(update={"launches": [], "accuracy": None}) for r in result.rows if r.workload == "mnist_cnn"]
    options = result.options.model_copy(update={"measure": ["certificate"]})
    declared = [d for d in result.declared if d.name == "mnist_cnn"]
    bare = result.model_copy(update={"rows": rows, "options": options, "declared": declared, "comparisons": []})
    page = Page(html([bare]))
    assert "3 of 4 certificates passed" in page.text
    assert "Nothing was measured that could be drawn." in page.text
    table = summary.markdown([bare])
    assert "| Stack | Certificate: worst error of tolerance |" in table
    assert "samples/s" not in table.lower()


def test_an_accuracy_run_beside_a_timing_run() -> None:
    full, book = make(passes=6, interrupted=False), make_book()
    text = html([full, book])
    assert text.count('<table class="summary">') == 4 and text.count('<table class="seeds">') == 3
    page = Page(text)
    assert f"run {book.id}, accuracy only" in page.text and f"run {full.id} " in page.text
    table = summary.markdown([full, book])
    speed, books = table.split(summary.BOOKS)
    assert speed.count("| Stack |") == 4 and f"Run {full.id}:" in speed and f"Run {book.id}:" not in speed
    assert "| Workload | Book | PyTorch | TensorFlow | TensorLayerX |" in books
    assert "| 0.9811 | 0.9796 to 0.9812 over 3 seeds, eager | 0.9797 to 0.9805 over 3 seeds, eager |" in books
    assert "over 2 seeds, eager, out of memory | all |" in books
    assert "| PyTorch eager and TensorFlow eager |" in books
    assert f"Run {book.id}:" in books and "provisional" not in books
    assert summary.BOOKS not in summary.markdown([full])


# Charts


def test_charts_are_drawn_from_every_raw_sample() -> None:
    full, book = make(passes=6, interrupted=False), make_book()
    rows = [r for r in full.rows if r.workload == "mnist_mlp"]
    launches = [la for row in rows for la in row.launches if la.status == "ok"]
    passes, blocks, phases = pass_frame(rows), block_frame(rows), start_frame(rows)
    assert len(passes) == len(launches) == 30 and len(phases) == 3 * len(launches)
    assert len(blocks) == sum(len(la.blocks) for la in launches)
    assert blocks["disturbed"].sum() == 1
    assert blocks.groupby("stack")["deviation"].median().abs().max() < 1e-12
    first = rows[0]
    rates = passes.loc[passes["stack"] == first.stack.key, "rate"]
    assert list(rates) == [first.batch_size / s for s in first.pass_step_seconds().values()]
    curves = curve_frame(book.rows)
    assert len(curves) == 26 * 20 + 7
    assert curves["stack"].nunique() == 3


# Numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (None, "–"), (1234567, "1,230,000"), (12.345, "12.3"), (999.6, "1,000"), (0.01234, "0.0123"),
     (1.1e-7, "1.10e-7"), (-1234.0, "-1,230"), (9.999, "10.0")],
)  # fmt: skip
def test_number(value: float | None, shown: str) -> None:
    assert numbers.number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(12.34, "12.3 s"), (0.9999, "1.00 s"), (0.0123, "12.3 ms"), (4.12e-4, "412 µs"), (None, "–")]
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert numbers.duration(seconds) == shown


def test_intervals_never_hide_their_side_of_one() -> None:
    assert numbers.interval(1.234, 1.289) == "1.23 to 1.29"
    assert numbers.interval(1.0004, 1.03) == "1.000 to 1.030"
    assert numbers.interval(1.011, 1.018) == "1.011 to 1.018"
    assert numbers.interval(13.44, 14.08) == "13.4 to 14.1"
