"""misrounded: how many results of `exact`, and of SciPy, are not the nearest number; their times.

Two counts: on fresh rows, a million or more of each format, and on rows directed at where a
correctly rounded function is likely to be wrong. In processes of a few hundred rows at a time.
Needs minutes; what it finds is kept in results/misrounded.json and shown in docs/exact.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.inputs import directed
from bench.inputs.cases import Batch
from bench.inputs.formats import FORMATS
from bench.measure import race, timing
from bench.measure.timing import Cell
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.runs.track import Track
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth import audit, audited
from bench.truth.exact import Exact
from bench.truth.reference import children_deaf_to_ctrl_c, compute
from numerics import METHODS, OPERATIONS, Format
from numerics.method import arguments

ROWS_OF_A_JOB = 500
LENGTHS = (2, 3, 5)
MEBIBYTES = 2
LONG_EVERY = 10
"""One job in so many has a long directed row: exact values of 262,145 logits take a second."""
KINDS = ("fresh", "directed")
WITNESSES = 20
"""Misrounded outputs of `exact` that are kept whole. None is known."""


@dataclass(frozen=True)
class Job:
    """Some rows to draw and to judge: a stream of random numbers of its own."""

    kind: str
    format: str
    seed: int
    number: int


@dataclass(frozen=True)
class Found:
    """Outputs and misrounded ones by subject, operation and format, and witnesses in hex."""

    outputs: dict[str, int]
    misrounded: dict[str, int]
    witnesses: list[str]


def rows_of(job: Job) -> list[Batch]:
    """The rows of a job, in batches as they are to be passed."""
    format = FORMATS[job.format]
    rng = np.random.default_rng([job.seed, job.number, *job.format.encode()])
    if job.kind == "fresh":
        return [_fresh(job, format, rng)]
    turn, rest = divmod(job.number, LONG_EVERY)
    long = None if rest else directed.LONG[turn % len(directed.LONG)]
    return directed.batches(format, rng, ROWS_OF_A_JOB, long)


def _fresh(job: Job, format: Format, rng: np.random.Generator) -> Batch:
    """Logits of all scales; some rows are confident, some are masked."""
    length = LENGTHS[job.number % len(LENGTHS)]
    scale = 2.0 ** rng.uniform(-6, 8, size=(ROWS_OF_A_JOB, 1))
    x = rng.normal(size=(ROWS_OF_A_JOB, length)) * scale
    confident = rng.random(ROWS_OF_A_JOB) < 0.2
    x[confident, 0] += rng.uniform(5, 60, size=int(confident.sum()))
    x[rng.random(ROWS_OF_A_JOB) < 0.05, -1] = -np.inf
    return Batch(x.astype(format.dtype), rng.integers(0, length, ROWS_OF_A_JOB))


def judge(job: Job) -> Found:
    """Count what is not the nearest number; a zero of the wrong sign is not, in `exact`."""
    format, batches = FORMATS[job.format], rows_of(job)
    exact = _truth(job, batches, format)
    outputs: Counter[str] = Counter()
    misrounded: Counter[str] = Counter()
    witnesses: list[str] = []
    for subject in _subjects():
        for operation in OPERATIONS:
            if not subject.offers(operation, job.format):
                continue
            got = [_got(subject, operation, batch) for batch in batches]
            flat, truth = np.concatenate([part.ravel() for part in got]), exact[operation]
            wrong = flat != truth.rounded(format)
            if subject.name == "exact":
                wrong |= (flat == 0) & (np.signbit(flat) != np.signbit(truth.fraction))
            key = f"{subject.name} {operation} {job.format}"
            outputs[key] += flat.size
            misrounded[key] += int(np.count_nonzero(wrong))
            if subject.name == "exact" and wrong.any():
                witnesses += _witnesses(key, batches, got, wrong)
    return Found(dict(outputs), dict(misrounded), witnesses)


def _truth(job: Job, batches: list[Batch], format: Format) -> dict[str, Exact]:
    """Of directed rows by mpmath: they are hard for the stages that the oracle has from `exact`.

    Of fresh rows by the oracle; mpmath audits a sample of them, and what is beside a midpoint.
    """
    if job.kind == "directed":
        return compute(batches, format)
    (batch,), found = batches, audited.of((batches, job.format))
    rows = set(audit.sample(len(batch.x), batch.x.shape[1], [job.seed, job.number]).tolist())
    for exact in found.values():
        width = exact.significand.size // len(batch.x)
        rows.update((audit.delicate(exact, format) // width).tolist())
    audit.audit(batch.x, batch.labels, found, format, np.array(sorted(rows), np.intp))
    return found


def _subjects() -> list[Subject]:
    try:
        return [SUBJECTS["exact"], libraries.load("scipy").subject()]
    except PeerMissingError:
        return [SUBJECTS["exact"]]


def _got(subject: Subject, operation: str, batch: Batch) -> Any:
    with np.errstate(all="ignore"):
        return subject.functions[operation](*arguments(operation, batch.x, batch.labels))


def _witnesses(key: str, batches: list[Batch], got: list[Any], wrong: Any) -> Iterator[str]:
    """Each wrong output with its row in hex, if that can be read."""
    start = 0
    for batch, part in zip(batches, got, strict=True):
        for at in np.flatnonzero(wrong[start : start + part.size]).tolist():
            row = batch.x[at // (part.size // len(batch.x))]
            logits = [float(v).hex() for v in row[:20]] + ["..."] * (row.size > 20)
            yield f"{key}: {logits}, output {at}: {float(part.flat[at]).hex()}"
        start += part.size


def measure(
    rows: Mapping[str, int], seed: int, rounds: int, formats: Sequence[str], track: Track
) -> tuple[dict[str, Found], list[Cell]]:
    """Time first, then judge so many rows of each kind and format, or a few more, on all cores.

    NumPy's formats are timed.

    Raises PeerMissingError without SciPy.
    """
    timed = [cell for cell in race.cells([MEBIBYTES]) if cell[0] in OPERATIONS[:2]]
    cells = list(track(times(timed, rounds), len(timed), "timing"))
    found = {}
    for kind in KINDS:
        numbers = range(-(-rows[kind] // ROWS_OF_A_JOB))
        jobs = [Job(kind, name, seed, number) for number in numbers for name in formats]
        found[kind] = added(list(track(_judged(jobs), len(jobs), f"judging {kind} rows")))
    return found, cells


def _judged(jobs: Sequence[Job]) -> Iterator[Found]:
    pool = ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn"))
    try:
        with children_deaf_to_ctrl_c():
            parts = pool.map(judge, jobs, chunksize=8)
        yield from parts
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def added(parts: Sequence[Found]) -> Found:
    """All counts together."""
    outputs: Counter[str] = Counter()
    misrounded: Counter[str] = Counter()
    for part in parts:
        outputs.update(part.outputs)
        misrounded.update(part.misrounded)
    witnesses = [witness for part in parts for witness in part.witnesses]
    return Found(dict(outputs), dict(misrounded), witnesses[:WITNESSES])


def times(wanted: Sequence[tuple[str, str, int, int]], rounds: int) -> Iterator[Cell]:
    """`exact` and SciPy on the same array, in turn; cells as of `race.cells`."""
    scipy = libraries.load("scipy")
    for operation, format_name, size, columns in wanted:
        x = race.logits(format_name, size, columns)
        raced = {
            "exact": getattr(METHODS["exact"], operation),
            "scipy": scipy.operations[operation],
        }
        calls: dict[str, timing.Call] = {
            name: partial(function, x) for name, function in raced.items()
        }
        yield Cell(operation, format_name, size, len(x), columns, timing.interleaved(calls, rounds))


def content(found: Mapping[str, Found], cells: Sequence[Cell], seed: int) -> dict[str, Any]:
    """What the file holds."""
    return {
        "environment": environment(),
        "scipy": libraries.load("scipy").version,
        "seed": seed,
        "counts": {kind: asdict(found[kind]) for kind in KINDS},
        "cells": [asdict(cell) for cell in cells],
    }


def load(path: Path) -> tuple[dict[str, Found], list[Cell], str]:
    """Counts by kind of rows, times and where they were found; RunFileError for any other file."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        environment = file["environment"]
        made = f"NumPy {environment['numpy']}, SciPy {file['scipy']}"
        cells = [Cell(**cell) for cell in file["cells"]]
        found = {kind: Found(**file["counts"][kind]) for kind in KINDS}
        return found, cells, f"{made}, seed {file['seed']}"
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise RunFileError(f"{path}: not a file of `bench misrounded` ({error})") from None
