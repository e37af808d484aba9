"""Something else uses one of the CPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.museum.schema import Case

TITLE = "A hog on one core"
RIGHT, WRONG = "nothing beside", "another process keeps one of its CPUs busy"
MISTAKE = (
    "A browser, an indexer, a forgotten training: on a machine in use something always runs. It does not slow all "
    "stacks alike. Threads that meet at barriers wait for the one that shares its CPU, and wait busily; threads that "
    "fetch work from a queue only lose that CPU's share. So an unnoticed neighbour does not just lengthen times, it "
    "reverses verdicts."
)
PREVENTED = (
    "Foreign CPU time, steal and quotas during each block are read from the kernel; a disturbed round is measured "
    "again for all stacks, and what stays disturbed carries no verdict. A block's own duration is never evidence. "
    "`python -m benchmarks contention` shows what that is worth in verdicts."
)
PLACES = (Place("mnist_mlp", "torch:eager"), Place("mnist_mlp", "tensorflow:graph"))


def look(room: Room) -> dict[str, Any]:
    from benchmarks.selfcheck.hog import Hog

    room.ask("lead_in", steps=3, seconds=room.amounts.seconds)
    steps = max(3, round(3 * room.amounts.seconds / room.block(3)["seconds"]))
    seen: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    with Hog(room.affinity) as hog:
        for pair in range(room.amounts.pairs):
            for busy in ((False, True), (True, False))[pair % 2]:
                hog.busy = busy
                seen[busy].append(room.block(steps))
    return {"right": seen[0], "wrong": seen[1]}


def remark(case: Case) -> str:
    marked = sum(s.disturbed for s in case.wrong)
    return (
        f"Detection marked {marked} of {len(case.wrong)} blocks beside the hog as disturbed, and {case.disturbed} of "
        f"{len(case.right)} without it."
    )
