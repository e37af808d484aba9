"""Ours, raises."""

from pathlib import Path

from benchmarks.workload import load_module

SOURCE = ("Example raises", "https://example.org/raises")
MODES = ("eager",)
DIFFERS = ""

OURS = load_module(Path(__file__).with_name("toy_numpy.py"), "toy_numpy_of_raises")
build, optimizer, predict = OURS.build, OURS.optimizer, OURS.predict


def train_step(model, rate, x, y):
    raise ValueError("the peer was told to raise")
