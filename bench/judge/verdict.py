"""verdict: everything worth knowing about a subject's errors, bits and speed, within a minute.

The cases are those of effort quick, the telling ones first and those of many shapes last: a library
that compiles for each shape runs out of time there, and what it missed is named.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from bench.inputs.cases import SEED, Case, at_effort
from bench.judge.verdicts import CASE_SECONDS, COLUMNS, EFFORT, Cell, Speed, Verdict, Witness
from bench.measure import accuracy, confirmation, invariance, timing
from bench.runs.records import SURVIVAL_THRESHOLDS, Invariance, Record
from bench.runs.track import Track
from bench.subjects.quiet import quiet
from bench.subjects.subject import FOREIGN, SUBJECTS, Subject
from bench.truth.audited import confirm, exact_values
from bench.truth.exact import Exact
from bench.truth.reference import Cache
from numerics import FORMATS, FP32, OPERATIONS
from numerics.method import arguments

SPECIAL = ("all -inf", "plus inf", "nan", "special among ordinary")
"""Cases of rows with NaN, +inf or nothing but -inf, where docs/contracts.md decides."""
CONFIDENT = "confident"
BATCH_BYTES = 2**18
ROUNDS, SECONDS = 15, 0.15
"""At most so many rounds for each timing, and so long."""
FEW_SHAPES = 3
_MISSED = SURVIVAL_THRESHOLDS.index(256.0)

Key: TypeAlias = tuple[Case, str]
Truth: TypeAlias = Mapping[tuple[str, str], dict[str, Exact]]


def measure(
    subjects: Sequence[Subject], cache: Cache, track: Track, case_seconds: float = CASE_SECONDS
) -> list[Verdict]:
    """A verdict on each subject; exact values come from the cache, or are computed in all cores."""
    cases = sorted(at_effort(EFFORT), key=_by_urgency)
    keys = [(case, name) for case in cases for name in FORMATS if name in case.formats]
    jobs = [(case.batches(FORMATS[name]), name) for case, name in keys]
    workers = os.cpu_count() or 1
    found = exact_values(jobs, cache, workers)
    truth = {
        (keys[index][0].name, keys[index][1]): exact
        for index, exact in track(found, len(jobs), "exact values")
    }
    verdicts, records = [], []
    for subject in subjects:
        tracked = track(
            _records(subject, keys, truth, case_seconds), len(keys), f"{subject.name}: errors"
        )
        measured = dict(tracked)
        records += [record for key in measured for record in measured[key]]
        verdicts.append(_verdict(subject, keys, measured, track))
    asked = confirmation.asked(records, truth)
    list(track(confirm(asked, cache, workers), len(asked), "audit of the largest"))
    return verdicts


def _by_urgency(case: Case) -> tuple[bool, bool, int]:
    shapes = len(case.batches(FP32))
    telling = case.name == CONFIDENT or case.family in ("special", "random")
    return shapes > FEW_SHAPES, not telling, shapes


def _verdict(
    subject: Subject,
    keys: Sequence[Key],
    measured: Mapping[tuple[str, str], Sequence[Record]],
    track: Track,
) -> Verdict:
    records = [record for key in measured for record in measured[key]]
    cells = [_cell(subject, operation, name, records) for operation, name in _pairs()]
    formats = {cell.format for cell in cells if cell.offered}
    offered = [(cell.operation, cell.format) for cell in cells if cell.max_ulp is not None]
    shapes = [(*pair, columns) for pair in offered for columns in COLUMNS]
    with quiet():
        bits = [m for name in FORMATS if name in formats for m in _bits(subject, name)]
    timed = track(_speeds(subject, shapes), len(shapes), f"{subject.name}: speed")
    return Verdict(
        subject.name,
        subject.version,
        cells,
        bits,
        [speed for speed in timed if speed is not None],
        _left_out([(case.name, name) for case, name in keys if (case.name, name) not in measured]),
    )


def _left_out(keys: Sequence[tuple[str, str]]) -> list[str]:
    formats: dict[str, list[str]] = {}
    for case, name in keys:
        formats.setdefault(case, []).append(name)
    return [
        case if len(names) == len(FORMATS) else f"{case} ({', '.join(names)})"
        for case, names in formats.items()
    ]


def _pairs() -> list[tuple[str, str]]:
    return [(operation, name) for operation in OPERATIONS for name in FORMATS]


def _bits(subject: Subject, format_name: str) -> list[Invariance]:
    return invariance.measure(subject, FORMATS[format_name])


# --- Errors --------------------------------------------------------------------------------------


def _records(
    subject: Subject, keys: Sequence[Key], truth: Truth, seconds: float
) -> Iterator[tuple[tuple[str, str], list[Record]]]:
    """The records of each case and format, for as long as there is time.

    Where labels are out of range, cross-entropy is left alone: nothing is asked of a subject there.
    """
    end = time.perf_counter() + seconds
    for case, name in keys:
        if time.perf_counter() > end:
            return
        exact = truth[case.name, name]
        operations = [op for op in OPERATIONS if op in exact and subject.offers(op, name)]
        with quiet():
            records = [
                accuracy.measure(subject, op, case, FORMATS[name], exact) for op in operations
            ]
        yield (case.name, name), records


def _cell(subject: Subject, operation: str, format_name: str, records: Sequence[Record]) -> Cell:
    if not subject.offers(operation, format_name):
        refusal = subject.refused.get((operation, format_name))
        return Cell(operation, format_name, False, [refusal] if refusal else [])
    mine = [r for r in records if (r.operation, r.format) == (operation, format_name)]
    special = [r for r in mine if r.case in SPECIAL]
    others = [r for r in mine if r.case not in SPECIAL]
    worst = max(others, key=_size, default=None)
    failed = next((r for r in others if _failures([r])), None)
    return Cell(
        operation=operation,
        format=format_name,
        offered=True,
        messages=list(dict.fromkeys(r.message for r in mine if r.message)),
        elements=_elements(others),
        misrounded=sum(r.summary.misrounded for r in others if r.summary),
        ordinary_ulp=_max_ulp([r for r in others if r.family == "random"]),
        confident_ulp=_max_ulp([r for r in others if r.case == CONFIDENT]),
        max_ulp=_max_ulp(others),
        worst=_witness(worst, "largest") if worst else None,
        failures=_failures([*others, *(r for r in special if r.summary is None)]),
        failed=_witness(failed, "worst") if failed else None,
        special_missed=_missed(special),
        special_elements=_elements(special),
    )


def _size(record: Record) -> float:
    ulp = record.summary.max_ulp if record.summary else None
    return -1.0 if ulp is None else ulp


def _max_ulp(records: Sequence[Record]) -> float | None:
    largest = max(map(_size, records), default=-1.0)
    return None if largest < 0 else largest


def _elements(records: Sequence[Record]) -> int:
    return sum(record.summary.elements for record in records if record.summary)


def _missed(records: Sequence[Record]) -> int:
    """Outputs that are failures, or so far off that they are another value."""
    curves = [record.summary.survival for record in records if record.summary]
    return sum(curve[_MISSED] for curve in curves if len(curve) > _MISSED)


def _failures(records: Sequence[Record]) -> dict[str, int]:
    """How many of each kind; kinds that did not happen are left out."""
    summaries = [record.summary for record in records if record.summary]
    counts = {
        "NaN": sum(s.nan_failures for s in summaries),
        "infinite": sum(s.infinity_failures for s in summaries),
        "lost to zero": sum(s.lost_to_zero for s in summaries),
        "not infinite": sum(s.missed_special for s in summaries),
    }
    for record in records:
        if record.summary is None:
            counts[record.outcome] = counts.get(record.outcome, 0) + 1
    return {kind: count for kind, count in counts.items() if count}


def _witness(record: Record, which: str) -> Witness | None:
    found = record.largest or record.worst if which == "largest" else record.worst
    return Witness(case=record.case, **found) if found else None


# --- Speed ---------------------------------------------------------------------------------------


def _speeds(subject: Subject, shapes: Sequence[tuple[str, str, int]]) -> Iterator[Speed | None]:
    for operation, format_name, columns in shapes:
        with quiet():
            yield _speed(subject, operation, format_name, columns)


def _speed(subject: Subject, operation: str, format_name: str, columns: int) -> Speed | None:
    """None where the subject raises."""
    dtype = FORMATS[format_name].dtype
    rows = BATCH_BYTES // dtype.itemsize // columns
    rng = np.random.default_rng(SEED)
    x = rng.normal(scale=3.0, size=(rows, columns)).astype(dtype)
    labels = rng.integers(0, columns, size=rows)
    given = arguments(operation, x, labels)
    raced = {"subject": subject, "stable": SUBJECTS["stable"], "fast": SUBJECTS["fast"]}
    calls: dict[str, timing.Call] = {
        name: partial(one.functions[operation], *given) for name, one in raced.items()
    }
    try:
        seconds = timing.interleaved(calls, ROUNDS, SECONDS)
    except FOREIGN:
        return None
    cell = timing.Cell(operation, format_name, 0, rows, columns, seconds)
    ratios = [cell.ratio("subject", to) for to in ("stable", "fast")]
    return Speed(operation, format_name, columns, cell.ns_per_element("subject"), *ratios)
