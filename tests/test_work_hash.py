"""What decides a stack's work is hashed by its code, wherever the files stand and whatever their comments say."""

import pytest

from benchmarks.workload import ROOT, Found, discover, load
from benchmarks.workload.sources import hashes, implementation_files, walk

CODE = '''"""A model."""

from torch.optim import Adam

from benchmarks.frameworks.base import Program


def build(workload):
    """Return it."""
    return Adam(1e-3)  # the book's rate
'''


def hashed(tmp_path, text):
    (tmp_path / "model.py").write_text(text)
    return hashes([tmp_path / "model.py"])["model.py"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A model", "Another docstring"),
        ("Return it", "Return the model"),
        ("  # the book's rate", ""),
        ("benchmarks.frameworks.base", "benchmarks.elsewhere"),
        ("def build", "# a comment\n\n\ndef build"),
    ],
)
def test_words_and_places_leave_the_hash_alone(tmp_path, before, after):
    assert before in CODE
    assert hashed(tmp_path, CODE.replace(before, after)) == hashed(tmp_path, CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1e-3", "1e-4"),
        ("import Adam", "import AdamW as Adam"),
        ("torch.optim", "torch.elsewhere"),
        ("import Program", "import Session as Program"),
        ("    return", "    if workload:\n        return"),
    ],
)
def test_code_and_what_an_import_brings_change_it(tmp_path, before, after):
    assert before in CODE
    assert hashed(tmp_path, CODE.replace(before, after)) != hashed(tmp_path, CODE)


def test_a_hash_mark_in_a_string_is_no_comment(tmp_path):
    assert hashed(tmp_path, "colour = '#fff'\n") != hashed(tmp_path, "colour = '#000'\n")


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "base.py").write_text("")
    with pytest.raises(ValueError, match="called base"):
        hashes([tmp_path / "base.py", ROOT / "benchmarks" / "frameworks" / "base.py"])


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
    assert {path.stem for path in walk([ROOT / "benchmarks" / "data" / f"{name}.py"])} == needed


@pytest.mark.parametrize("found", discover(), ids=lambda found: found.workload.key.replace("/", "-"))
def test_batches_adapters_and_what_an_adapter_runs_through_are_hashed(found):
    files = implementation_files(found, "tensorlayerx").keys()
    assert {"inputs.py", "base.py", "tensorlayerx_adapter.py", "tensorflow_adapter.py", "torch_adapter.py"} <= files
    assert files & {"images.py", "pairs.py", "text.py"}
    tuned = implementation_files(found, "tensorflow", "graph-tuned").keys()
    assert f"{found.workload.name}_tensorflow_tuned.py" in tuned


def test_hashes_cover_what_a_tuned_implementation_imports(tmp_path):
    place = Found(workload=load(ROOT / "tests" / "toys" / "toy", "sound").workload, folder=tmp_path)
    (tmp_path / "toy_shared.py").write_text("")
    (tmp_path / "toy_torch.py").write_text("import toy_shared\n")
    (tmp_path / "toy_torch_tuned.py").write_text(
        "from toy_torch import build\nfrom benchmarks.frameworks.tensorflow_adam import FusedAdam\n"
    )
    documented, tuned = implementation_files(place, "torch"), implementation_files(place, "torch", "eager-tuned")
    assert {"toy_torch.py", "toy_shared.py", "torch_adapter.py", "base.py"} <= documented.keys()
    assert tuned.keys() - documented.keys() == {"toy_torch_tuned.py", "tensorflow_adam.py"}
