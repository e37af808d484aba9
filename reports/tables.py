"""What stands in the report's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.schema.results import Evidence, Launch, Row
from reports import numbers as n
from reports.findings import STALLS, mean_over_median
from reports.ranking import TUNED, Ranking
from reports.svg import variable
from reports.table import NONE, Cell, Column, Reference, Table, Tone, grouped, words
from reports.verdict import judgement
from reports.work import (
    Work,
    blocks,
    certified,
    cpu_step_seconds,
    final_metric,
    label,
    latencies,
    marked,
    offline,
    peak,
    used,
    worst,
)

IDLE = 1  # bit of NVML's throttle reasons that means: nothing to do


def summary(work: Work, found: Ranking) -> Table:
    """Everything a reader compares, one row per stack, two lines per cell."""
    measure = work.measure
    offline = "best inference throughput over batch sizes; below, that batch size"
    told = "lower is better" if measure.lower else "judgement"
    table = Table(
        [
            Column("Stack", "status", number=False),
            Column("Training", f"{work.unit}/s; step", "training throughput; below, wall time per step"),
            Column(
                "Ratio",
                "interval",
                "step time over that of the ranked stack measured fastest; below, its interval, "
                "and the smallest difference that these passes find nine times in ten",
            ),
            Column(measure.title, told, "after the last epoch, mean over seeds"),
            Column("CPU per step", "CPUs busy", "CPU seconds of all threads; below, over wall seconds"),
            _single_column(work),
            Column("Offline", f"{work.asked}/s; batch", offline),
            Column(
                "Memory", "training; inference", "peak resident set, or where a device is used, device memory below"
            ),
            Column("Certificate", "error of tolerance", "the tensor that used most of its tolerance", number=False),
        ]
    )
    rows = (*found.ranked, *found.timed)
    for row in rows:
        table.rows.append(
            [
                stack_cell(table, work, row),
                _training(row),
                _ratio(found, row),
                metric_cell(table, work, row),
                _cpu(row),
                _single(work, row),
                _offline(row),
                _memory(row),
                certificate_cell(table, row),
            ]
        )
    table.lines = grouped(found.untimed, measure.name)
    table.foot = _references(work) if found.title != TUNED or any(row.accuracy for row in rows) else []
    return table


def stack_cell(table: Table, work: Work, row: Row) -> Cell:
    name = marked(work, row)
    if row.status == "ok":
        return Cell(name, "ok", swatch=_swatch(row))
    status = words(row.status, work.measure.name)
    return Cell(name, status, tone="bad", mark=table.mark(row.reason), swatch=_swatch(row))


def _swatch(row: Row) -> str:
    return variable(row.stack)


def _training(row: Row) -> Cell:
    seconds, rate = row.step_seconds(), row.samples_per_second()
    if seconds is None or rate is None:
        return NONE
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
    finds = f"finds\u00a0{versus.finds}".replace(" ", "\u00a0") if versus.finds else ""
    below = " ".join(filter(None, [within, "" if versus.beaten else versus.word, finds]))
    return Cell(n.ratio(versus.ratio), below, sort=versus.ratio)


def metric_cell(table: Table, work: Work, row: Row) -> Cell:
    judged = judgement(row)
    if row.accuracy is None or judged == "not trained":
        return Cell(n.NOTHING, "not\u00a0trained", tone="quiet")
    tones: dict[str, Tone] = {"in range": "good", "missed": "bad", "unfinished": "warn"}
    value = final_metric(row)
    parts = filter(None, [work.measure.over(value, work.optimum), judged])
    told = ", ".join(part.replace(" ", "\u00a0") for part in parts)  # may only be parted at the comma
    mark = table.mark(row.accuracy.reason)
    return Cell(work.measure.text(value), told, sort=value, tone=tones.get(judged, "quiet"), mark=mark)


def _cpu(row: Row) -> Cell:
    busy, wall = cpu_step_seconds(row), row.step_seconds()
    if busy is None or wall is None:
        return NONE
    return Cell(n.duration(busy), f"{n.number(busy / wall)} CPUs", sort=busy)


def generates(work: Work) -> bool:
    """Whether inference went word by word, the first one apart."""
    return any(latencies(row, "first_seconds") for row in work.rows)


def _single_column(work: Work) -> Column:
    where = "latency from host memory to host memory"
    if not generates(work):
        return Column("Single", "p50; p90, p99", f"inference at batch 1, {where}")
    word = work.asked.removesuffix("s")
    hint = f"one text: from a prompt to the first {word} after it, then per further {word}, {where}"
    return Column(f"First, further {word}", "p50; p99", hint)


def _single(work: Work, row: Row) -> Cell:
    found = latencies(row)
    if found is None:
        return NONE
    if not generates(work):
        return Cell(n.duration(found[0]), f"{n.duration(found[1])}, {n.duration(found[2])}", sort=found[0])
    p50, p99 = (
        ", ".join(n.duration(quantiles[i]) if quantiles else n.NOTHING for quantiles in (first, found))
        for first in [latencies(row, "first_seconds")]
        for i in (0, 2)
    )
    return Cell(p50, p99, sort=found[0])


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
    """Optimum, book figure and accepted range, under the figures that they belong to."""
    found: list[Reference] = []
    measure = work.measure
    if work.optimum is not None:
        found.append(Reference(measure.bound.capitalize(), measure.whose, measure.text(work.optimum), 3))
    for figure in work.figures:
        found.append(Reference(figure.name.capitalize(), f"{figure.what}, real data", work.printed(figure), 3))
    for row in work.rows:
        accuracy = row.accuracy
        if accuracy and accuracy.judged and accuracy.low is not None:
            allowed = measure.bounds(accuracy.low, accuracy.high)
            entry = Reference("Accepted range", f"recipe {accuracy.recipe}", allowed, 3)
            found += [entry] if entry not in found else []
    return found


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
                "Pays back after", "steps; saved", "steps until compiling makes up for the longer cold start it takes"
            ),
        ]
    )
    started = [r for r in (*found.rows, *found.without) if any(_begun(la) for la in r.launches)]
    for row in started:
        launches = [la for la in row.launches if _begun(la)]
        cells = [_phase(launches, name) for name in ("import_seconds", "build_seconds", "first_step_seconds")]
        table.rows.append([Cell(label(row.stack)), *cells, *_warm_up(launches), _payback(work, row)])
    table.lines = grouped((r for r in work.rows if r not in started), work.measure.name)
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
    plain = next((r for r in work.rows if r.stack.key == row.stack.uncompiled), None)
    if plain is None:
        return NONE
    cost = [_start(r) for r in (row, plain)]
    steps = [r.step_seconds() for r in (row, plain)]
    if cost[0] is None or cost[1] is None or steps[0] is None or steps[1] is None:
        return NONE
    if steps[0] >= steps[1]:
        return Cell("never", f"not faster than {plain.stack.known.mode}")
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
            Column(
                "Mean / median", "largest", "of blocks, or of one unbroken stretch; above 1.03 the median hides stalls"
            ),
            Column("Precision", "largest", "relative error of a float32 product against float64"),
        ]
    )
    timed = found.rows
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
        stall = mean_over_median(row) or 1.0
        errors = [la.precision_error for la in row.launches if la.precision_error is not None]
        cells = [
            Cell(label(row.stack)),
            Cell(n.count(len(row.pass_step_seconds())), sort=len(row.pass_step_seconds())),
            Cell(n.count(len(all_blocks)), sort=len(all_blocks)),
            Cell(n.count(disturbed), sort=disturbed, tone="warn" if disturbed else ""),
            *(Cell(n.percent(v), sort=v) for v in shares.values()),
            Cell(f"{stall:.3f}", sort=stall, tone="warn" if stall > STALLS else ""),
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
