"""The certificate's arithmetic: the reference computing in float32 passes, deliberate faults do not."""

import dataclasses
import functools

import numpy as np
import pytest
from small import LANGUAGE, RESNET, SKIPGRAM, SMALL, batches

from benchmarks.certificate import parity, reference, reference_layers
from benchmarks.certificate.reference import Reference
from benchmarks.frameworks.base import Conventions
from benchmarks.layers import Embedding, Layer, Residual
from benchmarks.tasks.inputs import initial_tensors
from benchmarks.workload import discover

TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")
KERAS = Conventions(adam_epsilon="before", running_variance="biased")
WORKLOADS = {f.workload.key: f.workload.without_dropout() for f in discover() if f.workload.dataset.name == "mnist"}


@functools.cache
def arbiter(key, conventions=TORCH, **changes):
    w = dataclasses.replace(WORKLOADS[key], batch_size=16, **changes)
    rng = np.random.default_rng(0)
    batches = [
        (rng.random((16, *w.dataset.shape)).astype(np.float32), rng.integers(0, 10, 16)) for _ in range(parity.STEPS)
    ]
    tensors = initial_tensors(w, 0)
    return parity.Case(w, tensors, batches, seed=0).arbiter(conventions), batches


def seen(ref):
    return {check: dict(arrays) for check, arrays in ref.trace.values.items()}


@pytest.mark.parametrize("key", ["mnist_mlp", "mnist_mlp_ablation/batchnorm"])
def test_the_reference_certifies_itself(key):
    ref, _ = arbiter(key)
    certificate = parity.judge(ref, seen(ref), [], batch_size=16)
    assert certificate.status == "ok"
    assert certificate.worst.error == 0


@pytest.mark.parametrize("check", ["forward", "loss", "gradient", "update", "evaluation", "transplanted_evaluation"])
def test_a_relative_error_of_a_hundredth_is_caught(check):
    ref, _ = arbiter("mnist_mlp")
    found = seen(ref)
    name = next(iter(found[check]))
    found[check][name] = found[check][name] * 1.01
    certificate = parity.judge(ref, found, [], batch_size=16)
    assert certificate.status == "parity_failed"
    assert name in certificate.reason


def test_the_other_form_of_the_running_variance_is_caught():
    ref, batches = arbiter("mnist_mlp_ablation/batchnorm")
    other = dataclasses.replace(TORCH, running_variance="biased")
    wrong = parity.trace(ref.workload, ref.initial, batches, other)
    certificate = parity.judge(ref, wrong.values, [], batch_size=16)
    assert certificate.status == "parity_failed"
    assert {t.check for t in certificate.tensors if not t.passed} >= {"running_statistics"}


def test_a_missing_or_infinite_tensor_fails():
    ref, _ = arbiter("mnist_mlp")
    found = seen(ref)
    found["gradient"].pop("fc1.weight")
    found["forward"]["logits"] = np.full_like(found["forward"]["logits"], np.inf)
    certificate = parity.judge(ref, found, [], batch_size=16)
    bad = {(t.check, t.tensor) for t in certificate.tensors if not t.passed}
    assert bad == {("gradient", "fc1.weight"), ("forward", "logits")}
    assert certificate.status == "parity_failed"


@functools.cache
def small(name, conventions=TORCH):
    w = SMALL[name]
    fed = batches(w, parity.STEPS)
    return parity.Case(w, initial_tensors(w, 0), fed, seed=0).arbiter(conventions), fed


@pytest.mark.parametrize("key", [*WORKLOADS, *SMALL])
def test_tolerances_follow_the_references_own_sensitivity(key):
    ref, _ = arbiter(key) if key in WORKLOADS else small(key)
    for names in ref.tolerance.values():
        assert all(parity.FLOOR <= t <= parity.CEILING for t in names.values())
    # Most of a certificate must be tight: half of all comparisons within a thousandth.
    every = sorted(t for names in ref.tolerance.values() for t in names.values())
    assert every[len(every) // 2] < 1e-3


# -- float32, and faults of the newer layers -----------------------------------------------------------


class Single(Reference):
    """The reference with every tensor, input and output of a layer in float32."""

    def __init__(self, *args, **switches):
        super().__init__(*args, **switches)
        self._round()

    def _round(self):
        self.tensors = {name: value.astype(np.float32) for name, value in self.tensors.items()}

    def step(self, *batch):
        out = super().step(*batch)
        self._round()
        return out


def rounding(function):
    return lambda layer, array, c: function(layer, array.astype(np.float32), c).astype(np.float32)


@pytest.mark.parametrize("conventions", [TORCH, KERAS], ids=["torch", "keras"])
@pytest.mark.parametrize("name", SMALL)
def test_float32_passes(name, conventions, monkeypatch):
    ref, fed = small(name, conventions)  # before anything is replaced
    monkeypatch.setattr(parity, "Reference", Single)
    for side in ("forward", "backward"):
        monkeypatch.setattr(reference_layers, side, rounding(getattr(reference_layers, side)))
    found = parity.trace(ref.workload, ref.initial, fed, conventions)
    assert found.values["forward"]["logits"].dtype == np.float32
    assert (
        found.values["gradient"]["embedding.weight" if name != "small_resnet" else "conv1.weight"].dtype == np.float32
    )
    certificate = parity.judge(ref, found.values, [], batch_size=ref.workload.batch_size)
    assert certificate.status == "ok", certificate.reason
    assert certificate.worst.error > 1e-8


def patched(function, name, change):
    """``function`` of the reference's layers, where a layer of the kind ``name`` first meets ``change``."""

    def outer(layer, array, c):
        return function(layer, change(array, c) if type(layer).__name__ == name else array, c)

    return outer


def declared_as(**changes):
    return lambda patch, w: dataclasses.replace(w, **changes)


def optimised(**changes):
    return lambda patch, w: dataclasses.replace(w, optimiser=dataclasses.replace(w.optimiser, **changes))


def layered(change):
    """Another chain of layers with the same tensors."""
    return lambda patch, w: dataclasses.replace(w, layers=tuple(change(list(w.layers))))


def first_norm(**changes):
    return layered(lambda layers: [layers[0], dataclasses.replace(layers[1], **changes), *layers[2:]])


def without_a_shortcut(layers: list[Layer]) -> list[Layer]:
    (at,) = (i for i, layer in enumerate(layers) if isinstance(layer, Residual) and not layer.shortcut)
    return layers[:at] + list(layers[at].body) + layers[at + 1 :]


def padded_right_and_below(patch, w):
    """TensorFlow's 'same' padding of an even image under stride 2: its windows start one pixel later."""
    plain = reference_layers._patches

    def lopsided(x, k, step=1):
        moved = np.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))
        yield from plain(moved if step > 1 and k > 1 else x, k, step)

    patch.setattr(reference_layers, "_patches", lopsided)


def forward_of(kind, change):
    return lambda patch, w: patch.setattr(reference_layers, "forward", patched(reference_layers.forward, kind, change))


def state_forgotten(x, c):
    c.tensors |= {name: np.zeros((len(x), 6)) for name in "hc"}
    return x


def state_kept_as_it_was(patch, w):
    """Training starts every batch from the first batch's state, and says that it moved."""
    plain = Reference.forward
    start = {name: np.zeros((w.batch_size, 6)) for name in ("lstm.h", "lstm.c")}

    def stale(self, x, *, training):
        self.tensors |= start
        return plain(self, x, training=training)

    patch.setattr(Reference, "forward", stale)


def training_state_in_evaluation(x, c):
    c.training = True
    return x


def candidate_before_forget(x, c):
    """The gates in the order of TensorFlow 1: input, candidate, forget, output."""
    for name in ("input_weight", "recurrent_weight", "bias"):
        blocks = np.split(c.tensors[name], 4, -1)
        c.tensors[name] = np.concatenate([blocks[k] for k in (0, 2, 1, 3)], -1)
    return x


def with_a_forget_bias(x, c):
    c.tensors["bias"] = c.tensors["bias"] + np.repeat([0.0, 1.0, 0.0, 0.0], 6)
    return x


def last_of_repeated_words(patch, w):
    plain = reference_layers.backward

    def overwriting(layer, g, c):
        out = plain(layer, g, c)
        if isinstance(layer, Embedding):
            c.gradients["weight"] = np.zeros_like(c.tensors["weight"])
            c.gradients["weight"][c.saved["ids"].ravel()] = g.reshape(-1, layer.columns)
        return out

    patch.setattr(reference_layers, "backward", overwriting)


def norm_of_unsummed_rows(patch, w):
    """tf.clip_by_global_norm on indexed slices: every occurrence of a word counts on its own."""
    plain, rows = reference_layers.backward, []

    def recording(layer, g, c):
        if isinstance(layer, Embedding):
            rows.append(float(np.square(g).sum()))
        return plain(layer, g, c)

    def apply(self, tensors, gradients):
        others = sum(float(np.square(g).sum()) for name, g in gradients.items() if name != "embedding.weight")
        scale = min(1.0, self.d.clip_norm / np.sqrt(others + rows[-1]))
        for name, g in gradients.items():
            tensors[name] = tensors[name] - self.d.learning_rate * scale * g

    patch.setattr(reference_layers, "backward", recording)
    patch.setattr(reference._Sgd, "apply", apply)


def each_tensor_clipped_alone(patch, w):
    def apply(self, tensors, gradients):
        for name, g in gradients.items():
            tensors[name] = tensors[name] - self.d.learning_rate * g * min(1.0, self.d.clip_norm / np.linalg.norm(g))

    patch.setattr(reference._Sgd, "apply", apply)


def no_expected_counts(patch, w):
    plain = Reference._nce

    def bare(self, loss, hidden, context, negatives, *logs):
        return plain(self, loss, hidden, context, negatives, *(0 * log for log in logs))

    patch.setattr(Reference, "_nce", bare)


def negatives_that_are_true_left_out(patch, w):
    """remove_accidental_hits, which the declaration does not ask for."""
    plain = Reference._nce

    def without(self, loss, hidden, context, negatives, log_true, log_noise):
        hit = np.isin(negatives, context)
        return plain(self, loss, hidden, context, negatives, log_true, np.where(hit, 1e9, log_noise))

    patch.setattr(Reference, "_nce", without)


def no_unit_length(patch, w):
    def products(self, x):
        out, _ = self.forward(x, training=False)
        return out @ self.tensors["embedding.weight"].T

    patch.setattr(Reference, "evaluate", products)


RUNNING, EVALUATED = {"running_statistics"}, {"evaluation", "transplanted_evaluation"}
FORWARD, MOVED = {"forward", "loss", "gradient", *EVALUATED}, {"update", "loss"}
FAULTS = {
    "stride 2 padded right and below": (RESNET, padded_right_and_below, FORWARD),
    "no shortcut": (RESNET, layered(without_a_shortcut), FORWARD),
    "no ReLU after the addition": (RESNET, layered(lambda layers: layers[:6] + layers[7:]), FORWARD),
    "epsilon of Keras": (RESNET, first_norm(epsilon=1e-3), FORWARD),
    "momentum of Keras": (RESNET, first_norm(momentum=0.01), RUNNING | {"evaluation"}),
    "rate not the certificate's": (RESNET, optimised(learning_rate=1.1e-4), {"update"}),
    "no clip": (LANGUAGE, optimised(clip_norm=None), MOVED),
    "each tensor clipped alone": (LANGUAGE, each_tensor_clipped_alone, MOVED),
    "norm of rows not summed": (LANGUAGE, norm_of_unsummed_rows, MOVED),
    "mean over time": (LANGUAGE, declared_as(loss="softmax_cross_entropy"), {"loss", "gradient"}),
    "state forgotten": (LANGUAGE, forward_of("LSTM", state_forgotten), {"loss", "update", "state"}),
    "state of the first batch": (LANGUAGE, state_kept_as_it_was, {"loss", "update", "state"}),
    "training's state in evaluation": (LANGUAGE, forward_of("LSTM", training_state_in_evaluation), EVALUATED),
    "order of gates": (LANGUAGE, forward_of("LSTM", candidate_before_forget), FORWARD),
    "forget bias": (LANGUAGE, forward_of("LSTM", with_a_forget_bias), FORWARD),
    "last of repeated words": (LANGUAGE, last_of_repeated_words, {"gradient", *MOVED}),
    "no expected counts": (SKIPGRAM, no_expected_counts, {"forward", "loss", "gradient", "update"}),
    "true negatives left out": (SKIPGRAM, negatives_that_are_true_left_out, {"forward", "loss", "gradient", "update"}),
    "accumulator from 0": (SKIPGRAM, optimised(initial_accumulator=1e-7), {"update"}),
    "last of repeated centres": (SKIPGRAM, last_of_repeated_words, {"gradient", "update"}),
    "dot products for cosines": (SKIPGRAM, no_unit_length, EVALUATED),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_newer_layer_is_caught(fault, monkeypatch):
    workload, change, checks = FAULTS[fault]
    ref, fed = small(workload.name)
    faulty = change(monkeypatch, ref.workload) or ref.workload
    found = parity.trace(faulty, ref.initial, fed, TORCH)
    certificate = parity.judge(ref, found.values, [], batch_size=workload.batch_size)
    assert certificate.status == "parity_failed"
    assert {t.check for t in certificate.tensors if not t.passed} >= checks


def test_the_biased_variance_of_a_residual_net_is_caught():
    ref, fed = small(RESNET.name)
    wrong = parity.trace(ref.workload, ref.initial, fed, dataclasses.replace(TORCH, running_variance="biased"))
    certificate = parity.judge(ref, wrong.values, [], batch_size=16)
    assert {t.check for t in certificate.tensors if not t.passed} == RUNNING | EVALUATED


def test_conventions_that_play_no_part_make_no_difference():
    """SGD has no epsilon, and a state is no running statistic."""
    for name in (LANGUAGE.name, SKIPGRAM.name):
        one, other = small(name), small(name, KERAS)
        assert one[0].difference_of_forms == other[0].difference_of_forms == {}
    assert set(small(RESNET.name)[0].difference_of_forms) == {"adam_epsilon=before", "running_variance=biased"}


# -- generation -----------------------------------------------------------------------------------


def greedy(ref, count):
    """Greedy words of the reference's final weights after three words."""
    r, text = Reference(ref.workload, ref.trace.final, TORCH), [1, 2, 3]
    for _ in range(count):
        text.append(int(r.evaluate(np.array([text]))[0, -1].argmax()))
    return np.array(text[:3])[None], np.array(text[3:])


def test_generation_probe():
    ref, _ = small(LANGUAGE.name)
    words, right = greedy(ref, 12)
    probe = parity.generation_probe(ref, words, right)
    assert probe.passed
    assert probe.detail == "all 12 greedy words as in float64, 0 by a tie"
    for at in (0, 7):
        wrong = right.copy()
        wrong[at] = (wrong[at] + 1) % 11
        probe = parity.generation_probe(ref, words, wrong)
        assert not probe.passed
        assert probe.detail.startswith(f"greedy word {at + 1} differs")


def test_a_tie_may_fall_either_way_and_the_comparison_goes_on():
    ref, _ = small(LANGUAGE.name)
    words, _ = greedy(ref, 3)
    bias = np.zeros(11)
    bias[[2, 5]] = 1.0  # two words as good as each other after every text
    final = ref.trace.final | {"fc.weight": np.zeros((6, 11)), "fc.bias": bias}
    tied = dataclasses.replace(ref, trace=dataclasses.replace(ref.trace, final=final))
    probe = parity.generation_probe(tied, words, np.array([5, 2, 5]))
    assert probe.passed
    assert probe.detail == "all 3 greedy words as in float64, 2 by a tie"
    assert not parity.generation_probe(tied, words, np.array([5, 2, 3])).passed


def test_the_biased_variance_follows_from_the_unbiased_one():
    fed = batches(RESNET, parity.STEPS)
    tensors = initial_tensors(RESNET, 0)
    case = parity.Case(RESNET, tensors, fed, seed=0)
    biased = dataclasses.replace(TORCH, running_variance="biased")
    direct, derived = parity.trace(RESNET, tensors, fed, biased), case.exact(biased)
    assert direct.values.keys() == derived.values.keys()
    for check, arrays in direct.values.items():
        for name, value in arrays.items():
            np.testing.assert_allclose(derived.values[check][name], value, rtol=1e-9, err_msg=f"{check} of {name}")
    for name, value in direct.final.items():
        np.testing.assert_allclose(derived.final[name], value, rtol=1e-12, err_msg=name)
    unbiased = case.exact(TORCH).values["running_statistics"]
    moved = [n for n in unbiased if not np.array_equal(unbiased[n], derived.values["running_statistics"][n])]
    assert moved
    assert all(name.endswith("running_variance") for name in moved)
