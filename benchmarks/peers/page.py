"""The comparison as Markdown, between two markers of ``docs/SPEED.md``, and as lines for the terminal."""

from __future__ import annotations

from benchmarks.peers.record import Record, Row
from benchmarks.peers.worker import CHECKED
from benchmarks.schema.markdown import LEFT, RIGHT, table
from benchmarks.schema.results import Stack

HEAD = ("Workload", "Stack", "Public way", "Theirs / ours", "95 % interval", "Rounds", "", "Updates differ by")


def cells(row: Row) -> list[str]:
    """One row of the table, columns as in ``HEAD``, without mark-up but for the reason in the verdict's place."""
    place = [row.workload, stack(row.stack), row.source]
    if row.reason:
        return [*place, "–", "–", "–", row.reason, "–"]
    interval = "–" if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}"
    low, high = row.extremes
    _, share = row.worst
    apart = "–" if share is None else f"{share:.0e}" if share else "0"
    return [*place, f"{row.ratio:.3f}", interval, f"{low:.2f} to {high:.2f}", row.verdict, apart]


def stack(of: Stack) -> str:
    names = f"{of.known.framework} {of.known.mode}"
    return names if of.device == "cpu" else f"{names}, {of.device}"


def markdown(record: Record) -> str:
    """What stands between the markers."""
    rows, notes = [], list[str]()
    for row in record.rows:
        shown = cells(row)
        shown[0] = f"`{row.workload}`"
        shown[2] = f"[{row.source}]({row.address})"
        if row.differs:
            if row.differs not in notes:
                notes.append(row.differs)
            shown[-1] += f" ({notes.index(row.differs) + 1})"
        rows.append(shown)
    lines = [_summary(record), "", *table(HEAD, [LEFT] * 3 + [RIGHT] * 3 + [LEFT, RIGHT], rows)]
    lines += [""] if notes else []
    lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, "", _about(record)]) + "\n"


def _summary(record: Record) -> str:
    good = [row for row in record.rows if not row.reason]
    count = {word: sum(row.verdict == word for row in good) for word in ("ours faster", "not told apart")}
    behind = [row for row in good if row.verdict == "theirs faster"]
    text = f"Of {len(good)} comparisons ours is faster in {count['ours faster']}, not told apart in "
    text += f"{count['not told apart']}, slower in {len(behind)}"
    named = "; ".join(f"{row.workload}, {stack(row.stack)}, {row.source}: {row.ratio:.3f}" for row in behind)
    return f"{text} ({named})." if behind else f"{text}."


def _about(record: Record) -> str:
    m, (bad, every) = record.machine, record.disturbed()
    packages = ("torch", "tensorflow", "tensorflow-cpu", "keras", "tensorlayerx")
    versions = [f"{n} {record.interpreter.packages[n]}" for n in packages if n in record.interpreter.packages]
    threads = f"{record.threads} thread{'s' if record.threads > 1 else ''}"
    commit = f", commit {record.git_commit[:12]}" if record.git_commit else ""
    return (
        f"{m.cpu}, {threads}; {record.started[:10]}; {', '.join(versions)}; passes: {record.passes}, rounds: "
        f"{record.rounds}, blocks of {record.block_seconds:g} s or more{commit}. Updates are compared after {CHECKED} "
        f"steps, worst tensor. Other work disturbed {bad} of {every} rounds."
    )
