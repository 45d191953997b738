"""Exact values of cases: by the certified oracle, with some rows audited by mpmath.

mpmath's part is kept in its cache. `confirm` audits the rows that a result rests on: its maxima.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np

from bench.inputs.cases import Batch
from bench.inputs.formats import FORMATS
from bench.truth import audit, certified
from bench.truth.audit import Rows
from bench.truth.exact import Exact
from bench.truth.reference import Cache, Job, defined, references
from numerics.method import ELEMENTWISE

Chosen: TypeAlias = Sequence[Rows]
"""Rows of each batch."""


def exact_values(
    jobs: Sequence[Job], cache: Cache, workers: int
) -> Iterator[tuple[int, dict[str, Exact]]]:
    """Yield (index of the job, its exact values), each after mpmath has agreed on a sample.

    All that are `defined`, flat in the order of batches, rows and columns. DisagreementError, with
    the row in a file beside the cache.
    """
    chosen = [_sampled(batches) for batches, _ in jobs]
    parts = [_part(job, rows) for job, rows in zip(jobs, chosen, strict=True)]
    for index, truth in references(parts, cache, workers):
        found = of(jobs[index])
        _check(Asked(jobs[index], chosen[index], found), truth, cache.directory)
        yield index, found


@dataclass(frozen=True)
class Asked:
    """Rows of a job that mpmath is asked about, and what the oracle found for all of it."""

    job: Job
    chosen: Chosen
    found: Mapping[str, Exact]


def confirm(asked: Sequence[Asked], cache: Cache, workers: int) -> Iterator[int]:
    """Yield indices of what mpmath agrees with, as it does; DisagreementError otherwise."""
    parts = [_part(one.job, one.chosen) for one in asked]
    for index, truth in references(parts, cache, workers):
        _check(asked[index], truth, cache.directory)
        yield index


def of(job: Job) -> dict[str, Exact]:
    """What the oracle says of all operations of a job."""
    batches, format_name = job
    format = FORMATS[format_name]
    return {
        operation: _joined(
            [certified.evaluate(operation, batch.x, batch.labels, format) for batch in batches]
        )
        for operation in defined(batches)
    }


def _joined(parts: Sequence[Exact]) -> Exact:
    columns = zip(*((p.significand, p.fraction, p.exponent) for p in parts), strict=True)
    significand, fraction, exponent = (np.concatenate(column) for column in columns)
    return Exact(significand, fraction, exponent)


def _sampled(batches: Sequence[Batch]) -> Chosen:
    """A sample of all rows together."""
    ends = np.cumsum([0, *(len(batch.x) for batch in batches)])
    width = max(batch.x.shape[1] for batch in batches)
    at = audit.sample(int(ends[-1]), width)
    return [at[(at >= a) & (at < b)] - a for a, b in pairwise(ends)]


def _part(job: Job, chosen: Chosen) -> Job:
    batches, format_name = job
    pairs = zip(batches, chosen, strict=True)
    return [Batch(batch.x[at], batch.labels[at]) for batch, at in pairs if at.size], format_name


def _check(asked: Asked, truth: Mapping[str, Exact], beside: Path) -> None:
    batches, format = asked.job[0], FORMATS[asked.job[1]]
    found = {operation: _Parts(asked.found[operation]) for operation in truth}
    expected = {operation: _Parts(exact) for operation, exact in truth.items()}
    for batch, at in zip(batches, asked.chosen, strict=True):
        widths = {op: batch.x.shape[1] if op in ELEMENTWISE else 1 for op in truth}
        of_batch = {op: found[op].next(len(batch.x) * width) for op, width in widths.items()}
        of_truth = {op: expected[op].next(at.size * width) for op, width in widths.items()}
        audit.check(batch.x, batch.labels, of_batch, of_truth, format, at, beside / "disagreements")


class _Parts:
    """The outputs of one batch after the other."""

    def __init__(self, exact: Exact) -> None:
        self.exact, self.start = exact, 0

    def next(self, count: int) -> Exact:
        """So many outputs."""
        self.start += count
        return self.exact[slice(self.start - count, self.start)]
