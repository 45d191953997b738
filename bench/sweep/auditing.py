"""Which rows of a chunk mpmath is asked about: a sample, those beside midpoints, the worst ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.inputs.cases import Batch
from bench.inputs.families import Family
from bench.truth import audit
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE

NEAR_AUDITED = 64
"""Outputs of an operation that are audited for that in a chunk, the first ones of all."""


@dataclass(frozen=True)
class _Row:
    x: FloatArray
    label: int
    exact: dict[str, Exact]


class Auditor:
    """Keeps what the oracle found for some rows of a chunk, until mpmath has confirmed it."""

    def __init__(self, family: Family, format: Format, number: int, rows: int) -> None:
        """For chunk `number` of a family in a format, with so many rows."""
        of_chunk = family.range(format, number, rows)
        self.format, self.rows = format, len(of_chunk)
        key = [number, *format.name.encode(), *family.name.encode()]
        self.sample = of_chunk.start + audit.sample(self.rows, family.width, key)
        self.near: dict[str, list[int]] = {}
        """By operation: how many outputs are next to a midpoint, and how many were audited."""
        self.count = 0
        self._kept: dict[int, _Row] = {}
        self._sure: set[int] = set()

    def keep(
        self, first: int, batch: Batch, exact: Mapping[str, Exact], witnesses: Sequence[int]
    ) -> None:
        """Rows of a block: those of the sample, beside midpoints, and that may be the worst."""
        sampled = self.sample[(self.sample >= first) & (self.sample < first + len(batch.x))]
        for operation, found in exact.items():
            width = batch.x.shape[1] if operation in ELEMENTWISE else 1
            at = audit.delicate(found, self.format)
            counts = self.near.setdefault(operation, [0, 0])
            chosen = at[: NEAR_AUDITED - counts[1]]
            counts[0] += at.size
            counts[1] += chosen.size
            self._sure.update((first + chosen // width).tolist())
        self._sure.update(sampled.tolist())
        inside = {row for row in self._sure if first <= row < first + len(batch.x)}
        for row in inside | set(witnesses):
            self._kept[row] = _row(row - first, batch, exact)

    def confirm(self, witnesses: Sequence[int]) -> None:
        """Ask mpmath; DisagreementError, with the row kept in a folder."""
        numbers = sorted(self._sure | set(witnesses))
        self.count = len(numbers)
        rows = [self._kept[number] for number in numbers]
        if not rows:
            return
        x, labels = np.stack([row.x for row in rows]), np.array([row.label for row in rows])
        found = {
            operation: _joined([row.exact[operation] for row in rows])
            for operation in rows[0].exact
        }
        audit.audit(x, labels, found, self.format, np.arange(len(rows)))


def _row(at: int, batch: Batch, exact: Mapping[str, Exact]) -> _Row:
    parts = {}
    for operation, found in exact.items():
        width = batch.x.shape[1] if operation in ELEMENTWISE else 1
        part = found[slice(at * width, (at + 1) * width)]
        parts[operation] = Exact(*(numbers.copy() for numbers in vars(part).values()))
    return _Row(batch.x[at].copy(), int(batch.labels[at]), parts)


def _joined(parts: Sequence[Exact]) -> Exact:
    return Exact(
        *(np.concatenate(column) for column in zip(*(vars(p).values() for p in parts), strict=True))
    )
