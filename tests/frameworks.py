"""Which frameworks a test may expect: all that are installed; those named in BOOKBENCH_REQUIRE must be."""

import importlib.metadata
import os

import pytest

ALL = ("torch", "tensorflow", "tensorlayerx")


def installed(framework: str) -> bool:
    try:
        importlib.metadata.version(framework)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def need(framework: str) -> None:
    """Skip with a reason where ``framework`` is not installed; fail where BOOKBENCH_REQUIRE names it."""
    if installed(framework):
        return
    if framework in os.environ.get("BOOKBENCH_REQUIRE", "").split(","):
        pytest.fail(f"{framework} is required and not installed", pytrace=False)
    pytest.skip(f"{framework} is not installed")
