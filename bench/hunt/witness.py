"""The worst outputs that a hunt reports: of a row alone, certified, and confirmed by mpmath."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.hunt.domains import DOMAINS
from bench.hunt.island import Herd, Island
from bench.hunt.numbers import Runs, as_runs
from bench.hunt.score import Aim, ratios
from bench.inputs.cases import Batch
from bench.measure.metrics import exact_hex
from bench.subjects.subject import Subject
from bench.sweep.chunk import called
from bench.sweep.summary import compared
from bench.truth import audit, certified

SHORT = 8
"""Rows up to this length have a witness for each length."""
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
    """The worst output of each domain, for each short length and for all longer rows together.

    DisagreementError where mpmath says something else.
    """
    groups = [[one] for one in islands if one.width <= SHORT]
    groups.append([one for one in islands if one.width > SHORT])
    return [
        witness
        for number, domain in enumerate(DOMAINS)
        for group in groups
        if (witness := _worst(subject, aim, [one.herds[number] for one in group], domain.name))
    ]


def _worst(subject: Subject, aim: Aim, herds: Sequence[Herd], domain: str) -> Witness | None:
    rows = [
        Batch(herd.x[k : k + 1], herd.labels[k : k + 1])
        for herd in herds
        for k in range(min(CONFIRMED, len(herd.x)))
    ]
    found = [(measured(subject, aim, row, domain), row) for row in rows]
    if not found:
        return None
    witness, row = max(found, key=lambda one: one[0].size(aim.goal))
    confirm(aim, row)
    return witness


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
