"""What decides a stack's work is hashed: the generator of each data set too."""

import pytest

from benchmarks.plan import data_files


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("mnist", {"mnist", "strokes"}),
        ("cifar10", {"cifar10", "textures"}),
        ("words", {"words", "hidden_markov", "tinyshakespeare"}),
        ("skipgram", {"skipgram", "corpora", "planted", "log_uniform"}),
    ],
)
def test_generators_are_among_the_hashed_files(name, needed):
    assert {path.stem for path in data_files(name)} == needed
