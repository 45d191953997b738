"""Measured errors against the bound that a subject claims for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.measure import metrics
from bench.measure.metrics import Errors
from bench.runs.records import Claim
from bench.truth.exact import Exact
from numerics.facts import Bound, RowFacts
from numerics.formats import Format

Figures: TypeAlias = npt.NDArray[np.float64]


def claim_of(
    bound: Bound, facts: Sequence[RowFacts], parts: Sequence[Exact], compared: Sequence[Errors]
) -> Claim:
    """The claim of an operation on all batches of a case."""
    bounds = [bound(rows).ravel() for rows in facts]
    error, limit, in_ulp = _joined(bounds, facts, parts, compared)
    claimed = np.isfinite(limit)
    ratio = _ratio(error, limit)
    at = int(ratio.argmax())
    ulp = np.concatenate([errors.ulp for errors in compared])
    broken = claimed & (error > limit)
    widths = np.repeat(
        [rows.x.shape[1] for rows in facts], [errors.ulp.size for errors in compared]
    )
    return Claim(
        ratio=float(ratio[at]),
        ulp=float(ulp[at]) if claimed[at] else 0.0,
        bound_ulp=float(in_ulp[at]) if claimed[at] else 0.0,
        claimed=int(claimed.sum()),
        broken=int(broken.sum()),
        broken_widths=tuple(sorted(set(widths[broken].tolist()))),
    )


def ratios(bound: Bound, facts: RowFacts, exact: Exact, errors: Errors) -> Figures:
    """Error / bound of each output of a batch; 0 where nothing is claimed or no error is finite."""
    error, limit = _comparable(errors, bound(facts).ravel(), exact, facts.format)
    return _ratio(error, limit)


def _ratio(error: Figures, limit: Figures) -> Figures:
    measured = np.isfinite(limit) & np.isfinite(error) & (limit > 0)
    with np.errstate(over="ignore"):
        ratio = np.divide(error, limit, out=np.zeros_like(error), where=measured)
    return np.minimum(ratio, metrics.LARGEST)


def _joined(
    bounds: Sequence[Figures],
    facts: Sequence[RowFacts],
    parts: Sequence[Exact],
    compared: Sequence[Errors],
) -> tuple[Figures, Figures, Figures]:
    """Error, bound in the same unit, and bound in ulps, of all outputs."""
    sides = [
        (*_comparable(errors, bound, part, rows.format), _in_ulp(bound, part, rows.format))
        for errors, bound, part, rows in zip(compared, bounds, parts, facts, strict=True)
    ]
    error, limit, in_ulp = (np.concatenate(side) for side in zip(*sides, strict=True))
    return error, limit, in_ulp


def _comparable(
    errors: Errors, bound: Figures, exact: Exact, format: Format
) -> tuple[Figures, Figures]:
    """Error and bound in units of u, both scaled down where they are too large for fp64."""
    scale = np.where(exact.exponent > 800, -1000, 0)
    with np.errstate(over="ignore"):
        from_ulp = np.ldexp(errors.ulp, exact.exponent + format.precision + scale)
        countable = (errors.ulp < metrics.LARGEST) | np.isinf(errors.ulp)
        from_absolute = np.ldexp(errors.absolute, format.precision + scale)
        return np.where(countable, from_ulp, from_absolute), np.ldexp(bound, scale)


def _in_ulp(bound: Figures, exact: Exact, format: Format) -> Figures:
    """A bound in units of u, on the absolute error, in ulps of the exact values."""
    with np.errstate(over="ignore"):
        limit = np.ldexp(bound, -format.precision - exact.exponent)
    return np.minimum(limit, metrics.LARGEST)
