"""Rounds in which any stack was disturbed, which count for none."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.schema.results import Launch, Row


def mark_rounds(rows: Sequence[Row]) -> list[Row]:
    """The rows of one workload variant, each block told whether its round was disturbed for any stack.

    Rounds of launches that were not interleaved are their own.
    """
    disturbed = {
        (la.pass_index, b.round)
        for row in rows
        for la in row.launches
        for b in la.blocks
        if la.interleaved and b.disturbed
    }

    def marked(la: Launch) -> Launch:
        own = {(la.pass_index, b.round) for b in la.blocks if b.disturbed}
        seen = disturbed if la.interleaved else own
        blocks = [b.model_copy(update={"round_disturbed": (la.pass_index, b.round) in seen}) for b in la.blocks]
        return la.model_copy(update={"blocks": blocks})

    return [row.model_copy(update={"launches": [marked(la) for la in row.launches]}) for row in rows]
