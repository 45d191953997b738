"""Bounds of fast: unshifted where the kernel does not shift, and sums in its own order."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from numerics.bounds.precise import widen
from numerics.bounds.steps import final_rounding, relative, underflow
from numerics.facts import ELEMENTARY, Array, RowFacts, summation_depth
from numerics.fast.kernels import FEW, SHORT, range_of
from numerics.formats import FP16, FP32, FP64, Format

EDGE = 1e-3
"""How close to a threshold a sum has to be for the computed one to be on its other side."""


def _depth(length: int) -> int:
    """Roundings of `kernels.row_sums`, at most.

    One by one; by np.einsum, four at least at a time, or in several partial sums that are joined;
    by np.add.reduce, pairwise.
    """
    if length <= FEW:
        return length - 1
    return length // 4 + 6 if length <= SHORT else summation_depth(length)


# --- Softmax ------------------------------------------------------------------------------------


def unshifted(rows: RowFacts) -> npt.NDArray[np.bool_]:
    """Rows that `kernels.softmax` surely does not shift, shape (rows, 1).

    >>> import numpy as np
    >>> from numerics.formats import FP32
    >>> x = np.array([[1, 2], [100, 99], [-1, -2], [-90, -1]], np.float32)
    >>> unshifted(RowFacts(x, FP32, np.zeros(4, np.intp))).ravel()
    array([ True, False,  True, False])
    """
    limits = range_of(rows.format.dtype)
    low, high = math.log(limits.smallest) + EDGE, math.log(limits.largest) - EDGE
    smallest = rows.x.min(axis=1, keepdims=True)
    normal = (rows.log_sum_exp > low) | (smallest >= limits.working.exp_underflow)
    return np.asarray(normal & (rows.log_sum_exp < high) & ~rows.special, dtype=np.bool_)


def _softmax_theorem(rows: RowFacts, kept: npt.NDArray[np.bool_], of: Format) -> Array:
    """exp twice, those of the sum, and the quotient (a product in fp64); `kept` rows pay no shift.

    `rows` in the working format of results in format `of`.
    A subnormal term of a sum from 1/2 on belongs to a result that errs by twice as much. What such
    terms lose of the sum, 2 exp K smallest_normal, is nothing beside 2 exp, in fp64.
    """
    exp = ELEMENTARY[rows.format.name].exp
    shift = np.where(kept, 0.0, rows.gap + rows.mean(rows.gap) + underflow(rows, exp))
    quotient = 2 if of == FP64 else 1
    roundings = 2 * exp + _depth(rows.x.shape[1]) + quotient + shift
    return relative(rows.softmax, roundings, rows.format) + 2 * (exp + 1) * (
        rows.format.smallest_normal
    )


def fast_softmax(rows: RowFacts) -> Array:
    """exp(x_i) / s, or with a shift; 16 bits in fp32, rounded once.

    Unshifted 2 exp + n roundings of a sum one by one, where Blanchard, Higham & Higham (2021) have
    n + 3 when exp errs by u.
    """
    if rows.format.bits == 16:
        return _narrowed(rows.softmax, _softmax_theorem(widen(rows), unshifted(rows), FP32), rows)
    return _softmax_theorem(rows, unshifted(rows), rows.format)


def _narrowed(exact: Array, wide_bound: Array, rows: RowFacts) -> Array:
    """One rounding to 16 bits; to fp16 of what a product by 2^-112 rounded to multiples of 2^-37.

    What is half-way between two numbers of fp16 then may go up instead of to even.
    """
    ratio = widen(rows).format.unit_roundoff / rows.format.unit_roundoff
    lost = 2.0**-38 / rows.format.unit_roundoff if rows.format == FP16 else 0.0
    before = wide_bound * ratio + lost
    return final_rounding(exact, before, rows.format)


def fast_cross_entropy_gradient(rows: RowFacts) -> Array:
    """As `fast_softmax`, and t / s at the label: t, a sum of other terms, pays what s pays.

    If t errs by D u and s by E u, then t / s errs by (D + E t / s) u over the computed s: algebra,
    to no order. The quotient is rounded once, and 16 bits in fp32.
    """
    if rows.format.bits == 16:
        wide = _at_label(widen(rows), unshifted(rows))
        at_label = _narrowed(rows.at_label(rows.gradient), wide, rows)
    else:
        at_label = _at_label(rows, unshifted(rows))
    return rows.with_label(fast_softmax(rows), at_label)


def _at_label(rows: RowFacts, kept: npt.NDArray[np.bool_]) -> Array:
    """Error of t / s; an unshifted sum is 1/2 at least, so a subnormal term errs by twice that."""
    exp, depth, u = (
        ELEMENTARY[rows.format.name].exp,
        _depth(rows.x.shape[1]),
        rows.format.unit_roundoff,
    )
    smallest, finite = rows.format.smallest_normal, np.isfinite(rows.gap)
    subnormal = np.count_nonzero(finite & (rows.softmax < 2 * smallest), axis=1)
    lost = np.where(kept, 2 * exp * smallest * subnormal[:, np.newaxis], underflow(rows, exp))[:, 0]
    roundings = exp + depth + np.where(kept, 0.0, rows.gap)
    of_others, of_all = (
        relative(terms / (1 + rows.others), roundings, rows.format).sum(axis=1) + lost
        for terms in (rows.without_label, rows.shifted_exp)
    )
    share = rows.at_label(rows.gradient)
    error = (of_others + of_all * share) / np.maximum(1 - u * of_all, u)
    return final_rounding(share, error, rows.format)


# --- Logarithms ---------------------------------------------------------------------------------


def _log_sum(rows: RowFacts) -> Array:
    """Error of log1p(r): of r, whose terms err by their gaps, exp and additions, and of log1p."""
    elementary, u = ELEMENTARY[rows.format.name], rows.format.unit_roundoff
    depth = _depth(rows.x.shape[1])
    lost = underflow(rows, elementary.exp)
    terms = relative(rows.other_exp, rows.gap + elementary.exp + depth, rows.format)
    error = (terms.sum(axis=1, keepdims=True) + lost) / (1 + rows.others)
    argument = error / np.maximum(1 - u * error, u)
    return np.asarray(argument + elementary.log1p * (rows.log_sum + u * argument), dtype=np.float64)


def fast_log_sum_exp(rows: RowFacts) -> Array:
    """m + log1p(r): as `log1p_log_sum_exp`; 16 bits in fp32, rounded once."""
    exact = rows.log_sum_exp[:, 0]
    if rows.format.bits == 16:
        return _narrowed(exact, fast_log_sum_exp(widen(rows)), rows)
    return final_rounding(rows.log_sum_exp, _log_sum(rows), rows.format)[:, 0]


def fast_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log1p(r): as `log1p_log_softmax`, relative; 16 bits in fp32, rounded once."""
    if rows.format.bits == 16:
        return _narrowed(rows.surprise, fast_log_softmax(widen(rows)), rows)
    return final_rounding(rows.surprise, rows.gap + _log_sum(rows), rows.format)


def fast_cross_entropy(rows: RowFacts) -> Array:
    """log1p(r) + (m - x_y): as fast_log_softmax, at the label."""
    return rows.at_label(fast_log_softmax(rows))
