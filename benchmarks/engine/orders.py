"""Orders: which stack starts when in a pass, and which is timed when in a round."""

from __future__ import annotations

from benchmarks.tasks.inputs import generator


def launch_order(count: int, *, seed: int, workload: str, pass_index: int) -> list[int]:
    """A random order in which a pass starts its stacks."""
    return [int(i) for i in generator(seed, "launch", workload, pass_index).permutation(count)]


def round_orders(count: int, rounds: int, *, seed: int, workload: str, pass_index: int) -> list[list[int]]:
    """Balanced orders of ``count`` stacks.

    Rows of a Williams design under a random relabelling: over a full cycle every
    stack stands at every position, and follows every other stack, equally often.
    """
    square = williams(count)
    label = generator(seed, "round", workload, pass_index).permutation(count)
    return [[int(label[i]) for i in square[r % len(square)]] for r in range(rounds)]


def williams(count: int) -> list[list[int]]:
    """A Williams design: ``count`` rows when even, twice as many when odd."""
    first = [0]
    low, high = 1, count - 1
    while len(first) < count:
        first.append(low)
        low += 1
        if len(first) < count:
            first.append(high)
            high -= 1
    rows = [[(i + shift) % count for i in first] for shift in range(count)]
    return rows if count % 2 == 0 else rows + [row[::-1] for row in rows]
