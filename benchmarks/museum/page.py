"""What a visit to the museum saw, as a table in the terminal and as the generated part of docs/MUSEUM.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

from benchmarks import museum
from benchmarks.museum.schema import NEGLIGIBLE, NOISY_SHARE, Case, Exhibit, Judged, Museum, Scores
from benchmarks.schema.markdown import LEFT, RIGHT, table
from benchmarks.workload.metrics import metric, number

HEAD = ("Mistake", "Workload", "Stack", "Right, ms a step", "Wrong, ms a step", "Moved by", "Reads as")
ALIGN = [LEFT] * 3 + [RIGHT] * 2 + [LEFT] * 2


def document(found: Museum) -> str:
    """Everything between the markers, in Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Museum) -> Iterator[str]:
    yield from _heading(found)
    yield ""
    yield from table(HEAD, ALIGN, (row(exhibit, case) for exhibit in _ordered(found) for case in exhibit.cases))
    for exhibit in _ordered(found):
        module = museum.exhibit(exhibit.name)
        yield from ("", f"### {module.TITLE}", "", module.MISTAKE, "")
        yield from _seen(exhibit)
        yield from ("", f"*What keeps Bookbench from it:* {module.PREVENTED}")


def _heading(found: Museum) -> Iterator[str]:
    packages = found.interpreter.packages
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "tensorflow") if name in packages)
    if found.profile == "smoke":
        yield "**A smoke run: the figures mean nothing.**"
        yield ""
    if found.noisy:
        some, every = found.disturbed
        yield (
            f"**Measured while something else used the machine ({some} of {every} right samples were disturbed, more "
            f"than {NOISY_SHARE:.0%}): directions may stand, figures do not.**"
        )
        yield ""
    if left := found.not_visited:
        yield (
            f"**{len(left)} of {len(found.cases)} cases were not visited: after {number(found.minutes)} minutes "
            "nothing further was begun.**"
        )
        yield ""
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    yield (
        f"{found.machine.cpu}, {threads}, device {found.device}; {found.started[:10]}; {versions}; "
        f"{found.seconds / 60:.1f} minutes. “Moved by” is wrong over right: the median over repetitions by turns, "
        f"and the lowest and highest of them. Less than {NEGLIGIBLE:.0%}, or not in one direction every time, is “did "
        "not move”: launches of one stack differ that much."
    )


def took(found: Museum) -> str:
    """How long the visit was, and what it had no time for."""
    text = f"The visit took {found.seconds / 60:.1f} minutes."
    if left := found.not_visited:
        text += f" {len(left)} of {len(found.cases)} cases were not visited: nothing was begun after "
        text += f"{number(found.minutes)} minutes; --minutes gives more time."
    return text


def _ordered(found: Museum) -> list[Exhibit]:
    """What moved farthest comes first; what could not be shown, last."""
    return sorted(found.exhibits, key=lambda e: (-e.farthest, e.name))


def row(exhibit: Exhibit, case: Case) -> list[str]:
    """Cells of the table."""
    title = museum.exhibit(exhibit.name).TITLE + (f": {case.form}" if case.form else "")
    where = [title, f"`{case.workload}`", f"`{case.stack.rsplit(':', 1)[0]}`"]
    if case.status != "ok":
        return [*where, "–", "–", "–", f"{case.status}: {case.reason}"]
    return [*where, _milliseconds(case, "right"), _milliseconds(case, "wrong"), _moved(case), reads_as(case)]


def reads_as(case: Case) -> str:
    """Which way the mistake misleads."""
    if not case.moved:
        return "did not move here"
    return "slower than it is" if case.factor > 1 else "faster than it is"


def _moved(case: Case) -> str:
    return f"× {number(case.factor)} ({number(case.low)} to {number(case.high)})"


def _milliseconds(case: Case, side: str) -> str:
    samples = case.right if side == "right" else case.wrong
    return number(1e3 * median(s.step_seconds for s in samples))


def _seen(exhibit: Exhibit) -> Iterator[str]:
    """One item per case: what was compared, what came out, what certificate and training say."""
    module = museum.exhibit(exhibit.name)
    for case in exhibit.cases:
        where = f"`{case.workload}` on `{case.stack}`" + (f", {case.form}" if case.form else "")
        if case.status != "ok":
            yield f"- {where}: {case.status}. {case.reason}."
            continue
        times = f"{_milliseconds(case, 'right')} ms a step ({module.RIGHT})"
        wrong = f"{_milliseconds(case, 'wrong')} ms ({module.WRONG})"
        told = f"it reads as {reads_as(case)}" if case.moved else "the number did not move on this machine"
        sentences = [f"{times}, {wrong}: {_moved(case)}, {told}."]
        sentences += [judged(case)] if case.faulty and case.sound else []
        sentences += [learned(case.scores)] if case.scores else []
        sentences += [module.remark(case)] if hasattr(module, "remark") else []
        yield f"- {where}: {' '.join(sentences)}"


def judged(case: Case) -> str:
    """What the certificate says of the program with and without the mistake."""
    assert case.faulty is not None and case.sound is not None
    sound = "" if case.sound.status == "ok" else f" (of the right program: {_certificate(case.sound)})"
    if case.faulty.status == "ok":
        return f"The certificate does not catch it{sound}."
    return f"The certificate catches it: {_certificate(case.faulty)}{sound}."


def _certificate(found: Judged) -> str:
    if found.failed:
        return "failed in " + ", ".join(f"`{name}`" for name in found.failed)
    return f"{found.status} {found.reason}".strip()


def learned(scores: Scores) -> str:
    """What training with the mistake comes to."""
    described = metric(scores.metric)
    right, wrong = (_range(map(described.text, sorted(values))) for values in (scores.right, scores.wrong))
    seeds = "1 seed" if len(scores.seeds) == 1 else f"{len(scores.seeds)} seeds"
    best = "" if scores.optimum is None else f"; {described.bound} {described.text(scores.optimum)}"
    return f"Trained by the recipe `{scores.recipe}`, {seeds}: {described.name} {right} right, {wrong} wrong{best}."


def _range(texts: Iterable[str]) -> str:
    low, *_, high = [*texts] * 2
    return low if low == high else f"{low} to {high}"


def show(found: Museum) -> None:
    """The table, in the terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    shown = Table(title="The wrong-benchmark museum", title_justify="left")
    for name in ("mistake", "workload", "stack", "right, ms", "wrong, ms", "moved by", "reads as"):
        shown.add_column(name, justify="right" if name.endswith("ms") else "left")
    for exhibit in _ordered(found):
        for case in exhibit.cases:
            shown.add_row(*(escape(cell.replace("`", "")) for cell in row(exhibit, case)))
    console.print(shown)
    console.print(took(found))
    if found.noisy:
        console.print("[bold]Something else used the machine meanwhile: measure again before believing the figures.[/]")
