"""The error that users see as one sentence."""

from __future__ import annotations


class Problem(Exception):
    """Something the user can put right; the message says what is wrong and what to do."""


class Unavailable(Exception):
    """Inside a worker: what was asked for does not exist on this stack or machine; the message says why."""
