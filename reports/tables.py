"""What stands in the report's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, median

from benchmarks.results import Evidence, Launch, Row
from reports import numbers as n
from reports.svg import variable
from reports.table import NONE, Cell, Column, Reference, Table, Tone, grouped, words
from reports.verdict import Ranking, against_book, as_the_book, judgement
from reports.work import (
    Work,
    blocks,
    certified,
    cpu_step_seconds,
    final_metric,
    label,
    latencies,
    measured,
    offline,
    peak,
    step_seconds,
    used,
    worst,
)

IDLE = 1  # bit of NVML's throttle reasons that means: nothing to do


def summary(work: Work, found: Ranking) -> Table:
    """Everything a reader compares, one row per stack, two lines per cell."""
    table = Table(
        [
            Column("Stack", "status", number=False),
            Column("Training", "samples/s; step", "training throughput; below, wall time per step"),
            Column(
                "Ratio", "interval", "step time over that of the ranked stack measured fastest; below, 95 % interval"
            ),
            Column("Accuracy", "judgement", "after the last epoch, mean over seeds"),
            Column("CPU per step", "CPUs busy", "CPU seconds of all threads; below, over wall seconds"),
            Column("Single", "p50; p90, p99", "inference at batch 1, latency from host memory to host memory"),
            Column("Offline", "samples/s; batch", "best inference throughput over batch sizes; below, that batch size"),
            Column(
                "Memory", "training; inference", "peak resident set, or where a device is used, device memory below"
            ),
            Column("Certificate", "error of tolerance", "the tensor that used most of its tolerance", number=False),
        ]
    )
    for row in (*found.ranked, *found.timed):
        table.rows.append(
            [
                _stack(table, row),
                _training(row),
                _ratio(found, row),
                _accuracy(table, row),
                _cpu(row),
                _single(row),
                _offline(row),
                _memory(row),
                certificate_cell(table, row),
            ]
        )
    table.lines = grouped(found.untimed)
    table.foot = _references(work)
    return table


def _stack(table: Table, row: Row) -> Cell:
    name = label(row.stack)
    if row.status == "ok":
        return Cell(name, "ok", swatch=_swatch(row))
    return Cell(name, words(row.status), tone="bad", mark=table.mark(row.reason), swatch=_swatch(row))


def _swatch(row: Row) -> str:
    return variable(row.stack.framework, row.stack.mode)


def _training(row: Row) -> Cell:
    seconds = step_seconds(row)
    if seconds is None:
        return NONE
    rate = row.batch_size / seconds
    return Cell(n.number(rate), n.milliseconds(seconds), sort=rate)


def _ratio(found: Ranking, row: Row) -> Cell:
    first = found.ranked[0] if found.ranked else None
    if row is first:
        words_for = {"settled": "fastest", "shared": "shared first", "alone": "alone"}
        tone: Tone = "lead" if found.standing == "settled" else ""
        return Cell("1.00", words_for.get(found.standing, "provisional"), sort=1.0, tone=tone)
    versus = found.against.get(row.stack.key)
    if versus is None or first is None:
        return Cell(n.NOTHING, "not ranked", tone="quiet")
    if row in found.timed:
        return Cell(f"({n.ratio(versus.ratio)})", "not ranked", sort=versus.ratio, tone="quiet")
    within = versus.interval.replace(" ", "\u00a0")  # may only be parted from the verdict
    below = within if versus.beaten else " ".join(filter(None, [within, versus.word]))
    return Cell(n.ratio(versus.ratio), below, sort=versus.ratio)


def _accuracy(table: Table, row: Row) -> Cell:
    judged = judgement(row)
    if row.accuracy is None or judged == "not trained":
        return Cell(n.NOTHING, "not trained", tone="quiet")
    tones: dict[str, Tone] = {"in range": "good", "missed": "bad", "unfinished": "warn"}
    value = final_metric(row)
    return Cell(
        n.metric(value), judged, sort=value, tone=tones.get(judged, "quiet"), mark=table.mark(row.accuracy.reason)
    )


def _cpu(row: Row) -> Cell:
    busy, wall = cpu_step_seconds(row), step_seconds(row)
    if busy is None or wall is None:
        return NONE
    return Cell(n.duration(busy), f"{n.number(busy / wall)} CPUs", sort=busy)


def _single(row: Row) -> Cell:
    found = latencies(row)
    if found is None:
        return NONE
    return Cell(n.duration(found[0]), f"{n.duration(found[1])}, {n.duration(found[2])}", sort=found[0])


def _offline(row: Row) -> Cell:
    found = offline(row)
    return Cell(n.number(found[0]), f"batch {found[1]:,}", sort=found[0]) if found else NONE


def _memory(row: Row) -> Cell:
    resident, device = peak(row, "training_peak_resident"), peak(row, "training_peak_device")
    inferring = peak(row, "inference_peak_resident")
    below = f"device {n.size(device)}" if device else n.size(inferring) if inferring else ""
    return Cell(n.size(resident), below, sort=resident) if resident else NONE


def certificate_cell(table: Table, row: Row) -> Cell:
    certificate = row.certificate
    if certificate is None:
        return Cell("missing", "timing without valid certificate", tone="warn")
    most = worst(certificate.tensors)
    if not certified(row):
        reason = table.mark(certificate.reason)
        return Cell(words(certificate.status), "timing without valid certificate", tone="bad", mark=reason)
    if most is None or most.error is None:
        return Cell("passed", tone="good")
    return Cell(
        "passed", f"{n.number(most.error)}\u00a0of\u00a0{n.number(most.tolerance)}", sort=used(most), tone="good"
    )


def _references(work: Work) -> list[Reference]:
    """Optimum, book figure and accepted range, under the accuracies that they belong to."""
    found: list[Reference] = []
    if work.optimum is not None:
        found.append(Reference("Optimum", "exact posterior on this test set", n.metric(work.optimum), 3))
    if work.book_figure is not None:
        what = f"{work.get('book_figure', 'what')}, real data"
        found.append(Reference("Book", what, n.metric(work.book_figure), 3))
    for row in work.rows:
        accuracy = row.accuracy
        if accuracy and accuracy.judged and accuracy.low is not None:
            allowed = n.bounds(accuracy.low, accuracy.high)
            entry = Reference("Accepted range", f"recipe {accuracy.recipe}", allowed, 3)
            found += [entry] if entry not in found else []
    return found


def accuracies(work: Work) -> Table | None:
    """Every seed of every trained stack beside the book's figure, or beside the optimum where the book does not apply.

    None where nothing was trained, or where training was timed and the summary has it all.
    """
    trained = [r for r in work.rows if r.accuracy is not None and r.accuracy.trainings]
    like_the_book = work.book_figure is not None and any(as_the_book(work, r) for r in trained)
    if not trained or (work.timed and not like_the_book):
        return None
    aim, name = (work.book_figure, "book") if like_the_book else (work.optimum, "optimum")
    below = f"− {name}" if aim is not None else ""
    seeds = sorted({t.seed for r in trained if r.accuracy for t in r.accuracy.trainings})
    table = Table(
        [
            Column("Stack", "status", number=False),
            *(Column(f"Seed {seed}", below, "whole test set, after the last epoch") for seed in seeds),
            Column("Mean", below),
        ]
    )
    if like_the_book:
        hint = "two binomial standard errors of a proportion of the test examples, on either side"
        table.columns += [
            Column("Seeds", "± 2 standard errors", hint),
            Column("Book", "within?", "whether the book's figure lies in that wider range"),
        ]
    else:
        table.columns += [Column("Accepted range", "judgement")]
    for row in trained:
        assert row.accuracy is not None
        cells = [_stack(table, row)]
        found = {t.seed: t for t in row.accuracy.trainings}
        for seed in seeds:
            training = found.get(seed)
            if training is None:
                cells.append(NONE)
            elif training.metric is None:
                cells.append(Cell(n.NOTHING, words(training.status), tone="bad", mark=table.mark(training.reason)))
            else:
                cells.append(_distance(training.metric, aim))
        cells.append(_distance(final_metric(row), aim))
        table.rows.append(cells + (_beside_book(work, row) if like_the_book else [_judged(table, row)]))
    table.lines = grouped(r for r in work.rows if r not in trained and r.status != "ok")
    return table


def _distance(value: float | None, aim: float | None) -> Cell:
    if value is None:
        return NONE
    return Cell(n.metric(value), "" if aim is None else n.signed(value - aim), sort=value)


def _beside_book(work: Work, row: Row) -> list[Cell]:
    book = against_book(work, row)
    if book is None:
        return [NONE, Cell(n.metric(work.book_figure), "not comparable", tone="quiet")]
    seeds = n.metric(book.low) if book.low == book.high else f"{n.metric(book.low)}–{n.metric(book.high)}"
    wider = f"{n.metric(book.lower)}–{n.metric(book.upper)}" if book.within is not None else "test examples unknown"
    word = {True: "within", False: "outside", None: "not comparable"}[book.within]
    tones: dict[bool | None, Tone] = {True: "good", False: "bad", None: "quiet"}
    return [Cell(seeds, wider, sort=book.low), Cell(n.metric(book.figure), word, tone=tones[book.within])]


def _judged(table: Table, row: Row) -> Cell:
    assert row.accuracy is not None
    cell = _accuracy(table, row)
    text = n.bounds(row.accuracy.low, row.accuracy.high) if row.accuracy.judged else n.NOTHING
    return Cell(text, cell.sub, tone=cell.tone, mark=cell.mark)


def phases(work: Work, found: Ranking) -> Table:
    """From process start to the first round: medians over launches, cold and warm caches apart."""
    table = Table(
        [
            Column("Stack", number=False),
            Column("Import", "cold; warm", "importing the framework and the implementation"),
            Column("Build", "cold; warm", "model and optimiser, initial weights, data placed"),
            Column("First step", "cold; warm", "tracing and compiling included"),
            Column("Warm-up", "steps; time", "between the first step and the first round, median over launches"),
            Column("Settled", "", "successive windows of steps agreed before the ceiling was reached", number=False),
            Column(
                "Pays back after", "steps; saved", "steps until a mode makes up for its longer cold start than eager's"
            ),
        ]
    )
    started = [r for r in (*found.ranked, *found.timed, *found.untimed) if any(_begun(la) for la in r.launches)]
    for row in started:
        launches = [la for la in row.launches if _begun(la)]
        cells = [_phase(launches, name) for name in ("import_seconds", "build_seconds", "first_step_seconds")]
        table.rows.append([Cell(label(row.stack)), *cells, *_warm_up(launches), _payback(work, row)])
    table.lines = grouped(r for r in work.rows if r not in started)
    return table


def _begun(launch: Launch) -> bool:
    return launch.phases.import_seconds is not None


def _phase(launches: Sequence[Launch], name: str) -> Cell:
    cold, warm = (phase([la for la in launches if la.caches == caches], name) for caches in ("cold", "warm"))
    return Cell(n.duration(cold), n.duration(warm), sort=warm if cold is None else cold)


def _warm_up(launches: Sequence[Launch]) -> list[Cell]:
    found = [la.phases.warm_up for la in launches if la.phases.warm_up is not None]
    if not found:
        return [NONE, NONE]
    steps, settled = median(w.steps for w in found), sum(w.settled for w in found)
    word = "yes" if settled == len(found) else "no" if not settled else f"{settled} of {len(found)} launches"
    took = n.duration(median(w.seconds for w in found))
    return [Cell(n.count(round(steps)), took, sort=steps), Cell(word, tone="" if word == "yes" else "warn")]


def phase(launches: Iterable[Launch], name: str) -> float | None:
    values = [v for la in launches if (v := getattr(la.phases, name)) is not None]
    return median(values) if values else None


def _payback(work: Work, row: Row) -> Cell:
    """Extra cold build and first step, over the time saved per step. Only of point estimates: see the hint."""
    same = ("framework", "device", "interpreter")
    eager = [
        r
        for r in work.rows
        if r.stack.mode == "eager" and all(getattr(r.stack, p) == getattr(row.stack, p) for p in same)
    ]
    if row.stack.mode == "eager" or not eager:
        return NONE
    cost = [_start(r) for r in (row, eager[0])]
    steps = [step_seconds(r) for r in (row, eager[0])]
    if cost[0] is None or cost[1] is None or steps[0] is None or steps[1] is None:
        return NONE
    if steps[0] >= steps[1]:
        return Cell("never", "not faster than eager")
    needed = max(0.0, cost[0] - cost[1]) / (steps[1] - steps[0])
    return Cell(n.number(needed), f"{n.duration(steps[1] - steps[0])} a step", sort=needed)


def _start(row: Row) -> float | None:
    cold = [la for la in row.launches if la.caches == "cold" and la.status == "ok"]
    build, first = phase(cold, "build_seconds"), phase(cold, "first_step_seconds")
    return None if build is None or first is None else build + first


def quality(work: Work, found: Ranking) -> Table:
    """What else the machine did during the timed blocks, as shares of wall time."""
    table = Table(
        [
            Column("Stack", number=False),
            Column("Passes"),
            Column("Blocks"),
            Column("Disturbed", "", "foreign CPU or steal took more than the declared share; kept and marked"),
            Column("Foreign CPU", "largest", "CPU seconds of other processes per wall second of a block"),
            Column("Idle workers", "largest", "CPU seconds of this run's waiting workers per wall second of a block"),
            Column("Steal", "largest", "time the hypervisor gave to others per wall second of a block"),
            Column("Mean / median", "largest", "of block step times in a pass; above 1.03 the median hides stalls"),
            Column("Precision", "largest", "relative error of a float32 product against float64"),
        ]
    )
    timed = (*found.ranked, *found.timed)
    if any(b.evidence.gpu_clock_mhz is not None for row in timed for b in blocks(row)):
        table.columns.append(Column("GPU clock", "lowest; hottest", "after a block"))
        table.columns.append(Column("Throttled", "blocks", "a reason other than idleness was set after the block"))
    for row in timed:
        all_blocks = list(blocks(row))
        disturbed = sum(b.disturbed for b in all_blocks)
        shares = {
            name: max((v / b.seconds for b in all_blocks if (v := getattr(b.evidence, name)) is not None), default=None)
            for name in ("foreign_cpu_seconds", "idle_worker_cpu_seconds", "steal_seconds")
        }
        stall = max(
            mean(steps) / median(steps) for la in measured(row) for steps in [[b.seconds / b.steps for b in la.blocks]]
        )
        errors = [la.precision_error for la in row.launches if la.precision_error is not None]
        cells = [
            Cell(label(row.stack)),
            Cell(n.count(len(row.pass_step_seconds())), sort=len(row.pass_step_seconds())),
            Cell(n.count(len(all_blocks)), sort=len(all_blocks)),
            Cell(n.count(disturbed), sort=disturbed, tone="warn" if disturbed else ""),
            *(Cell(n.percent(v), sort=v) for v in shares.values()),
            Cell(f"{stall:.3f}", sort=stall, tone="warn" if stall > 1.03 else ""),
            Cell(n.number(max(errors)), sort=max(errors), tone="warn" if max(errors) > 1e-5 else "")
            if errors
            else NONE,
        ]
        table.rows.append(cells + _gpu([b.evidence for b in all_blocks])[: len(table.columns) - len(cells)])
    return table


def _gpu(evidence: Sequence[Evidence]) -> list[Cell]:
    clocks = [e.gpu_clock_mhz for e in evidence if e.gpu_clock_mhz is not None]
    if not clocks:
        return [NONE, NONE]
    hottest = max((e.gpu_temperature_c for e in evidence if e.gpu_temperature_c is not None), default=None)
    throttled = sum(bool((e.gpu_throttle_reasons or 0) & ~IDLE) for e in evidence)
    below = "" if hottest is None else f"{n.number(hottest)} °C"
    return [
        Cell(f"{n.number(min(clocks))} MHz", below, sort=min(clocks)),
        Cell(n.count(throttled), sort=throttled, tone="warn" if throttled else ""),
    ]
