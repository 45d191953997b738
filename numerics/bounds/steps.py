"""Steps that the bounds of several methods share: sum, quotient, logarithm, last rounding."""

from __future__ import annotations

import numpy as np

from numerics.facts import (
    ELEMENTARY,
    Array,
    RowFacts,
    before_narrowing,
    compounded,
    on_a_logarithm,
    on_sums,
    summation_depth,
)
from numerics.formats import Format


def relative(exact: Array, roundings: Array, format: Format) -> Array:
    """exact * compounded(roundings), 0 where the exact value is 0."""
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        return np.where(exact > 0, exact * compounded(roundings, format), 0.0)


def underflow(rows: RowFacts, function: float) -> Array:
    """Error of sum_j exp(x_j - m) >= 1 by terms below the smallest normal number.

    Such a term errs by up to function * u * smallest_normal, absolutely; -inf gives exactly 0.
    An error x of the sum is a factor of at most 1/(1 - x), see `facts.compounded`.
    """
    shortfall = np.maximum(rows.format.smallest_normal - rows.shifted_exp, 0)
    lost = np.where(np.isfinite(rows.gap), shortfall, 0).sum(axis=1, keepdims=True)
    error = function * lost
    return np.asarray(error / (1 - rows.format.unit_roundoff * error), dtype=np.float64)


def sum_depth(rows: RowFacts, count: int) -> float:
    """Roundings of a sum of `count` terms by `rows.row_sum`."""
    return summation_depth(count) * on_sums(rows.format)[1]


def quotient(rows: RowFacts, term: Array, total: Array) -> Array:
    """term / total, rounded: the division is one rounding, in 16 bits two (fp32, then those).

    A numerator below the smallest normal number has lost digits, and so has such a quotient.
    """
    division = 1 + before_narrowing(rows.format)
    floor = (ELEMENTARY[rows.format.name].exp + 1) * rows.format.smallest_normal
    return relative(rows.softmax, term + total + division, rows.format) + floor


def log_of(rows: RowFacts, total: Array, log: float) -> Array:
    """Error of the computed logarithm of a sum: what its roundings add to it, and log's own."""
    u = rows.format.unit_roundoff
    argument = on_a_logarithm(total, rows.format)
    return np.asarray(argument + log * (rows.log_sum + u * argument), dtype=np.float64)


def final_rounding(exact: Array, before: Array, format: Format) -> Array:
    """Error after the last addition: what went in, plus one rounding of what came out."""
    magnitude = np.where(np.isfinite(exact), np.abs(exact), 0.0)
    with np.errstate(over="ignore"):
        return magnitude + (1 + format.unit_roundoff) * before + format.smallest_normal


def less_one(rows: RowFacts, of_softmax: Array) -> Array:
    """p_i, and p_y - 1 at the label: the error of p_y, and the subtraction; 16 bits have two.

    Absolute: where p_y is near 1 the subtraction is exact, but what p_y errs by, units of u, may be
    all that it leaves.
    """
    rest = rows.at_label(rows.gradient)
    narrowed = before_narrowing(rows.format) * rest
    subtracted = final_rounding(rest, rows.at_label(of_softmax) + narrowed, rows.format)
    return rows.with_label(of_softmax, subtracted)
