"""Ours, half."""

from pathlib import Path

from benchmarks.workload import load_module

SOURCE = ("Example half", "https://example.org/half")
MODES = ("eager",)
DIFFERS = ""

OURS = load_module(Path(__file__).with_name("toy_numpy.py"), "toy_numpy_of_half")
build, optimizer, predict = OURS.build, OURS.optimizer, OURS.predict


def train_step(model, rate, x, y):
    return OURS.train_step(model, rate / 2, x, y)
