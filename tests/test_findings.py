"""What the report says of disturbance, groups, stalls, carry-over and stacks alone."""

import pytest
from result_factory import make

from benchmarks.analysis import multimodal
from benchmarks.analysis.rounds import mark_rounds
from benchmarks.schema.results import Alone, CarryOver, Isolated, Result, Standing, Stretch
from reports import findings
from reports.render import html
from reports.tables import quality
from reports.verdict import rank
from reports.work import gather

KEYS = ("torch:eager:cpu:default", "tensorflow:graph:cpu:default")


@pytest.fixture
def result():
    return make(passes=5, interrupted=False)


def first(result: Result):
    return gather([result])[0]


def with_rows(result, change):
    """The result with every row of the first workload changed."""
    key = (result.rows[0].workload, result.rows[0].variant)
    mine = [change(r) for r in result.rows if (r.workload, r.variant) == key]
    others = [r for r in result.rows if (r.workload, r.variant) != key]
    return result.model_copy(update={"rows": [*mine, *others]})


def with_blocks(result, index, change):
    """The blocks of one pass changed, in every launch of the first workload."""

    def launch(la):
        return la.model_copy(update={"blocks": change(la.blocks)}) if la.pass_index == index else la

    return with_rows(result, lambda r: r.model_copy(update={"launches": [launch(la) for la in r.launches]}))


def test_older_results_say_nothing(result):
    assert findings.findings(first(result)) == []
    assert findings.alone(first(result)) == ""


def test_repeated_rounds_and_lost_passes(result):
    def repeated(blocks):
        marked = [b.model_copy(update={"round_disturbed": b.round == 1}) for b in blocks]
        return [*marked, marked[1].model_copy(update={"round": 6, "repeats": 1, "round_disturbed": False})]

    found = with_blocks(result, 1, repeated)
    text = " ".join(findings.findings(first(found)))
    assert "1 round of this workload was disturbed and 1 measured again" in text
    assert "too few" not in text.lower()
    lost = with_blocks(found, 3, lambda blocks: [b.model_copy(update={"round_disturbed": True}) for b in blocks])
    text = " ".join(findings.findings(first(lost)))
    assert "7 rounds of this workload were disturbed" in text
    assert "Too few rounds were quiet in pass 4:" in text


def test_groups_are_told(result):
    def split(blocks):
        return [b.model_copy(update={"seconds": b.steps * (0.04 + 0.01 * (i % 2))}) for i, b in enumerate(blocks)]

    result = with_blocks(result, 2, split)
    result = with_rows(result, lambda r: r.model_copy(update={"multimodal": multimodal.find(r.launches)}))
    text = findings.findings(first(result))
    assert any("the blocks of pass 3 fall into two groups, 3 at 40.0 ms and 3 at 50.0 ms a step" in t for t in text)


def test_stalls_are_told_and_marked_in_the_table(result):
    calm = Stretch(window_steps=2, window_seconds=[1.0] * 50, collections=3)
    stalling = Stretch(window_steps=2, window_seconds=[1.0] * 46 + [2.0] * 4, collections=3)
    assert (calm.mean_over_median, stalling.mean_over_median) == (1.0, 1.08)

    def with_stretch(stretch):
        def change(r):
            return r.model_copy(
                update={"launches": [la.model_copy(update={"stretch": stretch}) for la in r.launches if la.blocks]}
            )

        return first(with_rows(result, change))

    assert findings.findings(with_stretch(calm)) == []
    work = with_stretch(stalling)
    assert any("PyTorch eager stalls now and then" in t and "1.08 times" in t for t in findings.findings(work))
    table = quality(work, rank(work))
    column = [c.title for c in table.columns].index("Mean / median")
    assert {row[column].tone for row in table.rows} == {"warn"}


@pytest.mark.parametrize(("p", "says"), [(0.004, "Blocks depend on the stack"), (0.43, "No carry-over")])
def test_carry_over_is_told(result, p, says):
    facts = {"workload": "mnist_mlp", "variant": "default", "blocks": 150, "preceding": KEYS[0], "effect": 1.021}
    works = gather([result.model_copy(update={"carry_over": [CarryOver(p=p, **facts)]})])
    (text,) = [t for w in works if w.key == "mnist_mlp" for t in findings.findings(w)]
    assert text.startswith(says)
    assert "+2.1 % after PyTorch eager" in text
    assert all(findings.findings(w) == [] for w in works if w.key != "mnist_mlp")


def test_stacks_alone_are_told_and_shown(result):
    def standing(word, alone):
        return Standing(
            first=KEYS[0],
            second=KEYS[1],
            interleaved="slower",
            isolated=alone,
            ratio=1.31,
            isolated_ratio=0.9,
            stands=word,
        )

    stacks = [Alone(stack=key, status="ok", launches=[]) for key in KEYS]

    def told(*standings):
        found = Isolated(workload="mnist_mlp", variant="default", stacks=stacks, standings=list(standings))
        return result.model_copy(update={"isolated": [found]})

    def text(*standings):
        return next(findings.alone(w) for w in gather([told(*standings)]) if w.key == "mnist_mlp")

    falls = text(standing("falls", "faster"))
    assert falls.startswith("With each stack alone on the machine other verdicts follow for PyTorch eager against")
    assert "slower together, faster alone (1.31 together, 0.90 alone)" in falls
    assert text(standing("stands", "slower")).startswith("Alone on the machine the same verdict follows")
    assert text(standing("open", "undecided")).startswith("Alone or together one of the two verdicts is open")
    assert text() == "Measured again alone: no two stacks could be compared."
    shown = told(standing("falls", "faster"))
    page = html([shown])
    assert "With each stack alone on the machine" in page


def test_marks_come_from_the_blocks():
    rows = mark_rounds(make(interrupted=False).rows)
    hit = [b for r in rows for la in r.launches for b in la.blocks if b.disturbed]
    assert hit
    assert all(b.round_disturbed for b in hit)
