"""misrounded: how many results of `exact`, and of SciPy, are not the nearest number; their times.

Fresh rows, a million or more of each format, in processes of a few hundred at a time. Needs
minutes; what it finds is kept in results/misrounded.json and shown in docs/exact.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.inputs.cases import Batch
from bench.measure import race, timing
from bench.measure.timing import Cell
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.subjects.peers import libraries
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth import audit, audited
from bench.truth.reference import children_deaf_to_ctrl_c
from numerics import FORMATS, METHODS, OPERATIONS, Format

if TYPE_CHECKING:
    from bench.judge.verdict import Track

ROWS_OF_A_JOB = 500
LENGTHS = (2, 3, 5)
MEBIBYTES = 2
WITNESSES = 20
"""Misrounded outputs of `exact` that are kept whole. None is known."""


@dataclass(frozen=True)
class Job:
    """Some rows to draw and to judge: a stream of random numbers of its own."""

    format: str
    seed: int
    number: int


@dataclass(frozen=True)
class Found:
    """Outputs and misrounded ones by subject, operation and format, and witnesses in hex."""

    outputs: dict[str, int]
    misrounded: dict[str, int]
    witnesses: list[str]


def rows_of(job: Job) -> Batch:
    """Logits of all scales; some rows are confident, some are masked."""
    format = FORMATS[job.format]
    rng = np.random.default_rng([job.seed, job.number, *job.format.encode()])
    length = LENGTHS[job.number % len(LENGTHS)]
    scale = 2.0 ** rng.uniform(-6, 8, size=(ROWS_OF_A_JOB, 1))
    x = rng.normal(size=(ROWS_OF_A_JOB, length)) * scale
    confident = rng.random(ROWS_OF_A_JOB) < 0.2
    x[confident, 0] += rng.uniform(5, 60, size=int(confident.sum()))
    x[rng.random(ROWS_OF_A_JOB) < 0.05, -1] = -np.inf
    return Batch(x.astype(format.dtype), rng.integers(0, length, ROWS_OF_A_JOB))


def judge(job: Job) -> Found:
    """Count what is not the nearest number, by an oracle that mpmath audits.

    It is asked about a sample, about all outputs beside a midpoint, and about what `exact` misses.
    """
    format, batch = FORMATS[job.format], rows_of(job)
    exact = audited.of(([batch], job.format))
    asked = set(audit.sample(ROWS_OF_A_JOB, batch.x.shape[1], [job.seed, job.number]).tolist())
    outputs: Counter[str] = Counter()
    misrounded: Counter[str] = Counter()
    witnesses = []
    for subject in _subjects():
        for operation in OPERATIONS:
            if not subject.offers(operation, job.format):
                continue
            got, truth = _got(subject, operation, batch), exact[operation].rounded(format)
            width = got.size // len(batch.x)
            asked.update((audit.delicate(exact[operation], format) // width).tolist())
            wrong = np.flatnonzero(got.ravel() != truth)
            key = f"{subject.name} {operation} {job.format}"
            outputs[key] += got.size
            misrounded[key] += wrong.size
            if subject.name == "exact":
                asked.update((wrong // width).tolist())
                witnesses += [_witness(key, batch, int(at), got, format) for at in wrong]
    audit.audit(batch.x, batch.labels, exact, format, np.array(sorted(asked)))
    return Found(dict(outputs), dict(misrounded), witnesses)


def _subjects() -> list[Subject]:
    try:
        return [SUBJECTS["exact"], libraries.load("scipy").subject()]
    except libraries.PeerMissingError:
        return [SUBJECTS["exact"]]


def _got(subject: Subject, operation: str, batch: Batch) -> Any:
    arguments = (batch.x, batch.labels) if operation == "cross_entropy" else (batch.x,)
    with np.errstate(all="ignore"):
        return subject.functions[operation](*arguments)


def _witness(key: str, batch: Batch, at: int, got: Any, format: Format) -> str:
    row = batch.x[at // (got.size // len(batch.x))]
    return f"{key}: {[float(v).hex() for v in row]}, output {at}: {float(got.flat[at]).hex()}"


def measure(rows: int, seed: int, rounds: int, track: Track) -> tuple[Found, list[Cell]]:
    """Time first, then judge so many rows of each format, or a few more, on all cores.

    Raises PeerMissingError without SciPy.
    """
    timed = [cell for cell in race.cells([MEBIBYTES]) if cell[0] in OPERATIONS[:2]]
    cells = list(track(times(timed, rounds), len(timed), "timing"))
    numbers = range(-(-rows // ROWS_OF_A_JOB))
    jobs = [Job(name, seed, number) for number in numbers for name in FORMATS]
    return added(list(track(_judged(jobs), len(jobs), "judging"))), cells


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


def content(found: Found, cells: Sequence[Cell], seed: int) -> dict[str, Any]:
    """What the file holds."""
    return {
        "environment": environment(),
        "scipy": libraries.load("scipy").version,
        "seed": seed,
        "counts": asdict(found),
        "cells": [asdict(cell) for cell in cells],
    }


def load(path: Path) -> tuple[Found, list[Cell], str]:
    """Counts, times and where they were found; RunFileError for any other file."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        environment = file["environment"]
        made = f"NumPy {environment['numpy']}, SciPy {file['scipy']}"
        cells = [Cell(**cell) for cell in file["cells"]]
        return Found(**file["counts"]), cells, f"{made}, seed {file['seed']}"
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise RunFileError(f"{path}: not a file of `bench misrounded` ({error})") from None
