"""The result schema: one JSON file per run, raw samples included.

Units are in the field names or descriptions: seconds, bytes, samples per
second. ``results/README.md`` is generated from these descriptions.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from statistics import geometric_mean
from typing import Any, Literal

from pydantic import ConfigDict, PrivateAttr

from benchmarks.schema.budget import Budget as Budget
from benchmarks.schema.comparisons import Agreement as Agreement
from benchmarks.schema.comparisons import Comparison as Comparison
from benchmarks.schema.comparisons import Estimate as Estimate
from benchmarks.schema.comparisons import Pilot as Pilot
from benchmarks.schema.comparisons import Ranking as Ranking
from benchmarks.schema.comparisons import Verdict as Verdict
from benchmarks.schema.files import atomic_write

# The rest of the schema, offered here too: whoever reads results needs no other module.
from benchmarks.schema.measurements import Answer as Answer
from benchmarks.schema.run_info import Interpreter as Interpreter
from benchmarks.schema.run_info import Machine as Machine
from benchmarks.schema.run_info import Options as Options
from benchmarks.schema.run_info import Profile as Profile
from benchmarks.schema.run_info import Stack as Stack
from benchmarks.schema.run_info import compiled_nothing
from benchmarks.schema.samples import Block as Block
from benchmarks.schema.samples import Evidence as Evidence
from benchmarks.schema.samples import Inference as Inference
from benchmarks.schema.samples import Key as Key
from benchmarks.schema.samples import Launch as Launch
from benchmarks.schema.samples import Memory as Memory
from benchmarks.schema.samples import OfflineInference as OfflineInference
from benchmarks.schema.samples import OfWorkload as OfWorkload
from benchmarks.schema.samples import Phases as Phases
from benchmarks.schema.samples import RoundBlock as RoundBlock
from benchmarks.schema.samples import SingleInference as SingleInference
from benchmarks.schema.samples import Status as Status
from benchmarks.schema.samples import Stretch as Stretch
from benchmarks.schema.samples import Strict as Strict
from benchmarks.schema.samples import WarmUp as WarmUp
from benchmarks.schema.samples import field as field

SCHEMA_VERSION = 1


class TensorError(Strict):
    """One compared tensor of the certificate."""

    check: Literal[
        "forward", "loss", "gradient", "update", "running_statistics", "state", "evaluation", "transplanted_evaluation"
    ] = field("what was compared")
    tensor: str = field("name in the declaration, or logits, or which loss")
    error: float | None = field("‖x − x*‖ / ‖x*‖ against float64; None when not finite")
    tolerance: float = field(
        "multiple of what a one-ulp perturbation of weights and inputs does to the float64 reference"
    )
    passed: bool = field("error within tolerance")


class Probe(Strict):
    """A check beside the certificate's tensors."""

    name: str = field("what was probed")
    passed: bool = field("whether it held")
    detail: str = field("what was seen, in a sentence")


class Certificate(Strict):
    """Proof that this stack does the declared work: same weights, same batches, compared with float64."""

    status: Status = field("ok, parity_failed, or how the worker failed on the way")
    reason: str = field("empty when ok", default="")
    log_tail: list[str] = field("last lines of the worker's log, when it failed", default_factory=list)
    steps: int = field("optimiser steps compared")
    batch_size: int = field("samples per step; as timed, but 16 in smoke runs")
    conventions: dict[str, str] = field("conventions of the framework that the reference followed")
    difference_of_forms: dict[str, float] = field(
        "how far the other conventions would have moved the reference, worst tensor", default_factory=dict
    )
    tensors: list[TensorError] = field("every comparison", default_factory=list)
    probes: list[Probe] = field("dropout, sample order, feed, one loss", default_factory=list)

    @property
    def worst(self) -> TensorError | None:
        """The comparison that used most of its tolerance; None when nothing was compared."""
        return max(self.tensors, key=lambda t: float("inf") if t.error is None else t.error / t.tolerance, default=None)


class CurvePoint(Strict):
    epoch: float = field("epochs finished")
    seconds: float = field("training seconds so far, evaluation excluded")
    loss: float | None = field("mean training loss of the epoch (the changing model's); None when not finite")
    metric: float = field("metric on the whole test set, evaluation mode")


class Training(Strict):
    """One training of the recipe from one seed."""

    seed: int = field("of initial weights and sample order")
    status: Status = field("of this training")
    reason: str = field("empty when ok", default="")
    log_tail: list[str] = field("last lines of the worker's log, when not ok", default_factory=list)
    curve: list[CurvePoint] = field("one point per epoch", default_factory=list)
    metric: float | None = field("metric after the last epoch", default=None)
    also: dict[str, float] = field("other scores after the last epoch, by name", default_factory=dict)
    generated: dict[str, str] = field(
        "text: what the model writes after a prompt (before the bar), by the number of words drawn from; pairs: the "
        "nearest words by cosine, nearest first, by the word asked",
        default_factory=dict,
    )
    sample_order: str = field("SHA-256 over the sample ids in the order they were trained on", default="")
    peak_resident: int | None = field("peak resident bytes of the process, alone on the machine", default=None)
    peak_device: int | None = field("peak device bytes by the framework's own counter", default=None)


class Accuracy(Strict):
    """Training after the recipe, and whether the metric lies in its declared range."""

    recipe: str = field("name of the declared recipe")
    judged: bool = field("false when the recipe has no measured range, or one of another batch size or of another text")
    reason: str = field("why not judged, or which seed missed the range", default="")
    low: float | None = field("accepted range", default=None)
    high: float | None = field("accepted range", default=None)
    trainings: list[Training] = field("one per seed")


class Multimodal(Strict):
    """Step times in two groups: one median says little of either."""

    pass_index: int | None = field("blocks of this pass, from 0; None: medians of the launches", alias="pass")
    low_seconds: float = field("mean step seconds of the faster group", gt=0)
    high_seconds: float = field("mean step seconds of the slower group", gt=0)
    low_count: int = field("blocks or launches in the faster group", gt=0)
    high_count: int = field("blocks or launches in the slower group", gt=0)
    p: float = field("share of samples of one normal distribution that part as well (simulated)")

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class Row(OfWorkload):
    """One workload variant on one stack."""

    workload: str = field("folder name under impls/")
    variant: str = field("'default' where the workload has only one")
    stack: Stack = field("with what")
    status: Status = field("the first phase that failed decides")
    reason: str = field("empty when ok", default="")
    implementation: dict[str, str] = field(
        "file name -> SHA-256 of its code (see workload/sources.py): implementation, adapter, data set, task and what "
        "they import; before December 2026 of the bytes of fewer files"
    )
    implementation_hash: str = field("SHA-256 over the entry above")
    batch_size: int = field("samples per training step")
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", default=1)
    unit: str = field("what throughput counts: images, tokens or pairs", default="samples")
    launches: list[Launch] = field("one per pass", default_factory=list)
    multimodal: list[Multimodal] = field("where step times fall into two groups", default_factory=list)
    certificate: Certificate | None = field("None where the run did not measure it", default=None)
    accuracy: Accuracy | None = field(
        "None where this mode was not the one trained, or the run did not train", default=None
    )

    def pass_step_seconds(self, *, clean: bool = True) -> dict[int, float]:
        """Return pass -> median over blocks of seconds per step, of launches with status ok and at least one block.

        ``clean`` (the estimate that is reported): over rounds in which no stack was disturbed, repeats included; in a
        pass with fewer quiet rounds than half of the planned ones, over all planned rounds, and the pass is among
        :meth:`disturbed_passes`. ``clean=False``: over all planned rounds of every pass, disturbed or not.
        Results from before rounds were repeated give the same for both.
        """
        found = {la.pass_index: la.step_seconds(clean=clean) for la in self.launches if la.status == "ok"}
        return {index: seconds for index, seconds in found.items() if seconds is not None}

    def disturbed_passes(self) -> set[int]:
        """Return the passes that got too few quiet rounds with all repeats: no comparison may rest on them."""
        return {la.pass_index for la in self.launches if la.status == "ok" and la.blocks and not la.is_quiet}

    def step_seconds(self) -> float | None:
        """Return the geometric mean of the passes' median step seconds; None without any."""
        steps = list(self.pass_step_seconds().values())
        return geometric_mean(steps) if steps else None

    def samples_per_second(self) -> float | None:
        """Return the training throughput, by the mean step time."""
        seconds = self.step_seconds()
        return None if seconds is None else self.batch_size * self.items / seconds

    @property
    def compiled_nothing(self) -> bool:
        """Whether its compiler made no graph of the step in any launch: it is the mode without one, and has no rank."""
        return compiled_nothing(la.used.get("compiled_graphs") for la in self.launches if la.status == "ok")


class Baseline(OfWorkload):
    """Another public program on a workload's training data, by its own algorithm: not certified, not equal work."""

    name: str = field("NAME of baseline_NAME.py in the workload's folder")
    label: str = field("what the program is called")
    description: str = field("what it does differently, in a sentence")
    version: str | None = field("of the program's distribution; None where it is not installed", default=None)
    implementation: dict[str, str] = field("file name -> SHA-256")
    status: Status = field("of its one training")
    reason: str = field("empty when ok", default="")
    log_tail: list[str] = field("last lines of its log, when not ok", default_factory=list)
    recipe: str = field("recipe whose data and epochs it was given")
    seed: int = field("of the data, and handed to the program")
    threads: int = field("threads and CPUs, as for every stack")
    settings: dict[str, Any] = field("what the program was told, beside its defaults", default_factory=dict)
    seconds: float | None = field("wall seconds of training; import and counting words excluded", default=None, gt=0)
    processed: int | None = field("what it went through in these seconds, all epochs together, in units", default=None)
    unit: str = field("what throughput counts; not what the stacks' throughput counts")
    scores: dict[str, float] = field(
        "by the scorer of the stacks, as in Training.also; without the metric, which needs the declared model",
        default_factory=dict,
    )

    @property
    def key(self) -> str:
        return f"{self.workload}/{self.variant}: baseline {self.name}"

    def shares(self) -> dict[str, float]:
        """Return the scores without the numbers of questions they were taken over."""
        return {name: value for name, value in self.scores.items() if not name.startswith(("pairs_", "questions"))}

    def units_per_second(self) -> float | None:
        return self.processed / self.seconds if self.processed is not None and self.seconds else None


class Data(OfWorkload):
    """The data a workload saw in this run."""

    source: Literal["embedded", "real"] = field("generated, or the official files")
    description: str = field("for people")
    train_examples: int = field("training examples of the recipe")
    test_examples: int = field("test examples, all of them scored")
    digest: str = field("SHA-256 over the arrays as handed to the workers")
    optimum: float | None = field(
        "metric of the exact posterior on this very test set; None for real data", default=None
    )
    corpus: str | None = field("which text, for real data where there could be another", default=None)


class Declared(Strict):
    """A workload's declaration as it was when it ran."""

    name: str = field("workload")
    variant: str = field("as in Row")
    hash: str = field("SHA-256 of the declaration without its accepted ranges and what else only judges it")
    declaration: dict[str, Any] = field("the whole declaration; each object carries its type")

    @property
    def place(self) -> Key:
        return Key(self.name, self.variant)


class CarryOver(OfWorkload):
    """Whether a stack's block times depend on the stack that was timed just before, over all passes of a workload."""

    blocks: int = field("blocks that entered: of quiet rounds, with a block before them")
    p: float = field(
        "permutation test of no effect at all, stack × pass removed; assumes that a launch's blocks vary independently"
    )
    preceding: str = field("Stack.key after which blocks differed most")
    effect: float = field("ratio of block times after that stack to the mean over preceding stacks", gt=0)


class Alone(Strict):
    """One stack measured again with no other worker resident."""

    stack: str = field("Stack.key")
    status: Status = field("of these launches: the first that failed decides")
    reason: str = field("empty when ok", default="")
    launches: list[Launch] = field("one per pass")


class Standing(Strict):
    """A verdict of the interleaved rounds beside that of the stacks alone."""

    first: str = field("Stack.key")
    second: str = field("Stack.key")
    interleaved: Verdict = field("as in Comparison")
    isolated: Verdict = field("the same question asked of the isolated launches")
    ratio: float = field("interleaved ratio of step times", gt=0)
    isolated_ratio: float = field("isolated ratio of step times", gt=0)
    stands: Literal["stands", "falls", "open"] = field(
        "stands: both say faster, slower or equivalent alike, or one says equivalent and the other negligibly faster "
        "or slower; falls: they say different ones of these; open: one of them decides nothing"
    )


class Isolated(OfWorkload):
    """The top stacks of a workload measured again, one worker on the machine at a time (--solo)."""

    stacks: list[Alone] = field(
        "of the documented stacks, and of the tuned ones: the fastest three and whatever could not be told from the "
        "fastest"
    )
    standings: list[Standing] = field("every pair of them that is compared")


class Result(Strict):
    """Everything one run leaves."""

    schema_version: Literal[1] = field("of this page")
    suite_version: str = field("version of Bookbench")
    id: str = field("start and machine")
    started: str = field("ISO 8601, UTC")
    finished: str | None = field("ISO 8601, UTC; None while unfinished")
    complete: bool = field("false after an interruption: --resume goes on from here")
    command: str = field("the command line, without paths")
    options: Options = field("what was asked for")
    git_commit: str | None = field("commit of the working tree; None outside a repository")
    git_dirty: bool | None = field("whether it had changes")
    machine: Machine = field("the passport of the machine")
    interpreters: list[Interpreter] = field("every Python that ran workers")
    affinity: list[int] = field("logical CPUs every worker was bound to; empty where binding is not offered")
    notes: list[str] = field("what a reader must know about this run", default_factory=list)
    declared: list[Declared] = field("every workload variant as it was declared")
    data: list[Data] = field("the data each workload variant saw")
    rows: list[Row] = field("every workload variant on every stack")
    baselines: list[Baseline] = field(
        "other programs on the same data, shown beside the rows and never compared with them", default_factory=list
    )
    comparisons: list[Comparison] = field(
        "of a workload variant every pair of documented stacks, every pair of tuned ones, and every documented stack "
        "with every tuned one of its framework; before verdict rule 3 every pair of stacks"
    )
    verdict_rule: Literal[1, 2, 3] = field(
        "how verdicts follow from samples: 1, each pair's interval for itself; 2, simultaneous intervals over all "
        "pairs of a workload variant; 3, over pairs of documented stacks, of tuned ones and of both, each for itself",
        default=1,
    )
    rankings: list[Ranking] = field(
        "per workload variant that has verdicts one of the documented stacks and one of the tuned", default_factory=list
    )
    agreements: list[Agreement] = field(
        "every pair of frameworks that trained a recipe with a criterion, and each against the recipe's references",
        default_factory=list,
    )
    pilots: list[Pilot] = field("one per workload variant whose number of passes was decided", default_factory=list)
    carry_over: list[CarryOver] = field("one per workload variant with enough blocks", default_factory=list)
    isolated: list[Isolated] = field("one per workload variant, with --solo", default_factory=list)
    budget: Budget | None = field("what became of --budget; None without it", default=None)
    answers: list[Answer] = field(
        "what parts of the run found (--measure NAME), one per part and stack", default_factory=list
    )
    digest: str = field("SHA-256 over this file without this field: shows edits by hand", default="")

    _edited: bool = PrivateAttr(default=False)

    @property
    def edited(self) -> bool:
        """Whether the file that this was read from has another content than its digest says."""
        return self._edited

    def row(self, workload: str, variant: str, stack_key: str) -> Row:
        for row in self.rows:
            if (row.workload, row.variant, row.stack.key) == (workload, variant, stack_key):
                return row
        raise KeyError((workload, variant, stack_key))


def digest(plain: dict[str, Any]) -> str:
    """Return the SHA-256 of a result's JSON as it stands in its file, whatever fields that has, but for its digest."""
    content = {name: value for name, value in plain.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(result: Result, path: Path) -> None:
    """Write atomically, with the digest set."""
    plain = result.model_dump(mode="json", by_alias=True)
    atomic_write(path, json.dumps(plain | {"digest": digest(plain)}, ensure_ascii=False, indent=1) + "\n")


def read(path: Path) -> Result:
    """Read and validate; raises OSError or pydantic.ValidationError."""
    text = path.read_text(encoding="utf-8")
    result = Result.model_validate_json(text)
    result._edited = result.digest != digest(json.loads(text))
    return result
