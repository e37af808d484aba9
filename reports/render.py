"""The page as one string of HTML."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.schema.results import Result
from reports import svg
from reports.numbers import printable
from reports.ranking import JOINT
from reports.view import page

TEMPLATES = Path(__file__).with_name("templates")


def shown(value: Any) -> Any:
    """What an expression in a template prints: never a control character, which logs are full of."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


def html(results: Sequence[Result]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8").strip()
    pin = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        page=page(results),
        joint=JOINT,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        light=svg.palette("light"),
        dark=svg.palette("dark"),
        script=Markup(script),
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{pin}'",
    )
