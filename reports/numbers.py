"""Numbers as a reader wants them: few significant digits, thousands separators, a unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

from benchmarks.workload.metrics import NOTHING as NOTHING  # the formats that the terminal shares
from benchmarks.workload.metrics import decimals
from benchmarks.workload.metrics import number as number
from benchmarks.workload.metrics import ratio as ratio

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")


def printable(text: str) -> str:
    """Without terminal colours and control characters; line ends stay."""
    return CONTROLS.sub("", ESCAPES.sub("", text))


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def signed(value: float) -> str:
    """A difference of two metrics, with its sign."""
    return "0.0000" if abs(value) < 5e-5 else f"{value:+.4f}".replace("-", "−")


def difference(value: float, aim: float) -> str:
    """Signed, with as many decimals as ``value`` has at four significant digits."""
    text = f"{value - aim:+.{decimals(value, 4)}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def score(value: float) -> str:
    """Of unknown kind: whole numbers are counts, shares and correlations have four decimals."""
    if abs(value) >= 2:
        return f"{value:,.0f}" if value == int(value) else number(value, 4)
    return f"{value:.4f}".replace("-", "−")


def bounds(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{low:.4g}–{high:.4g}"


def interval(low: float, high: float) -> str:
    """A ratio's interval, with a third decimal where two would hide its width or on which side of 1 it ends."""
    if low >= 10:
        return f"{number(low)} to {number(high)}"
    digits = 3 if high - low < 0.015 or any(x != 1 and f"{x:.2f}" == "1.00" for x in (low, high)) else 2
    return f"{low:.{digits}f} to {high:.{digits}f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    for scale, unit in ((1.0, "s"), (1e3, "ms")):
        if abs(float(f"{seconds * scale:.3g}")) >= 1.0:
            return f"{number(seconds * scale)} {unit}"
    return f"{number(seconds * 1e6)} µs"


def milliseconds(seconds: float) -> str:
    return f"{number(seconds * 1e3)} ms"


def size(amount: int | None) -> str:
    if amount is None:
        return NOTHING
    mib = amount / 2**20
    return f"{number(mib)} MiB" if mib < 1000 else f"{number(mib / 1024)} GiB"


def percent(share: float | None) -> str:
    if share is None:
        return NOTHING
    return "0 %" if share == 0 else f"{number(share * 100)} %" if share >= 1e-4 else "< 0.01 %"


def words(items: Iterable[str]) -> str:
    """a, b and c."""
    parts = list(items)
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def plural(amount: int, noun: str, ending: str = "s") -> str:
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}{ending}"
