"""Every framework, mode and first workload against the float64 reference.

A framework runs in a subprocess of its own, in all modes of a tier: this very file, started as a program. It writes
what it saw into npz files, and the tests, which import no framework, compare that with the reference.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
THREADS, SEED, BATCH, STEPS = 2, 3, 16, 3
MASK_SHAPE = (64, 800)

MLP, CNN = "mnist_mlp", "mnist_cnn"
LINEAR, RELU, NORM = "mnist_mlp_ablation/linear", "mnist_mlp_ablation/relu", "mnist_mlp_ablation/batchnorm"
FEW, REST = (MLP, NORM), (LINEAR, RELU, CNN)
ALL = FEW + REST

# For every change one documented mode of each framework; compiling takes long, and what it could break (dropout, batch
# norm) is in two of the five.
FAST: dict[tuple[str, str], tuple[str, ...]] = {
    ("torch", "eager"): FEW,
    ("tensorflow", "graph"): FEW,
    ("tensorlayerx", "graph"): FEW,
}
SLOW: dict[tuple[str, str], tuple[str, ...]] = {
    ("torch", "eager"): REST,
    ("torch", "compile"): FEW,
    ("tensorflow", "eager"): ALL,
    ("tensorflow", "graph"): REST,
    ("tensorflow", "xla"): FEW,
    ("tensorlayerx", "eager"): ALL,
    ("tensorlayerx", "graph"): REST,
    ("tensorlayerx", "trainonestep"): FEW,
}


# -- what both sides know ------------------------------------------------------------------------


def found(key: str) -> Any:
    from benchmarks.workload import DEFAULT_IMPLS, load

    name, _, variant = key.partition("/")
    return load(DEFAULT_IMPLS / name, variant or "default")


def plain(key: str) -> Any:
    return found(key).workload.without_dropout()


def tensors_of(workload: Any, seed: int) -> dict[str, np.ndarray]:
    """Random values for every tensor, running statistics included."""
    rng = np.random.default_rng(seed)
    out = {}
    for t in workload.tensors:
        value = t.initialiser.draw(t.shape, rng)
        if not t.trainable:
            value += rng.uniform(0.1, 0.5, t.shape).astype(np.float32)
        out[t.name] = value
    return out


def batches_of(workload: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(17)
    shape = (BATCH, *workload.dataset.shape)
    return [(rng.random(shape, dtype=np.float32), rng.integers(0, 10, BATCH)) for _ in range(STEPS)]


# -- the subprocess ------------------------------------------------------------------------------


def probe(framework: str, mode: str, keys: Sequence[str], out: Path) -> None:
    from benchmarks.workload import load_module

    module = importlib.import_module(f"benchmarks.frameworks.{framework}_adapter")
    adapter = module.Adapter(mode=mode, device="cpu", threads=THREADS, seed=SEED)
    facts: dict[str, Any] = {"versions": adapter.versions(), "settings": adapter.settings()}
    facts["modes"] = list(module.MODES)
    facts["conventions"] = vars(adapter.conventions)
    arrays: dict[str, np.ndarray] = {}
    for key in keys:
        path = found(key).implementation(framework)
        implementation = load_module(path, path.stem)
        seen = probe_workload(adapter, implementation, key)
        facts[key] = {"traces": seen.pop("traces")}
        arrays |= {f"{key}:{name}": np.asarray(value) for name, value in seen.items()}
    path = found(MLP).implementation(framework)
    implementation = load_module(path, path.stem)
    stray = SimpleNamespace(build=lambda _: implementation.build(found(MLP).workload))  # builds one thing, always
    facts["errors"] = [
        complaint(lambda: adapter.build(stray, found(NORM).workload)),
        complaint(lambda: adapter.build(stray, found(LINEAR).workload)),
        complaint(lambda: module.Adapter(mode="none", device="cpu", threads=THREADS, seed=SEED)),
    ]
    facts["out_of_memory"] = [adapter.is_out_of_memory(e) for e in out_of_memory_errors(framework)]
    facts["not_out_of_memory"] = [adapter.is_out_of_memory(e) for e in (ValueError("memory"), RuntimeError("other"))]
    facts["peak_memory"] = adapter.peak_memory()
    if mode == "compile":
        import torch

        facts["graph_breaks"] = sum(torch._dynamo.utils.counters["graph_break"].values())
    rng = np.random.default_rng(5)
    arrays["a"], arrays["b"] = rng.random((2, 64, 64), dtype=np.float32)
    arrays["product"] = adapter.matmul(arrays["a"], arrays["b"])
    np.savez(out, facts=json.dumps(facts), **arrays)


def probe_workload(adapter: Any, implementation: Any, key: str) -> dict[str, Any]:
    declared = plain(key)
    first, second = tensors_of(declared, 1), tensors_of(declared, 2)
    batches = [(adapter.place(x), adapter.place(y)) for x, y in batches_of(declared)]
    x, y = batches[0]
    out: dict[str, Any] = {}

    def keep(prefix: str, tensors: dict[str, np.ndarray]) -> None:
        out.update({f"{prefix}/{name}": value for name, value in tensors.items()})

    program = adapter.build(implementation, declared)
    program.set_tensors(first)
    keep("round_trip", program.get_tensors())
    out["forward"] = program.forward(x)
    program.set_tensors(first)
    out["gradient_loss"], gradients = program.gradients(x, y)
    keep("gradient", gradients)
    program.set_tensors(first)
    out["losses"] = [float(adapter.to_numpy(program.train_step(*batch))) for batch in batches]
    keep("trained", program.get_tensors())
    out["evaluation"] = adapter.to_numpy(program.predict(x))
    # Other weights under the same compiled functions; evaluation moves nothing; then training goes on.
    program.set_tensors(second)
    out["evaluation_2"] = adapter.to_numpy(program.predict(x))
    out["evaluation_5"] = adapter.to_numpy(program.predict(adapter.place(batches_of(declared)[0][0][:5])))
    keep("after_evaluation", program.get_tensors())
    out["loss_2"] = adapter.to_numpy(program.train_step(x, y))
    keep("trained_2", program.get_tensors())
    small = [adapter.place(a[:8]) for a in batches_of(declared)[0]]
    program.gradients(*small)  # another shape: functions are traced again
    program.set_tensors(second)
    out["loss_3"] = adapter.to_numpy(program.train_step(x, y))
    out["traces"] = count_traces(program)

    dropping = adapter.build(implementation, found(key).workload)
    dropping.set_tensors(first)
    keep("mask_1", dropping.dropout_on_ones(MASK_SHAPE))
    keep("mask_2", dropping.dropout_on_ones(MASK_SHAPE))
    out["dropping_evaluation"] = adapter.to_numpy(dropping.predict(x))
    losses = []
    for _ in range(2):
        dropping.set_tensors(first)
        losses.append(float(adapter.to_numpy(dropping.train_step(x, y))))
    out["dropping_losses"] = losses
    return out


def count_traces(program: Any) -> int | None:
    """How often TensorFlow traced the training step; None where nothing is traced."""
    for name in ("step", "train_step"):
        counter = getattr(getattr(program, name, None), "experimental_get_tracing_count", None)
        if counter is not None:
            return int(counter())
    return None


def complaint(function: Any) -> str:
    try:
        function()
    except (ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def out_of_memory_errors(framework: str) -> list[BaseException]:
    if framework == "torch":
        import torch

        allocator = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), allocator]
    import tensorflow as tf

    return [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for (name, mode), keys in (FAST if sys.argv[2] == "fast" else SLOW).items():
        if name == sys.argv[1]:
            probe(name, mode, keys, Path(sys.argv[3]) / f"{mode}.npz")
    sys.exit()


# -- the tests -----------------------------------------------------------------------------------

import pytest  # noqa: E402  the subprocess needs none of this
from frameworks import need  # noqa: E402

from benchmarks.certificate.reference import Reference  # noqa: E402
from benchmarks.frameworks.base import Conventions  # noqa: E402
from benchmarks.layers import Dropout  # noqa: E402
from benchmarks.workload import SGD  # noqa: E402

pytestmark = pytest.mark.framework
TIERS = {"fast": FAST, "slow": SLOW}
MARKS = {"fast": (), "slow": pytest.mark.slow}
STACKS = [pytest.param(tier, *stack, marks=MARKS[tier]) for tier, runs in TIERS.items() for stack in runs]
CASES = [
    pytest.param((tier, *stack, key), marks=MARKS[tier], id="-".join((*stack, key)))
    for tier, runs in TIERS.items()
    for stack, keys in runs.items()
    for key in keys
]


@functools.cache
def run(framework: str, tier: str) -> SimpleNamespace:
    """What the framework saw in each mode of the tier: arrays by name, and facts."""
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {
            "HOME": folder,  # TensorLayerX and Keras write there
            "TORCHINDUCTOR_CACHE_DIR": folder,
            "TL_BACKEND": "tensorflow",
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": str(THREADS),
        }
        command = [sys.executable, __file__, framework, tier, folder]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=1200)
        if done.returncode:
            return SimpleNamespace(error=done.stdout[-2000:] + done.stderr[-4000:])
        modes = {}
        for path in Path(folder).glob("*.npz"):
            with np.load(path) as stored:
                arrays = {name: stored[name] for name in stored.files}
            modes[path.stem] = SimpleNamespace(facts=json.loads(str(arrays.pop("facts"))), arrays=arrays)
    return SimpleNamespace(error="", modes=modes)


def seen(tier: str, framework: str, mode: str) -> SimpleNamespace:
    need(framework)
    out = run(framework, tier)
    if out.error:
        pytest.fail(out.error, pytrace=False)
    return out.modes[mode]


@functools.cache
def expected(key: str, adam_epsilon: Any, running_variance: Any) -> SimpleNamespace:
    """The reference's values for everything :func:`probe_workload` keeps."""
    conventions = Conventions(adam_epsilon=adam_epsilon, running_variance=running_variance)
    declared = plain(key)
    batches = batches_of(declared)
    first, second = tensors_of(declared, 1), tensors_of(declared, 2)
    reference = Reference(declared, first, conventions)
    losses = []
    for i, batch in enumerate(batches):
        logits, loss, gradients = reference.step(*batch)
        losses.append(loss)
        if i == 0:
            start = SimpleNamespace(logits=logits, gradients=gradients)
    other = Reference(declared, second, conventions)
    evaluation_2 = other.forward(batches[0][0], training=False)[0]
    _, loss_2, _ = other.step(*batches[0])
    return SimpleNamespace(
        first=first,
        second=second,
        forward=start.logits,
        gradients=start.gradients,
        losses=losses,
        trained=reference.tensors,
        evaluation=reference.forward(batches[0][0], training=False)[0],
        evaluation_2=evaluation_2,
        first_evaluation=Reference(declared, first, conventions).forward(batches[0][0], training=False)[0],
        loss_2=loss_2,
        trained_2=other.tensors,
    )


@pytest.fixture
def case(request: pytest.FixtureRequest) -> SimpleNamespace:
    """What one stack saw of one workload, and what it should have seen."""
    tier, framework, mode, key = request.param
    everything = seen(tier, framework, mode)
    values = {n.split(":", 1)[1]: v for n, v in everything.arrays.items() if n.startswith(key + ":")}

    def group(prefix: str) -> dict[str, np.ndarray]:
        return {n.split("/", 1)[1]: v for n, v in values.items() if n.startswith(prefix + "/")}

    return SimpleNamespace(
        mode=mode,
        workload=found(key).workload,
        values=values,
        group=group,
        want=expected(key, **everything.facts["conventions"]),
        facts=everything.facts[key],
    )


every_case = pytest.mark.parametrize("case", CASES, indirect=True)
every_stack = pytest.mark.parametrize(("tier", "framework", "mode"), STACKS)


def assert_close(value: np.ndarray, reference: np.ndarray, *, scale: float = 0.0, tolerance: float = 1e-4) -> None:
    """Norms, not elements; ``scale`` is the least norm an error is related to."""
    assert value.shape == reference.shape
    size = max(float(np.linalg.norm(reference)), scale)
    assert np.linalg.norm(np.asarray(value, np.float64) - reference) <= tolerance * size


def norm_of(tensors: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(v).sum() for v in tensors.values())))


@every_case
def test_tensors_come_back_as_they_were_set(case: SimpleNamespace) -> None:
    for prefix, want in (("round_trip", case.want.first), ("after_evaluation", case.want.second)):
        got = case.group(prefix)
        assert list(got) == [t.name for t in case.workload.tensors]
        for name, value in got.items():
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, want[name], err_msg=name)


@every_case
def test_forward_and_gradients_agree_with_the_reference(case: SimpleNamespace) -> None:
    assert_close(case.values["forward"], case.want.forward)
    assert float(case.values["gradient_loss"]) == pytest.approx(case.want.losses[0], rel=1e-5)
    got = case.group("gradient")
    assert list(got) == [t.name for t in case.workload.tensors if t.trainable]
    scale = 1e-3 * norm_of(case.want.gradients)  # a bias before batch norm has no gradient but rounding
    for name, value in got.items():
        assert_close(value, case.want.gradients[name], scale=scale)


@every_case
def test_steps_move_every_tensor_as_the_reference(case: SimpleNamespace) -> None:
    assert case.values["losses"] == pytest.approx(case.want.losses, rel=1e-5)
    moved = {name: value - case.want.first[name] for name, value in case.want.trained.items()}
    scale = 1e-3 * norm_of(moved)
    # Adam divides by the size of its gradients. With AVX512 sums are in another order: 1.4e-4 in the MLP's first
    # layer, by PyTorch's fused Adam and its plain one alike; with AVX2 it was below 1e-4 everywhere.
    for name, value in case.group("trained").items():
        assert_close(value.astype(np.float64) - case.want.first[name], moved[name], scale=scale, tolerance=2e-4)


@every_case
def test_evaluation_agrees_with_the_reference(case: SimpleNamespace) -> None:
    assert_close(case.values["evaluation"], case.want.evaluation)
    assert_close(case.values["evaluation_2"], case.want.evaluation_2)
    assert_close(case.values["evaluation_5"], case.want.evaluation_2[:5])
    assert_close(case.values["dropping_evaluation"], case.want.first_evaluation)


@every_case
def test_training_goes_on_after_evaluation(case: SimpleNamespace) -> None:
    assert float(case.values["loss_2"]) == pytest.approx(case.want.loss_2, rel=1e-5)
    assert float(case.values["loss_3"]) == pytest.approx(case.want.loss_2, rel=1e-5)
    trained = {t.name: t.trainable for t in case.workload.tensors}
    for name, value in case.group("trained_2").items():
        want, start = case.want.trained_2[name], case.want.second[name]
        if isinstance(case.workload.optimiser, SGD) or not trained[name]:  # Adam remembers the steps before
            scale = 1e-3 * norm_of({n: v - case.want.second[n] for n, v in case.want.trained_2.items()})
            assert_close(value.astype(np.float64) - start, want - start, scale=scale)
        else:
            assert (value != start).any()


@every_case
def test_dropout_draws_new_and_independent_masks(case: SimpleNamespace) -> None:
    rates = {layer.name: layer.rate for layer in case.workload.layers if isinstance(layer, Dropout)}
    first, second = case.group("mask_1"), case.group("mask_2")
    assert list(first) == list(second) == list(rates)
    for name, rate in rates.items():
        for masks in (first, second):
            assert masks[name].shape == MASK_SHAPE
            np.testing.assert_allclose(np.unique(masks[name]), [0.0, 1.0 / (1.0 - rate)], rtol=1e-6)
            deviation = np.sqrt(rate * (1.0 - rate) / masks[name].size)
            assert abs((masks[name] == 0.0).mean() - rate) < 5 * deviation
    everything = [mask.ravel() for masks in (first, second) for mask in masks.values()]
    if everything:
        correlation = np.corrcoef(everything) - np.eye(len(everything))
        assert np.abs(correlation).max() < 5 / np.sqrt(np.prod(MASK_SHAPE))


@every_case
def test_the_training_step_drops_and_a_rate_of_zero_does_not(case: SimpleNamespace) -> None:
    one, two = case.values["dropping_losses"]
    if any(isinstance(layer, Dropout) for layer in case.workload.layers):
        assert one != two
    else:
        assert one == two
        assert one == pytest.approx(case.want.losses[0], rel=1e-5)


@every_case
def test_the_step_is_traced_once(case: SimpleNamespace) -> None:
    assert case.facts["traces"] == (1 if case.mode in ("graph", "xla") else None)


@every_stack
def test_settings_are_read_back(tier: str, framework: str, mode: str) -> None:
    out = seen(tier, framework, mode)
    assert out.facts["settings"]["threads"] == THREADS
    assert out.facts["settings"]["denormals_flushed"] is True
    assert mode in out.facts["modes"]
    assert framework in out.facts["versions"]
    assert all(out.facts["versions"].values())
    assert out.facts["peak_memory"] is None
    assert out.facts.get("graph_breaks", 0) == 0


@every_stack
def test_products_are_float32(tier: str, framework: str, mode: str) -> None:
    arrays = seen(tier, framework, mode).arrays
    exact = arrays["a"].astype(np.float64) @ arrays["b"].astype(np.float64)
    assert_close(arrays["product"], exact, tolerance=1e-6)


@every_stack
def test_faulty_implementations_and_modes_are_named(tier: str, framework: str, mode: str) -> None:
    missing, shape, unknown = seen(tier, framework, mode).facts["errors"]
    assert missing.startswith("ImplementationError") and "no layer 'bn1'" in missing
    assert shape.startswith("ImplementationError") and "'fc1.weight'" in shape
    assert unknown.startswith("ValueError") and "'none'" in unknown


@every_stack
def test_out_of_memory_is_recognised(tier: str, framework: str, mode: str) -> None:
    facts = seen(tier, framework, mode).facts
    assert all(facts["out_of_memory"])
    assert not any(facts["not_out_of_memory"])
