"""A bank of real launches of one stack, from which trials are drawn whose answer is known.

Launches are made as a pass of a run makes those of its stacks: a few fresh processes side by side, each imports,
builds, takes its first step and warms up, then they are timed in rounds, one block of each after an untimed lead-in.
Every second block takes 21 steps where the others take 20, and its record claims 20: a stack that is truly 5 % slower,
measured, not computed. A trial takes plain blocks for one side and slow ones, from other launches of the same pass,
for the other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import ValidationError

from benchmarks.analysis.evidence import contradictions
from benchmarks.engine.context import Context, opened
from benchmarks.engine.orders import round_orders
from benchmarks.engine.plan import Entry, Planned, combined_hash
from benchmarks.engine.prepare import prepare
from benchmarks.engine.run import now
from benchmarks.engine.select import choose, make_plan
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.errors import Problem
from benchmarks.schema.files import atomic_write
from benchmarks.schema.results import Machine
from benchmarks.schema.samples import Block, Strict, field
from benchmarks.workload import discover
from benchmarks.workload.sources import implementation_files

UNIT = 20  # a plain block has a multiple of so many steps, a slow one as many times one more
BLOCK_SECONDS = 0.25
WARM: dict[str, Any] = {"floor_seconds": 0.5, "ceiling_seconds": 3.0, "windows": 5}
LEAD_IN = 3
BESIDE = 4  # launches of a pass; even, so that a trial can pair them all
AGAIN = 3  # disturbed rounds that a pass measures again, at most
Say = Callable[[str], None]


class BankBlock(Block):
    counted: int = field("training steps that the record claims: fewer in a slow block", gt=0)


class BankLaunch(Strict):
    started: str = field("ISO 8601, UTC")
    seconds: float = field("of the whole launch, import to end")
    blocks: list[BankBlock] = field("in the order in which they were timed, plain and slow in turn", min_length=2)

    def step_seconds(self, *, slow: bool) -> float:
        """Median of claimed seconds per step over the undisturbed blocks of a kind, over all where none is quiet."""
        mine = [b for b in self.blocks if (b.counted < b.steps) == slow]
        quiet = [b for b in mine if not b.disturbed] or mine
        return median(b.seconds / b.counted for b in quiet)


class Bank(Strict):
    machine: str = field("label and processor of the machine")
    threads: int = field("threads and CPUs of the stack")
    workload: str = field("key of the workload variant")
    declaration_hash: str = field("as in a result")
    stack: str = field("Stack.key")
    implementation_hash: str = field("as in a result")
    batch_size: int = field("samples per step")
    versions: dict[str, str] = field("library versions inside the worker")
    git_commit: str | None = field("commit of the working tree when the bank was begun")
    unit: int = field("steps of a plain block")
    beside: int = field("launches of a pass: so many that follow each other in the list lay side by side", ge=2)
    launches: list[BankLaunch] = field("fresh processes, pass after pass")

    @property
    def name(self) -> str:
        return f"{self.workload} on {self.stack.rsplit(':', 2)[0]}"

    def write(self, path: Path) -> None:
        atomic_write(path, self.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Bank:
    """Raises Problem where the file is no bank, or marks a block against its own evidence."""
    try:
        bank = Bank.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise Problem(f"{path} is no bank of launches: {str(error).splitlines()[0]}") from None
    if len(bank.launches) % bank.beside:
        raise Problem(f"{path}: {len(bank.launches)} launches are no whole passes of {bank.beside}")
    for index, launch in enumerate(bank.launches):
        if contradictions(launch, cpus=bank.threads):
            raise Problem(f"{path}: launch {index + 1} has a block that is marked against its own evidence")
    return bank


def differences(bank: Bank, here: Machine, *, impls: Path) -> list[str]:
    """In words, what the bank was measured with that is otherwise in this tree or on the machine ``here``."""
    out = []
    if bank.machine != (name := f"{here.name}, {here.cpu}"):
        out.append(f"measured on {bank.machine}, this is {name}")
    found = next((f for f in discover(impls.resolve()) if f.workload.key == bank.workload), None)
    if found is None:
        return [*out, "its workload is not in this tree"]
    if found.workload.hash != bank.declaration_hash:
        out.append("the declaration of its workload has changed since")
    files = implementation_files(found, *bank.stack.split(":")[:2])
    if combined_hash(files) != bank.implementation_hash:
        out.append("the files of its stack have changed since")
    return out


def measure(
    *, workload: str, stack: str, launches: int, blocks: int, threads: int | None, out: Path, impls: Path, say: Say
) -> Path:
    """Add passes to the bank in ``out`` until it holds ``launches`` or more; each is kept as soon as it has ended."""
    found = choose(discover(impls.resolve()), [workload], everything=True)
    recipes = [recipe.name for f in found[:1] for recipe in f.workload.recipes if recipe.data == "embedded"]
    plan = make_plan(
        command="selftest bank",
        workload=[workload],
        stack=[stack],
        measure=["training"],
        recipe="quick" if "quick" in recipes or not recipes else recipes[0],  # decides the size of the data only
        threads=threads,
        impls=impls,
    )
    entry, planned = _only(plan.entries, workload, stack)
    path = out / f"{plan.machine.name}-{entry.key.replace('/', '-')}.json"
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bookbench-bank-") as folder,
        opened(plan, Path(folder), report=lambda text: None) as ctx,
    ):
        prepare(ctx, entry)
        bank = read(path) if path.exists() else None
        try:
            while bank is None or len(bank.launches) < launches:
                begun = time.monotonic()
                fresh, made = _pass(ctx, entry, planned, bank, blocks)
                if bank is not None and fresh != bank.model_copy(
                    update={"launches": [], "git_commit": fresh.git_commit}
                ):
                    raise Problem(f"{path} holds launches of something else; name another --out, or remove it")
                bank = (bank or fresh).model_copy(update={"launches": [*(bank.launches if bank else []), *made]})
                bank.write(path)
                left = (launches - len(bank.launches)) / len(made) * (time.monotonic() - begun)
                plain, slow = ([launch.step_seconds(slow=s) * 1e3 for launch in made] for s in (False, True))
                say(
                    f"{bank.name}: {len(bank.launches)} of {launches} launches, "
                    f"{min(plain):.3f} to {max(plain):.3f} ms a step, "
                    f"slow ones {sum(slow) / sum(plain) - 1:+.1%}, about {max(0.0, left) / 60:.0f} min left"
                )
        except WorkerError as error:
            raise Problem(f"{entry.key} on {stack}: {error.status}: {error}") from None
    return path


def _only(entries: list[Entry], workload: str, stack: str) -> tuple[Entry, Planned]:
    if len(entries) != 1 or len(entries[0].stacks) != 1:
        raise Problem(f"a bank is of one stack on one workload variant; {workload} on {stack} is not one")
    (planned,) = entries[0].stacks
    if not planned.available:
        raise Problem(f"{stack} cannot run here: {planned.reason}")
    return entries[0], planned


def _pass(
    ctx: Context, entry: Entry, planned: Planned, bank: Bank | None, blocks: int
) -> tuple[Bank, list[BankLaunch]]:
    """Fresh processes side by side, timed in rounds: the facts that all launches of a bank share, and the launches.

    A round with a disturbed block is measured again for all.
    """
    first = len(bank.launches) if bank else 0
    begun, started = [], []
    running: list[Launch] = []
    timed: list[list[BankBlock]] = [[] for _ in range(BESIDE)]
    unit, versions = bank.unit if bank else None, {}
    try:
        for index in range(BESIDE):
            begun.append(time.monotonic())
            started.append(now())
            name = f"launch{first + index + 1}"
            running.append(ctx.workers.start(entry, planned, name=name))
            versions = ctx.workers.greet(running[-1])["versions"]
            for phase in ("build", "first_step"):
                running[-1].ask(phase)
            warm = running[-1].ask("warm_up", **WARM)
            step = median(warm["window_seconds"]) / warm["window_steps"]
            unit = unit or UNIT * max(1, round(BLOCK_SECONDS / step / UNIT))
        assert unit is not None
        orders = round_orders(BESIDE, blocks, seed=ctx.request.seed, workload=entry.key, pass_index=first // BESIDE)
        place, again = 0, AGAIN
        while place < blocks:
            # Which kind comes first alternates from launch to launch, so that each round has both.
            for index in orders[place]:
                timed[index].append(_block(running, index, unit, slow=(place + index) % 2 == 1))
            if again and any(blocks_of[-1].disturbed for blocks_of in timed):
                again -= 1
            else:
                place += 1
    finally:
        for r in running:
            ctx.workers.stop(r.process)
    ended = time.monotonic()
    facts = Bank(
        machine=f"{ctx.plan.machine.name}, {ctx.plan.machine.cpu}",
        threads=ctx.request.threads,
        workload=entry.key,
        declaration_hash=entry.declaration_hash,
        stack=planned.stack.key,
        implementation_hash=planned.implementation_hash,
        batch_size=entry.batch_size,
        versions=versions,
        git_commit=ctx.plan.git_commit,
        unit=unit,
        beside=BESIDE,
        launches=[],
    )
    launches = [BankLaunch(started=started[i], seconds=ended - begun[i], blocks=timed[i]) for i in range(BESIDE)]
    return facts, launches


def _block(running: list[Launch], index: int, unit: int, *, slow: bool) -> BankBlock:
    mine, others = running[index], [launch for launch in running if launch is not running[index]]
    timed = timed_block(mine, others, steps=unit + unit // UNIT if slow else unit, lead_in=LEAD_IN)
    return BankBlock(**dict(timed), counted=unit)
