"""Ours, other."""

from pathlib import Path

from benchmarks.workload import load_module

SOURCE = ("Example other", "https://example.org/other")
MODES = ("eager",)
DIFFERS = "It trains at half the rate."

OURS = load_module(Path(__file__).with_name("toy_numpy.py"), "toy_numpy_of_other")
build, optimizer, predict = OURS.build, OURS.optimizer, OURS.predict


def train_step(model, rate, x, y):
    return OURS.train_step(model, rate / 2, x, y)
