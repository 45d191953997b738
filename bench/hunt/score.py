"""How bad rows are: the largest error of each, or how near it comes to the bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.measure import claims, metrics
from bench.subjects.subject import Subject
from bench.sweep.chunk import called
from bench.sweep.summary import compared
from bench.truth import certified
from bench.truth.exact import Exact
from numerics.facts import Bound, RowFacts
from numerics.formats import FloatArray, Format

GOALS = ("ulp", "bound")
"""What is searched for: the largest error in ulp, or the largest error / bound."""

TO_THE_END = 2
"""Rows of a batch that the oracle's last stage is asked about, at most."""


@dataclass(frozen=True)
class Aim:
    """A cell, and what is searched for there."""

    operation: str
    format: Format
    goal: str = "ulp"


@dataclass(frozen=True)
class Scored:
    """Of each row its largest score, -1 where there is none, and at which output it is.

    `failures` counts outputs that are NaN or infinite: of finite logits, none has to be.
    """

    score: npt.NDArray[np.float64]
    column: npt.NDArray[np.intp]
    failures: int


def scored(subject: Subject, aim: Aim, batch: Batch, floor: float) -> Scored:
    """The score of each row.

    The oracle's quick stages judge first. Of the rows that they leave open, the best few that seem
    to be above `floor` are judged to the end, and the others have no score.
    """
    got = called(subject, aim.operation, batch)
    exact, sure = certified.estimate(aim.operation, batch.x, batch.labels, aim.format)
    found = _scored(subject, aim, batch, got, exact)
    open_rows = np.flatnonzero(~sure.reshape(len(batch.x), -1).all(axis=1))
    promising = open_rows[found.score[open_rows] > floor]
    promising = promising[np.argsort(-found.score[promising], kind="stable")[:TO_THE_END]]
    found.score[np.setdiff1d(open_rows, promising)] = -1.0
    if promising.size:
        part = Batch(batch.x[promising], batch.labels[promising])
        exact = certified.evaluate(aim.operation, part.x, part.labels, aim.format)
        surely = _scored(subject, aim, part, got[promising], exact)
        found.score[promising], found.column[promising] = surely.score, surely.column
    return found


def _scored(subject: Subject, aim: Aim, batch: Batch, got: FloatArray, exact: Exact) -> Scored:
    ulp = compared(got, exact, aim.format).ulp
    sizes = ulp
    if aim.goal == "bound":
        sizes = ratios(subject.bounds[aim.operation], aim, batch, got, exact)
    sizes = sizes.reshape(len(batch.x), -1)
    finite = np.where(np.isfinite(sizes), sizes, -1.0)
    failures = int(np.count_nonzero(~np.isfinite(got)))
    return Scored(finite.max(axis=1), finite.argmax(axis=1), failures)


def ratios(
    bound: Bound, aim: Aim, batch: Batch, got: FloatArray, exact: Exact
) -> npt.NDArray[np.float64]:
    """Error / bound of each output, 0 where nothing is claimed."""
    facts = RowFacts(batch.x, aim.format, batch.labels)
    errors = metrics.errors(got, exact, aim.format, got.size // len(batch.x))
    return claims.ratios(bound, facts, exact, errors)
