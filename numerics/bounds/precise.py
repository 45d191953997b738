"""Bounds of the methods that leave little more than the last rounding, or nothing more."""

from __future__ import annotations

import numpy as np

from numerics.bounds.shifted import (
    log1p_cross_entropy,
    log1p_cross_entropy_gradient,
    log1p_log_softmax,
    log1p_log_sum_exp,
    log1p_softmax,
)
from numerics.bounds.steps import final_rounding, relative
from numerics.facts import Array, RowFacts
from numerics.formats import FP32, FP64

# --- compensated --------------------------------------------------------------------------------


PAIR = 0.1
"""Relative error of a pair in `compensated`, in units of u.

exp(r) = 1 + r + r^2/2 + r^3 s: the first three terms are exact but for products of errors. The
last is at most 0.0079 and errs by 5 roundings in r^3 s and the additions to the tail, and by 0.01 u
for the terms left out: 0.06 u in all, over 0.7. Sums of pairs add depth^2 u^2.
"""


def _in_pairs(rows: RowFacts) -> tuple[Array, Array]:
    """Relative errors of 1 + r, and of log1p(r) with its Newton step: for small r relative to it.

    The estimate's own error enters squared, and vanishes. Near 0.4 the computed r may be on either
    side of it. r is added up relative to its largest term; what underflows beside that, and the
    rounding of an r below the smallest normal number, are within u * smallest_normal each.
    """
    lost = 2 * rows.format.smallest_normal / (1 + rows.others)
    of_sum = PAIR + lost
    of_log = 3 * PAIR * np.where(rows.others < 0.39, rows.log_sum, 1.0)
    return of_sum, np.asarray(of_log + 2 * lost, dtype=np.float64)


def compensated_softmax(rows: RowFacts) -> Array:
    """a / (1 + r) 2^n: two pairs, the remainder of the quotient, and one rounding."""
    if rows.format.bits == 16:
        return rounded_once(rows.softmax, compensated_softmax(widen(rows)), rows)
    roundings = 1 + 2 * PAIR + _in_pairs(rows)[0]
    floor = 2 * rows.format.smallest_normal
    return relative(rows.softmax, roundings, rows.format) + floor


def compensated_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log1p(r): exact, a pair, and one rounding."""
    if rows.format.bits == 16:
        return rounded_once(rows.surprise, compensated_log_softmax(widen(rows)), rows)
    return final_rounding(rows.surprise, _in_pairs(rows)[1], rows.format)


def compensated_log_sum_exp(rows: RowFacts) -> Array:
    """m + log1p(r): exact, a pair, and one rounding."""
    if rows.format.bits == 16:
        exact = rows.log_sum_exp[:, 0]
        return rounded_once(exact, compensated_log_sum_exp(widen(rows)), rows)
    return final_rounding(rows.log_sum_exp, _in_pairs(rows)[1], rows.format)[:, 0]


def compensated_cross_entropy(rows: RowFacts) -> Array:
    """log1p(r) + (m - x_y): as compensated_log_softmax, at the label."""
    return rows.at_label(compensated_log_softmax(rows))


def compensated_cross_entropy_gradient(rows: RowFacts) -> Array:
    """(a / (t + e_y)) 2^n, and t / (t + e_y) at the label: pairs, the remainder, and one rounding.

    The sum t + e_y errs as 1 + r does, and t by a pair; what underflows of t is 0 beside e_y = 1.
    """
    if rows.format.bits == 16:
        return rounded_once(rows.gradient, compensated_cross_entropy_gradient(widen(rows)), rows)
    roundings = 1 + 3 * PAIR + _in_pairs(rows)[0]
    floor = 2 * rows.format.smallest_normal
    return relative(rows.gradient, roundings, rows.format) + floor


# --- widened ------------------------------------------------------------------------------------


def widen(rows: RowFacts) -> RowFacts:
    """The same rows in the next wider format."""
    wide = FP32 if rows.format.bits == 16 else FP64
    return RowFacts(rows.original.astype(wide.dtype), wide, rows.labels)


def rounded_once(exact: Array, wide_bound: Array, rows: RowFacts) -> Array:
    """A bound in the wider format, in units of its u, and one rounding to the narrow one.

    Rounding an error into a result costs u times the result, which the first may have moved.
    """
    ratio = widen(rows).format.unit_roundoff / rows.format.unit_roundoff
    return final_rounding(exact, wide_bound * ratio, rows.format)


def widened_softmax(rows: RowFacts) -> Array:
    """log1p_softmax in the wider format, rounded once."""
    return rounded_once(rows.softmax, log1p_softmax(widen(rows)), rows)


def widened_log_softmax(rows: RowFacts) -> Array:
    """log1p_log_softmax in the wider format, rounded once."""
    return rounded_once(rows.surprise, log1p_log_softmax(widen(rows)), rows)


def widened_log_sum_exp(rows: RowFacts) -> Array:
    """log1p_log_sum_exp in the wider format, rounded once."""
    return rounded_once(rows.log_sum_exp[:, 0], log1p_log_sum_exp(widen(rows)), rows)


def widened_cross_entropy(rows: RowFacts) -> Array:
    """log1p_cross_entropy in the wider format, rounded once."""
    exact = rows.at_label(rows.surprise)
    return rounded_once(exact, log1p_cross_entropy(widen(rows)), rows)


def widened_cross_entropy_gradient(rows: RowFacts) -> Array:
    """log1p_cross_entropy_gradient in the wider format, rounded once."""
    return rounded_once(rows.gradient, log1p_cross_entropy_gradient(widen(rows)), rows)


# --- exact --------------------------------------------------------------------------------------


def _half_an_ulp(exact: Array, rows: RowFacts, doubt: Array | float = 0.0) -> Array:
    """ulp(exact) / 2 = u 2^e, e the exponent of the exact value.

    That is known here in fp64 only, so within 2^-30 of a power of two, or within `doubt`, the
    larger binade counts.
    """
    with np.errstate(over="ignore"):
        largest = np.minimum(np.abs(exact) * (1 + 2.0**-30) + doubt, FP64.largest)
    binade = np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 0.0)
    return np.asarray(np.maximum(binade, rows.format.smallest_normal), dtype=np.float64)


def exact_softmax(rows: RowFacts) -> Array:
    """Correct rounding."""
    return _half_an_ulp(rows.softmax, rows)


def exact_log_softmax(rows: RowFacts) -> Array:
    """Correct rounding."""
    return _half_an_ulp(rows.surprise, rows)


def exact_log_sum_exp(rows: RowFacts) -> Array:
    """Correct rounding; fp64 is in doubt where m and log1p(r) cancel."""
    doubt = (np.abs(rows.shift) + rows.log_sum) * 2.0**-48
    return _half_an_ulp(rows.log_sum_exp, rows, doubt)[:, 0]


def exact_cross_entropy(rows: RowFacts) -> Array:
    """Correct rounding."""
    return rows.at_label(exact_log_softmax(rows))


def exact_cross_entropy_gradient(rows: RowFacts) -> Array:
    """Correct rounding."""
    return _half_an_ulp(rows.gradient, rows)
