"""The page as one string of HTML."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.results import Result
from reports import svg
from reports.view import page

TEMPLATES = Path(__file__).with_name("templates")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def log_text(text: str) -> str:
    """A worker's log without terminal colours and control characters."""
    return CONTROLS.sub("", ESCAPES.sub("", text))


def html(results: Sequence[Result]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["log"] = log_text
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8").strip()
    pin = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        page=page(results),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        light=svg.palette("light"),
        dark=svg.palette("dark"),
        script=Markup(script),
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{pin}'",
    )
