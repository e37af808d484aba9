"""What the report says of tuned stacks: ranked apart, held against the documented ones of their framework."""

import dataclasses
import io
import re

import pytest
from result_factory import make, stack
from rich.console import Console
from tuned_factory import judged, make_tuned, reading

from benchmarks.commands.run import print_summary
from reports import tuning, used
from reports.ranking import rank
from reports.render import html
from reports.summary import markdown
from reports.verdict import sentence, sentences
from reports.work import gather, label


def slower(launch, factor):
    blocks = [b.model_copy(update={"seconds": b.seconds * factor}) for b in launch.blocks]
    return launch.model_copy(update={"blocks": blocks})


def made(passes=5, **tuned):
    """The factory's MNIST MLP with a tuned row for each MODE=FACTOR: PyTorch eager's times, so much longer."""
    base = make(passes=passes, interrupted=False)
    rows = [row for row in base.rows if row.workload == "mnist_mlp"]
    eager = rows[0]
    for name, factor in tuned.items():
        mode = name.replace("_", "-")
        launches = [slower(la, factor) for la in eager.launches]
        rows.append(eager.model_copy(update={"stack": stack("torch", mode, tuned=True), "launches": launches}))
    return judged(base, rows, declared=[d for d in base.declared if d.name == "mnist_mlp"])


def shown(result):
    (work,) = gather([result])
    return work, tuning.sections(work, rank(work), "t")


def plain(result):
    """The page's text, tags as bars."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "|", html([result]))).replace("\u00a0", " ")


def test_a_run_without_tuned_rows_says_nothing_of_tuning():
    assert shown(made())[1] == []
    assert "tuned" not in html([made()])


def test_each_tuned_mode_is_held_against_the_documented_modes_of_its_framework():
    work, (section,) = shown(made(eager_keepmem=0.8, max_autotune=1.5))
    assert section.title == "What tuning brings"
    best = r"Against PyTorch eager, the fastest documented mode of PyTorch, a step takes 0\.80 times as long "
    best += r"\(joint 97 % interval 0\.\d+ to 0\.\d+, faster\) in PyTorch eager \(freed memory kept\) and 1\.50 times "
    best += r"as long \(joint 97 % interval 1\.\d+ to 1\.\d+, slower\) in PyTorch compile \(max-autotune\)\."
    assert re.fullmatch(best, section.sentence), section.sentence
    table = section.tables[0][1]
    assert [[row[0].text, row[1].text, row[2].text, row[3].text] for row in table.rows] == [
        ["PyTorch eager (freed memory kept)", "PyTorch eager", "0.80", "faster"],
        ["PyTorch eager (freed memory kept)", "PyTorch compile", table.rows[1][2].text, "faster"],
        ["PyTorch compile (max-autotune)", "PyTorch eager", "1.50", "slower"],
        ["PyTorch compile (max-autotune)", "PyTorch compile", table.rows[3][2].text, "slower"],
    ]
    eager, keep = work.rows[0], next(row for row in work.rows if row.stack.mode == "eager-keepmem")
    stored = work.comparison(keep, eager)
    assert table.rows[0][2].sort == pytest.approx(stored.ratio)
    assert "PyTorch compile (max-autotune) against eager" in section.charts[0].svg
    assert section.caveats == []


def test_ratios_of_a_pair_are_by_pass():
    work, _ = shown(made(eager_keepmem=0.8))
    (keep, *_) = tuning.pairs(work, rank(work))
    assert keep.ratios == [pytest.approx(0.8)] * 5


def test_below_five_passes_and_without_certificate_the_section_says_so():
    _, (section,) = shown(made(passes=2, eager_keepmem=0.8))
    assert "0.80 times as long (provisional) in PyTorch eager (freed memory kept)" in section.sentence
    assert section.caveats == ["Provisional: fewer than 5 passes, so there is no interval."]
    bare = made(eager_keepmem=0.8)
    rows = [row.model_copy(update={"certificate": None}) for row in bare.rows]
    _, (section,) = shown(bare.model_copy(update={"rows": rows}))
    assert section.caveats[0].startswith("Not certified in this run")


def test_a_tuned_mode_that_failed_or_stands_alone_is_a_line_with_its_reason():
    result = made(eager_keepmem=0.8)
    failed = {"status": "parity_failed", "reason": "certificate: gradient of fc1.weight"}
    rows = [row.model_copy(update=failed) if row.stack.tuned else row for row in result.rows]
    _, (section,) = shown(result.model_copy(update={"rows": rows}))
    (line,) = section.tables[0][1].lines
    assert (line.names, line.word) == (("PyTorch eager (freed memory kept)",), "certificate failed")
    assert section.sentence.startswith("No tuned mode has a timing that counts")
    assert not section.charts
    (work,) = gather([result])
    alone = dataclasses.replace(work, rows=tuple(row for row in work.rows if row.stack.tuned))
    (section,) = tuning.sections(alone, rank(alone), "t")
    assert section.tables[0][1].lines[0].word == "alone"


# -- two families -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both():
    return make_tuned()


def test_documented_and_tuned_stacks_are_ranked_apart(both):
    (work,) = gather([both])
    found = rank(work)
    assert [f.title for f in found.families] == ["As documented", "Tuned"]
    assert not any(row.stack.tuned for row in (*found.ranked, *found.timed, *found.untimed))
    assert [row.stack.mode for row in found.tuned.ranked][-2:] == ["compile-tuned", "eager-tuned"]
    assert found.tuned.ranked[0].stack.key not in found.tuned.against
    assert not found.against.keys() & found.tuned.against.keys()
    (bare,) = gather([judged(both, [row for row in both.rows if not row.stack.tuned])])
    assert rank(bare).against == found.against


def test_the_headline_is_of_the_documented_stacks_and_a_second_sentence_of_the_tuned(both):
    (work,) = gather([both])
    first, second = sentences(work)
    assert first.headline == "As documented: TensorFlow graph trains fastest"
    assert second.headline.startswith("Tuned: TensorFlow graph (oneDNN on)")
    assert "tuned" not in first.text and "oneDNN" not in first.text
    assert any(a.startswith("Places: 1 TensorFlow graph; 2 PyTorch eager") for a in first.asides)
    assert any(a.startswith("Places: 1 TensorFlow graph (oneDNN on)") for a in second.asides)
    page = plain(both)
    assert page.index(first.headline) < page.index(second.headline)
    (documented,) = gather([make(passes=6, interrupted=False)])[-1:]
    assert "As documented" not in sentence(documented).headline


def test_page_and_readme_have_a_table_for_each_family(both):
    page = plain(both)
    assert page.index("|As documented|") < page.index("|Results of MNIST MLP with dropout, as documented|")
    assert page.index("|Tuned|") < page.index("|Results of MNIST MLP with dropout, tuned|")
    documented, tuned = re.findall(
        r"\*\*MNIST MLP with dropout, [\w ]+\*\*.*?(?=\n\n\*\*|\nRun )", markdown([both]), re.S
    )
    assert documented.startswith("**MNIST MLP with dropout, as documented** (<code>mnist_mlp</code>")
    assert tuned.startswith("**MNIST MLP with dropout, tuned** (<code>mnist_mlp</code>")
    assert [line.split(" | ")[3] for line in (documented, tuned)[0].splitlines() if "TensorFlow graph |" in line] == [
        "1.00"
    ]
    assert "(tuned)" not in documented and "TensorFlow graph |" not in tuned
    assert re.search(r"\| (TensorFlow graph \((tuned|oneDNN on)\)) \| [\d,]+ \| [\d.]+ \| 1\.00", tuned)


def test_several_runs_of_a_workload_stand_together_in_the_readme(both):
    rows = {which: [row for row in both.rows if row.stack.tuned == which] for which in (False, True)}
    other = make(passes=6, interrupted=False)
    runs = [
        judged(both, rows[False], id="run-documented"),
        judged(
            other,
            [row for row in other.rows if row.workload != "mnist_mlp"],
            id="run-other",
            declared=[d for d in other.declared if d.name != "mnist_mlp"],
        ),
        judged(both, rows[True], id="run-tuned"),
    ]
    text = markdown(runs)
    titles = re.findall(r"^\*\*(.*?)\*\*.*run (run-\w+)\)$", text, re.M)
    mine = [(title, run) for title, run in titles if title.startswith("MNIST MLP with dropout")]
    assert mine == [
        ("MNIST MLP with dropout, as documented", "run-documented"),
        ("MNIST MLP with dropout, tuned", "run-tuned"),
    ]
    assert titles.index(mine[1]) == titles.index(mine[0]) + 1
    assert re.findall(r"^Run (run-\w+):", text, re.M) == [run.id for run in runs]
    (alone,) = gather([runs[2]])
    (said,) = sentences(alone)
    assert said.headline.startswith("Tuned: ")


def test_results_from_before_the_split_claim_no_documented_stacks(both):
    before = make(passes=6, interrupted=False).model_copy(update={"verdict_rule": 2})
    assert "as documented" not in (html([before]) + markdown([before])).lower()
    (mixed,) = gather([both.model_copy(update={"verdict_rule": 2})])
    assert [f.title for f in rank(mixed).families] == ["Ordinary modes", "Tuned"]
    keys = [row.stack.key for row in mixed.rows if row.stack.key in both.rankings[0].ranks | both.rankings[1].ranks]
    one = both.rankings[0].model_copy(update={"ranks": dict.fromkeys(keys, 1)})
    (mixed,) = gather([both.model_copy(update={"verdict_rule": 2, "rankings": [one]})])
    assert not [a for said in sentences(mixed) for a in said.asides if a.startswith("Places")]


def test_the_terminal_has_a_table_for_each_family(both):
    text = terminal(both)
    assert re.findall(r"^mnist_mlp(?:, tuned)?(?= *$)", text, re.M) == ["mnist_mlp", "mnist_mlp, tuned"]
    assert text.count("100%") == 2
    assert "\nfastest: tensorflow graph\n" in text
    assert re.search(r"\ntuned, (tied for )?fastest: tensorflow graph-", text)


# -- what ran ---------------------------------------------------------------------------------------


def lines(result):
    (work,) = gather([result])
    return [used.lines(work, family) for family in rank(work).families]


def test_a_default_on_which_stacks_differ_is_a_line_below_the_table(both):
    (told,), tuned = lines(both)
    begins = "oneDNN: on in PyTorch, off in TensorFlow and TensorLayerX (defaults on this CPU); switched on, "
    pattern = re.escape(begins) + r"TensorFlow graph takes 0\.\d\d \(0\.\d\d to 0\.\d\d\) of the time\."
    assert re.fullmatch(pattern, told), told
    (work,) = gather([both])
    rows = {row.stack.mode: row for row in work.rows if row.stack.framework == "tensorflow"}
    assert f"takes {work.comparison(rows['graph-onednn'], rows['graph']).ratio:.2f} (" in told
    assert tuned == [
        "oneDNN: on in TensorFlow graph (oneDNN on) and PyTorch, off in TensorFlow graph (tuned).",
        "Allocator: glibc in TensorFlow and PyTorch compile (tuned), tcmalloc in PyTorch eager (tuned).",
    ]
    page = plain(both).replace("&#39;", "'")
    assert f"|{told}|" in page
    assert f"\n\n{told}\n" in markdown([both])


def test_frameworks_with_the_same_switch_share_a_clause(both):
    rows = [row for row in both.rows if row.stack.framework == "tensorflow" and row.stack.mode.startswith("graph")]
    more = [
        row.model_copy(update={"stack": row.stack.model_copy(update={"framework": "tensorlayerx"})})
        for row in rows
        if row.stack.mode != "graph-tuned"
    ]
    (told,), _ = lines(judged(both, [*both.rows, *more]))
    share = r"0\.\d\d \(0\.\d\d to 0\.\d\d\)"
    ends = rf"; switched on, TensorFlow graph takes {share} and TensorLayerX graph {share} of the time\."
    assert re.search(ends + "$", told), told


def test_without_the_switched_mode_the_line_has_no_ratio(both):
    ordinary = [row for row in both.rows if row.stack.mode != "graph-onednn"]
    (told,), _ = lines(judged(both, ordinary))
    assert told == "oneDNN: on in PyTorch, off in TensorFlow and TensorLayerX (defaults on this CPU)."
    asked = {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
    asked_off = [
        row.model_copy(update={"launches": [la.model_copy(update=asked) for la in row.launches]}) for row in ordinary
    ]
    assert lines(judged(both, asked_off))[0] == ["oneDNN: on in PyTorch, off in TensorFlow and TensorLayerX."]


def test_a_default_that_all_share_is_a_line_where_a_switch_was_measured(both):
    rows = [reading(row, onednn=True) for row in both.rows if row.stack.mode != "graph-onednn"]
    (switched,) = (row for row in both.rows if row.stack.mode == "graph-onednn")
    eigen = switched.model_copy(update={"stack": switched.stack.model_copy(update={"mode": "graph-eigen"})})
    (told,), _ = lines(judged(both, [*rows, reading(eigen, onednn=False)]))
    pattern = r"oneDNN: on in all; switched off, TensorFlow graph takes 0\.\d\d \(.*\) of the time\."
    assert re.fullmatch(pattern, told), told


def test_a_line_names_two_of_the_instruction_sets_that_a_build_lacks(both):
    lacking = "built without AVX2 AVX512F FMA"
    told = [reading(row, cpu_kernels="AVX512" if row.stack.framework == "torch" else lacking) for row in both.rows]
    (_, line), _ = lines(judged(both, told))
    brief = "built without AVX2, AVX512F and 1 more"
    assert line == f"CPU kernels: {brief} in TensorFlow and TensorLayerX; AVX512 in PyTorch."
    assert lacking in plain(judged(both, told))  # all of them stand in the details


def test_what_all_stacks_share_and_what_nobody_read_is_no_line(both):
    alike = [reading(row, onednn=True, allocator="glibc") for row in both.rows]
    assert lines(judged(both, alike)) == [[], []]
    silent = [reading(row, cpu_kernels="AVX2" if row.stack.framework == "torch" else "not said") for row in both.rows]
    assert not [line for family in lines(judged(both, silent)) for line in family if line.startswith("CPU kernels")]
    told = [reading(row, cpu_kernels="AVX2" if row.stack.framework == "torch" else "SSE4") for row in both.rows]
    (_, line), _ = lines(judged(both, told))
    assert line == "CPU kernels: SSE4 in TensorFlow and TensorLayerX, AVX2 in PyTorch."
    kept = "glibc, freed memory kept"
    told = [reading(row, allocator=kept if row.stack.framework == "torch" else "glibc") for row in both.rows]
    assert f"Allocator: glibc in TensorFlow and TensorLayerX; {kept} in PyTorch." in lines(judged(both, told))[0]
    old = made(eager_keepmem=0.8)
    assert lines(old) == [[], []]
    assert "What ran" not in html([old])


def test_what_ran_stands_in_the_details(both):
    (work,) = gather([both])
    table = used.table(work)
    heads = [column.title for column in table.columns]
    assert heads == ["Stack", "oneDNN", "CPU kernels", "Allocator", "Optimiser", "Compiled graphs"]
    cells = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert cells["TensorFlow graph"] == ["off", "AVX2", "glibc", "Adam (keras)", "1"]
    assert cells["PyTorch eager"] == ["on", "AVX2", "glibc", "Adam, foreach", "–"]
    assert "|What ran| " in plain(both)


# -- compiled nothing -------------------------------------------------------------------------------


def test_a_stack_whose_compiler_made_no_graph_is_the_mode_it_is(both):
    rows = [reading(row, compiled_graphs=0) if row.stack.mode == "compile" else row for row in both.rows]
    fast = [
        row.model_copy(update={"launches": [slower(la, 0.2) for la in row.launches]})
        if row.stack.mode == "compile"
        else row
        for row in rows
    ]
    result = judged(both, fast)
    (work,) = gather([result])
    found = rank(work)
    assert "compile" not in [row.stack.mode for row in found.ranked]
    said = sentence(work)
    assert said.headline == "As documented: TensorFlow graph trains fastest"
    assert "PyTorch compile compiled nothing: it is eager launched once more, and not ranked." in said.asides
    assert not any("timed but not ranked" in a for a in said.asides)
    name = "PyTorch compile = eager"
    assert f"|{name}|" in plain(result)
    assert f"| {name} |" in markdown([result])
    told = terminal(result)
    assert "fastest: tensorflow graph" in told
    assert "torch compile = eager: it compiled nothing, and is not ranked" in told
    alone = judged(both, [row for row in fast if row.stack.mode != "eager"])
    (work,) = gather([alone])
    assert sentence(work).headline == "As documented: Only TensorFlow graph has a timing that counts"
    assert f"| {name} |" in markdown([alone])


def terminal(result):
    console = Console(width=200, record=True, file=io.StringIO())
    print_summary(console, result)
    return console.export_text()


# -- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("eager-tuned", "eager (tuned)"),
        ("xla-tuned", "XLA (tuned)"),
        ("anything-tuned", "anything (tuned)"),
        ("graph-onednn", "graph (oneDNN on)"),
        ("graph-eigen", "graph (oneDNN off)"),
        ("graph-autocluster", "graph (XLA auto-clustering)"),
        ("compile-step", "compile (whole step)"),
    ],
)
def test_modes_have_names_for_people(mode, name):
    assert label(stack("torch", mode)) == f"PyTorch {name}"
