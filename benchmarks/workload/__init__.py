"""What is measured, declared once and framework-free, and how it is found.

``impls/NAME/workload.py`` holds ``WORKLOADS``, a tuple of :class:`Workload`
objects, one per variant. There is no registry: a folder exists or it does not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.layers import Dropout, Initialiser, Layer, Placed, Residual, Shape, Tensor, optional, place

# Offered here too: a declaration needs no other module.
from benchmarks.workload.recipes import SGD as SGD
from benchmarks.workload.recipes import Accepted as Accepted
from benchmarks.workload.recipes import Adagrad as Adagrad
from benchmarks.workload.recipes import Adam as Adam
from benchmarks.workload.recipes import Beside as Beside
from benchmarks.workload.recipes import BookFigure as BookFigure
from benchmarks.workload.recipes import DataSource as DataSource
from benchmarks.workload.recipes import Decay as Decay
from benchmarks.workload.recipes import Equivalence as Equivalence
from benchmarks.workload.recipes import Optimiser as Optimiser
from benchmarks.workload.recipes import Recipe as Recipe
from benchmarks.workload.recipes import SeedLocked as SeedLocked
from benchmarks.workload.recipes import Target as Target
from benchmarks.workload.recipes import Unmeasured as Unmeasured

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_IMPLS = ROOT / "impls"
FRAMEWORKS: tuple[Path, ...] = (
    ROOT / "benchmarks" / "frameworks",
    *(Path(folder) for folder in os.environ.get("BOOKBENCH_FRAMEWORKS", "").split(os.pathsep) if folder),
)
"""Folders with adapters: the suite's, and those of ``BOOKBENCH_FRAMEWORKS``, absolute and joined as in ``PATH``."""


class DeclarationError(ValueError):
    """A workload folder that cannot be used; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the model stands in print."""

    book: str
    section: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Images:
    """A labelled image set and the form in which the model sees it.

    ``name`` picks the loader in ``benchmarks.data``; pixels are first scaled to
    byte / ``divisor`` and then mapped to (value - ``mean``) / ``stddev``.
    """

    name: str
    shape: Shape
    classes: int = 10
    train_examples: int
    divisor: float = 255.0
    mean: float = 0.0
    stddev: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Text:
    """A stream of word ids, read in parallel by the rows of a batch, ``steps`` words at a time.

    A model sees int64 (N, steps) and predicts the same words moved on by one.
    """

    name: str
    vocabulary: int
    steps: int
    train_examples: int

    @property
    def shape(self) -> Shape:
        return (self.steps,)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Skip-gram pairs from a stream of word ids, with negatives and log expected counts from one sampler.

    Each centre word gives ``2 * window`` pairs; each batch shares ``negatives`` words drawn log-uniformly
    without replacement. ``train_examples`` counts words of the stream.
    """

    name: str
    vocabulary: int
    window: int
    negatives: int
    train_examples: int

    @property
    def shape(self) -> Shape:
        return ()


@dataclass(frozen=True, kw_only=True)
class NCE:
    """Noise-contrastive estimation: logistic regression of the true class against shared negatives.

    logit = h . weight[class] + bias[class] - log expected count of the class; the loss is the mean over the
    batch of softplus(-true logit) + sum over the negatives of softplus(logit). ``weight`` is (classes, inputs).
    """

    name: str
    weight: Initialiser
    bias: Initialiser

    def tensors(self, classes: int, inputs: int) -> tuple[Tensor, ...]:
        return (
            Tensor(name=f"{self.name}.weight", shape=(classes, inputs), initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=(classes,), initialiser=self.bias),
        )


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One model of one book, with everything needed to rebuild, feed, train and judge it.

    ``parameter_count`` counts trainable parameters and must equal what ``layers`` give.
    ``quick`` says whether the variant is timed in the quick profile, ``quick_on_gpu`` whether it is where no stack
    runs on a CPU (None: as ``quick`` says). ``also_batch_statistics`` scores the test
    set a second time as books did that never left training mode. ``certificate_optimiser``, the declared one with
    other numbers, is for models whose first steps amplify rounding beyond what can be compared. ``book_figure`` is
    what the ``book`` recipe is held against; ``other_figures`` were printed elsewhere for such a model trained
    otherwise, so they are shown and nothing is held against them.
    """

    name: str
    variant: str = "default"
    title: str
    source: Source
    dataset: Images | Text | Pairs
    layers: tuple[Layer, ...]
    parameter_count: int
    optimiser: Optimiser
    batch_size: int
    loss: Literal["softmax_cross_entropy", "softmax_cross_entropy_summed_over_time"] | NCE = "softmax_cross_entropy"
    metric: Literal["accuracy", "perplexity", "nce_loss"] = "accuracy"
    decay: Decay | None = optional()
    also_batch_statistics: bool | None = optional()
    certificate_optimiser: Optimiser | None = optional()
    recipes: tuple[Recipe, ...]
    book_figure: BookFigure | None = None
    other_figures: tuple[BookFigure, ...] | None = optional()
    quick: bool = True
    quick_on_gpu: bool | None = optional()

    def __post_init__(self) -> None:
        for word in (self.name, self.variant):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", word):
                raise DeclarationError(f"{self.name}/{self.variant}: names are lower-case words, got {word!r}")
        if self.batch_size < 1:
            raise DeclarationError(f"{self.key}: batch_size must be positive, got {self.batch_size}")
        counted = sum(math.prod(t.shape) for t in self.tensors if t.trainable)
        if counted != self.parameter_count:
            raise DeclarationError(f"{self.key}: declares {self.parameter_count} parameters, its layers have {counted}")
        if isinstance(self.dataset, Images) and self.placed[-1].output_shape != (self.dataset.classes,):
            raise DeclarationError(f"{self.key}: the last layer must give {self.dataset.classes} logits")
        if isinstance(self.dataset, Text) and self.placed[-1].output_shape[-1] != self.dataset.vocabulary:
            raise DeclarationError(f"{self.key}: the last layer must give {self.dataset.vocabulary} logits")
        if self.certificate_optimiser and type(self.certificate_optimiser) is not type(self.optimiser):
            raise DeclarationError(f"{self.key}: the certificate's optimiser must be of the declared kind")
        names = [r.name for r in self.recipes]
        if len(set(names)) != len(names):
            raise DeclarationError(f"{self.key}: two recipes share a name")

    @property
    def key(self) -> str:
        """``name`` or ``name/variant``."""
        return self.name if self.variant == "default" else f"{self.name}/{self.variant}"

    @property
    def placed(self) -> tuple[Placed, ...]:
        return place(self.layers, self.dataset.shape, self.batch_size)

    @property
    def leaves(self) -> tuple[Placed, ...]:
        """Every layer that is not made of others, in declaration order."""
        return tuple(leaf for placed in self.placed for leaf in placed.leaves())

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every array of the model in declaration order, running statistics and states included."""
        own = tuple(t for p in self.leaves for t in p.tensors)
        if isinstance(self.loss, NCE) and isinstance(self.dataset, Pairs):
            own += self.loss.tensors(self.dataset.vocabulary, self.placed[-1].output_shape[-1])
        return own

    @property
    def dropouts(self) -> tuple[Dropout, ...]:
        return tuple(p.layer for p in self.leaves if isinstance(p.layer, Dropout))

    @property
    def items(self) -> int:
        """What throughput counts, per sample of a batch: words of a sequence; otherwise the sample itself."""
        return self.dataset.steps if isinstance(self.dataset, Text) else 1

    @property
    def unit(self) -> str:
        return {Images: "images", Text: "tokens", Pairs: "pairs"}[type(self.dataset)]

    def steps(self, examples: int) -> int:
        """Return the number of full batches of an epoch over ``examples`` images or words."""
        if isinstance(self.dataset, Text):
            return max(0, examples // self.batch_size - 1) // self.dataset.steps
        if isinstance(self.dataset, Pairs):  # a centre has ``window`` words on either side
            around = 2 * self.dataset.window
            return max(0, examples - around) * around // self.batch_size
        return examples // self.batch_size

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of epoch ``epoch`` (from 0)."""
        shrunk = self.decay.factor ** self.decay.exponent(epoch) if self.decay else 1.0
        return self.optimiser.learning_rate * shrunk

    def has(self, recipe: str) -> bool:
        return any(r.name == recipe for r in self.recipes)

    def recipe(self, name: str) -> Recipe:
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        have = ", ".join(r.name for r in self.recipes)
        raise DeclarationError(f"{self.key} has no recipe {name!r} (it has {have})")

    def trained_by(self, recipe: Recipe) -> Workload:
        """Return the workload with the recipe's learning rate and decay, where it has its own."""
        rate = recipe.learning_rate or self.optimiser.learning_rate
        optimiser = dataclasses.replace(self.optimiser, learning_rate=rate)
        return dataclasses.replace(self, optimiser=optimiser, decay=recipe.decay or self.decay)

    def without_dropout(self) -> Workload:
        """Return the same workload with every dropout rate 0, for the parity certificate."""
        return dataclasses.replace(self, layers=_without_dropout(self.layers))

    def with_dropout_only(self, name: str) -> Workload:
        """Return the same workload with every dropout rate 0 except that of the layer ``name``."""
        return dataclasses.replace(self, layers=_without_dropout(self.layers, keep=name))

    def certified(self, batch_size: int) -> Workload:
        """Return the workload as it is certified: no dropout, ``batch_size``, and the certificate's optimiser."""
        optimiser = self.certificate_optimiser or self.optimiser
        return dataclasses.replace(self.without_dropout(), batch_size=batch_size, optimiser=optimiser)

    def declaration(self) -> dict[str, Any]:
        """Return the declaration as plain JSON types; each object carries its ``type``."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @property
    def hash(self) -> str:
        """See :func:`hash_declaration`."""
        return hash_declaration(self.declaration())


def _without_dropout(layers: tuple[Layer, ...], keep: str = "") -> tuple[Layer, ...]:
    def still(layer: Layer) -> Layer:
        if isinstance(layer, Residual):
            body, shortcut = _without_dropout(layer.body, keep), _without_dropout(layer.shortcut, keep)
            return dataclasses.replace(layer, body=body, shortcut=shortcut)
        if isinstance(layer, Dropout) and layer.name != keep:
            return dataclasses.replace(layer, rate=0.0)
        return layer

    return tuple(still(layer) for layer in layers)


JUDGING = ("accepted", "agreement", "target")  # of a recipe


def hash_declaration(declaration: dict[str, Any]) -> str:
    """Return the SHA-256 over what is done, in hexadecimal.

    Accepted ranges, agreements, targets, a book figure's ``score`` and other books' figures are left out: they judge
    the work, they do not change it.
    """
    recipes = [{k: v for k, v in recipe.items() if k not in JUDGING} for recipe in declaration["recipes"]]
    kept = _without(declaration, "other_figures") | {"recipes": recipes}
    if isinstance(figure := kept.get("book_figure"), dict):
        kept["book_figure"] = _without(figure, "score")
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without(plain: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in plain.items() if k != name}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: _plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not (f.metadata.get("optional") and getattr(value, f.name) is None)
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value


def load_module(path: Path, name: str) -> Any:
    """Import the file at ``path`` under the module name ``name``."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DeclarationError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


TUNED = "-tuned"


def is_tuned(mode: str) -> bool:
    """Return whether ``mode`` runs the tuned implementation, ``NAME_FRAMEWORK_tuned.py``."""
    return mode.endswith(TUNED)


def base_mode(mode: str) -> str:
    """Return the mode that a tuned implementation runs in: ``graph`` of ``graph-tuned``."""
    return mode.removesuffix(TUNED)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A discovered workload variant and its folder."""

    workload: Workload
    folder: Path

    def implementation(self, framework: str, mode: str = "") -> Path:
        """Return the file that a mode of the framework runs, whether or not it exists."""
        return self.folder / f"{self.workload.name}_{framework}{'_tuned' if is_tuned(mode) else ''}.py"

    def baseline(self, name: str) -> Path:
        return self.folder / f"baseline_{name}.py"

    def baselines(self) -> list[str]:
        """Return the names of the baselines: other programs that are run after the stacks."""
        return sorted(path.stem.removeprefix("baseline_") for path in self.folder.glob("baseline_*.py"))


def discover(impls: Path = DEFAULT_IMPLS) -> list[Found]:
    """Return every workload variant under ``impls``, ordered by folder name, then as declared."""
    if not impls.is_dir():
        raise DeclarationError(f"{impls} is not a folder; --impls takes a folder that holds workload folders")
    return [found for path in sorted(impls.glob("*/workload.py")) for found in _load(path)]


def load(folder: Path, variant: str) -> Found:
    """Return the one variant of the workload in ``folder``."""
    for found in _load(folder / "workload.py"):
        if found.workload.variant == variant:
            return found
    raise DeclarationError(f"{folder.name} has no variant {variant!r}")


def _load(path: Path) -> Iterator[Found]:
    folder = path.parent
    try:
        module = load_module(path, f"bookbench_workload_{folder.name}")
        declared = module.WORKLOADS
    except DeclarationError:
        raise
    except Exception as error:
        raise DeclarationError(f"{path}: {type(error).__name__}: {error}") from error
    for workload in declared:
        if not isinstance(workload, Workload):
            raise DeclarationError(f"{path}: WORKLOADS must hold Workload objects")
        if workload.name != folder.name:
            raise DeclarationError(f"{path}: declares {workload.name!r} but lies in folder {folder.name!r}")
        yield Found(workload=workload, folder=folder)
