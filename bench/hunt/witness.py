"""The worst outputs that a hunt reports: of a row alone, certified, and confirmed by mpmath."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.hunt.domains import DOMAINS
from bench.hunt.island import Island
from bench.hunt.numbers import Runs, as_runs
from bench.hunt.score import Aim, ratios
from bench.inputs.cases import Batch
from bench.measure.metrics import exact_hex
from bench.subjects.subject import Subject
from bench.sweep.chunk import called
from bench.sweep.summary import compared
from bench.truth import audit, certified

CONFIRMED = 3
"""Rows of an island and a domain of which the worst is chosen, each of them called alone."""


@dataclass(frozen=True)
class Witness:
    """An output of a row and its error; `ratio` is error / bound, where a bound is claimed."""

    domain: str
    row: Runs
    label: int
    column: int
    got: str
    exact: str
    ulp: float
    ratio: float | None

    def size(self, goal: str) -> float:
        """What was searched for."""
        return self.ulp if goal == "ulp" else self.ratio or 0.0

    def as_json(self) -> dict[str, Any]:
        """What JSON can say."""
        return asdict(self)


def reported(subject: Subject, aim: Aim, islands: Sequence[Island]) -> list[Witness]:
    """The worst output of each domain; DisagreementError where mpmath says something else."""
    found = []
    for number, domain in enumerate(DOMAINS):
        rows = [
            (herd.x[k : k + 1], herd.labels[k : k + 1])
            for herd in (island.herds[number] for island in islands)
            for k in range(min(CONFIRMED, len(herd.x)))
        ]
        witnesses = [measured(subject, aim, Batch(*row), domain.name) for row in rows]
        if witnesses:
            worst = max(range(len(rows)), key=lambda k: witnesses[k].size(aim.goal))
            confirm(aim, Batch(*rows[worst]))
            found.append(witnesses[worst])
    return found


def measured(subject: Subject, aim: Aim, batch: Batch, domain: str) -> Witness:
    """The worst output of one row."""
    exact = certified.evaluate(aim.operation, batch.x, batch.labels, aim.format)
    got = called(subject, aim.operation, batch)
    ulp = compared(got, exact, aim.format).ulp
    bound, ratio = subject.bounds.get(aim.operation), None
    if bound is not None:
        ratio = ratios(bound, aim, batch, got, exact)
    sizes = ulp if aim.goal == "ulp" or ratio is None else ratio
    at = int(np.where(np.isfinite(ulp), sizes, -1.0).argmax())
    return Witness(
        domain=domain,
        row=as_runs(batch.x[0]),
        label=int(batch.labels[0]),
        column=at,
        got=float(got.ravel()[at]).hex(),
        exact=exact_hex(exact, at),
        ulp=float(ulp[at]) if math.isfinite(ulp[at]) else -1.0,
        ratio=None if ratio is None else float(ratio[at]),
    )


def confirm(aim: Aim, batch: Batch) -> None:
    """Ask mpmath about a row."""
    exact = certified.evaluate(aim.operation, batch.x, batch.labels, aim.format)
    audit.audit(batch.x, batch.labels, {aim.operation: exact}, aim.format, np.arange(1))
