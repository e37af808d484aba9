"""Matplotlib figures as inline SVG that takes its colours from the page, so that one drawing serves light and dark.

Figures are drawn in stand-in colours; afterwards each stand-in becomes a CSS variable.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from benchmarks.schema.results import Stack
from reports.numbers import printable

WIDTH = 420.0
MARKERS = "os^DvpPX*dhH8"  # the filled ones but < and >, which mean beyond the axis

# Okabe and Ito's colours (vermilion, blue, green, then three for further frameworks), lighter for the dark page.
LIGHT = ("#c9510c", "#0b6aa8", "#0a8a68", "#a8558a", "#a37400", "#3f8fbf")
DARK = ("#f0894a", "#5cb0ea", "#3cc49b", "#dc93bf", "#e0b040", "#8cc8ee")
PAPER = {"light": "#ffffff", "dark": "#14171b"}
TOWARDS = (0.0, 0.28, 0.5, 0.66, 0.14)  # how far each shade goes towards the page's own colour

ROLES = ("ink", "muted", "rule", "paper", "faint")
INK, MUTED, RULE, SHEET, FAINT = (f"#0a00{i:02x}" for i in range(len(ROLES)))

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10.0,
    "figure.facecolor": "none",
    "figure.dpi": 72,
    "savefig.dpi": 72,
}


_seen: dict[str, list[str]] = {}  # framework -> its modes, of the page at hand


def begin(stacks: Iterable[Stack]) -> None:
    """Give each framework of a page a hue, in the order of their names, and its modes looks, in order of appearance."""
    _seen.clear()
    for stack in sorted(stacks, key=lambda stack: stack.known.framework):
        _place(stack)


def _place(stack: Stack) -> tuple[int, int]:
    """Number of the framework and of its mode; what was not announced comes last."""
    modes = _seen.setdefault(stack.framework, [])
    if stack.mode not in modes:
        modes.append(stack.mode)
    return list(_seen).index(stack.framework), modes.index(stack.mode)


def marker(stack: Stack) -> str:
    """One for each mode of a framework."""
    return MARKERS[_place(stack)[1] % len(MARKERS)]


def colour(stack: Stack, shade: int | None = None) -> str:
    """Stand-in for a framework's hue in a mode's shade, or in this one."""
    hue, mode = _place(stack)
    return f"#0b0{hue % len(LIGHT)}{mode % len(TOWARDS) if shade is None else shade:02x}"


def variable(stack: Stack) -> str:
    """The CSS variable of the same colour."""
    return re.sub(r"#0b0(\d)0(\d)", r"--c\1\2", colour(stack))


def palette(theme: str) -> Markup:
    """The CSS variables of all shades for one theme."""
    base = LIGHT if theme == "light" else DARK
    return Markup(
        "".join(f"--c{i}{s}:{_mix(hue, PAPER[theme], t)};" for i, hue in enumerate(base) for s, t in enumerate(TOWARDS))
    )


def _mix(first: str, second: str, share: float) -> str:
    a, b = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (first, second))
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in zip(a, b, strict=True))


def figure(height: float) -> Figure:
    """A figure of the common width; sizes are in CSS pixels."""
    return Figure(figsize=(WIDTH / 72, height / 72))


def area(fig: Figure, *, left: float, right: float, top: float, bottom: float) -> Any:
    """Axes with margins in pixels."""
    height = fig.get_figheight() * 72
    return fig.add_axes(
        (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
    )


def inline(fig: Figure, key: str, title: str) -> Markup:
    """The figure as an ``<svg>`` element whose ids start with ``key``."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context({"svg.hashsalt": key, "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that DejaVu Sans lacks: the reader's own font draws the text
        fig.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    root = ET.fromstring(printable(buffer.getvalue()).encode())
    used = {m for e in root.iter() for v in e.attrib.values() for m in _targets(v)}
    _clean(root, key, used)
    body = "".join(ET.tostring(child, encoding="unicode") for child in root)
    head = f'<svg class="chart" viewBox="{root.get("viewBox")}" role="img" aria-labelledby="{key}-title">'
    return (
        Markup(head) + Markup(f'<title id="{key}-title">') + escape(printable(title)) + Markup(f"</title>{body}</svg>")
    )


def _targets(value: str) -> list[str]:
    return re.findall(r"url\(#([^)]+)\)", value) + ([value[1:]] if value.startswith("#") else [])


def _clean(element: ET.Element, key: str, used: set[str]) -> None:
    """Drop namespaces, metadata, global styles and unused ids; prefix the other ids; put variables for stand-ins."""
    element.tag = element.tag.split("}")[-1]
    for child in list(element):
        if child.tag.split("}")[-1] in ("metadata", "style"):
            element.remove(child)
        else:
            _clean(child, key, used)
            if child.tag == "defs" and not len(child):
                element.remove(child)
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        name = name.split("}")[-1]
        if name == "id":
            if value in used:
                element.set("id", f"{key}-{value}")
        elif name == "href":
            element.set("href", f"#{key}-{value[1:]}")
        elif name == "style":
            element.set("style", _style(value, key))
        else:
            element.set(name, value.replace("url(#", f"url(#{key}-"))


def short(text: str, most: int = 52) -> str:
    """A label that stays on the drawing; the tables have it whole."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _style(style: str, key: str) -> str:
    """Fonts come from the page, of which only size and weight are kept."""
    style = re.sub(r"font-family: [^;]*(; |$)", "", style)
    style = re.sub(r"font: (?:(bold|\d{3}) )?([\d.]+)px [^;]*", lambda m: _font(m.group(1), m.group(2)), style)
    style = re.sub(r"#0a00([0-9a-f]{2})", lambda m: f"var(--{ROLES[int(m.group(1), 16)]})", style)
    style = re.sub(r"#0b0(\d)0(\d)", r"var(--c\1\2)", style)
    return style.replace("url(#", f"url(#{key}-")


def _font(weight: str | None, size: str) -> str:
    return f"font-size: {size}px" + (f"; font-weight: {weight}" if weight else "")
