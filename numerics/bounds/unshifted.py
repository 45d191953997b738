"""Bounds of the methods that exponentiate the logits themselves: naive, and two_pass in reach."""

from __future__ import annotations

import math

import numpy as np

from numerics.bounds.steps import final_rounding, less_one, quotient, relative, sum_depth
from numerics.facts import (
    ELEMENTARY,
    Array,
    RowFacts,
    on_a_logarithm,
    on_sums,
    summation_depth,
)
from numerics.formats import BF16, FP32
from numerics.two_pass import LN2, REACH

# --- naive --------------------------------------------------------------------------------------


def _underflowing_exp(rows: RowFacts) -> tuple[Array, Array]:
    """Roundings in exp(x_i), and in sum_j exp(x_j).

    Below the smallest normal number exp errs by exp * u * smallest_normal, absolutely; `lost` is
    that error of the whole sum, relative to it. 1/(1 - lost) <= e^(lost / (1 - lost)), and where
    half of the sum may be lost nothing is claimed.
    """
    exp, u = ELEMENTARY[rows.format.name].exp, rows.format.unit_roundoff
    log_tiny = math.log(rows.format.smallest_normal)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        term = exp * np.exp(np.maximum(log_tiny - rows.x, 0))
        shortfall = np.maximum(np.exp(log_tiny - rows.log_sum_exp) - rows.softmax, 0)
        shortfall = np.where(np.isfinite(rows.x), shortfall, 0)
        lost = u * exp * shortfall.sum(axis=1, keepdims=True)
        underflow = np.where(lost < 0.5, lost / (1 - lost) / u, math.inf)
    return term, exp + underflow + _naive_depth(rows)


def _naive_depth(rows: RowFacts) -> float:
    """Roundings of the sum: in the format, but those of bf16 in fp32, and one to bf16."""
    length = rows.x.shape[1]
    return sum_depth(rows, length) + 1 if rows.format == BF16 else summation_depth(length)


def _unless_overflow(rows: RowFacts, bound: Array) -> Array:
    """The bound, or infinity where a term or the sum may overflow, and on special rows."""
    largest = math.log(rows.format.largest)
    _, total = _underflowing_exp(rows)
    slack = total * rows.format.unit_roundoff
    overflow = (rows.log_sum_exp + slack > largest) | (rows.shift > rows.format.exp_overflow)
    return np.where(rows.special | overflow, math.inf, bound)


def naive_softmax(rows: RowFacts) -> Array:
    """exp(x_i) / sum_j exp(x_j): exp, those of the sum (exp and n - 1), and 1 for the division.

    n + 2 when exp errs by u and the sum is sequential; Blanchard, Higham & Higham (2021) have n + 3
    for the unshifted case.
    """
    term, total = _underflowing_exp(rows)
    bound = relative(rows.softmax, term + total + 1, rows.format) + rows.format.smallest_normal
    return _unless_overflow(rows, bound)


def naive_log_sum_exp(rows: RowFacts) -> Array:
    """log sum_j exp(x_j): relative 1 + (n + 1)/|y| when exp and log err by u."""
    u = rows.format.unit_roundoff
    _, total = _underflowing_exp(rows)
    argument = on_a_logarithm(total, rows.format)
    with np.errstate(over="ignore"):
        logarithm = ELEMENTARY[rows.format.name].log * (np.abs(rows.log_sum_exp) + u * argument)
    return _unless_overflow(rows, argument + logarithm + rows.format.smallest_normal)[:, 0]


def naive_log_softmax(rows: RowFacts) -> Array:
    """log of the naive softmax: its relative error rho becomes -log(1 - rho), and log adds its own.

    Nothing is claimed where the softmax may have lost all digits (rho >= 1).
    """
    u = rows.format.unit_roundoff
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rho = u * (naive_softmax(rows) / rows.softmax)  # no product that underflows
        argument = np.where(rho < 1, -np.log1p(-np.minimum(rho, 1)) / u, math.inf)
    log = ELEMENTARY[rows.format.name].log
    bound = argument + log * (rows.surprise + u * argument) + rows.format.smallest_normal
    return np.where(np.isnan(bound), math.inf, bound)


def naive_cross_entropy(rows: RowFacts) -> Array:
    """-log of the naive softmax at the label: as `naive_log_softmax`."""
    return rows.at_label(naive_log_softmax(rows))


def naive_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of naive_softmax, and of the subtraction."""
    return less_one(rows, naive_softmax(rows))


# --- two_pass -----------------------------------------------------------------------------------


def _two_pass_exp(rows: RowFacts) -> Array:
    """Roundings in a_i: exp, and the reduced argument t.

    x - n high is exact; n low errs by its constant and its product, |n low| u each, and t, which is
    below 0.4, by its last rounding. Beyond reach the shift is rounded, by the gap.
    """
    low = abs(LN2[rows.format.name][1])
    reach = REACH[rows.format.name]
    within = np.abs(rows.shift) <= reach
    distance = np.minimum(np.where(within, np.abs(rows.x), rows.gap), 2 * reach)
    reduction = 0.4 + 2 * low * (1.45 * distance + 1)
    shifting = np.where(within, 0.0, rows.gap)
    return np.asarray(shifting + reduction + ELEMENTARY[rows.format.name].exp, dtype=np.float64)


def _two_pass_sum(rows: RowFacts) -> Array:
    """Roundings in s: those of its terms, summation, and what ldexp rounds below normal numbers.

    There a term errs by u * smallest_normal, while s 2^N is at least 0.7 exp(m).
    """
    small = (rows.shifted_exp < 2 * rows.format.smallest_normal) & np.isfinite(rows.gap)
    lost = 1.5 * rows.format.smallest_normal * small.sum(axis=1, keepdims=True)
    depth = sum_depth(rows, rows.x.shape[1])
    return np.asarray(rows.mean(_two_pass_exp(rows)) + lost + depth, dtype=np.float64)


def _two_pass_log(rows: RowFacts) -> Array:
    """Error of shift + (N high + (N low + log s)) before the last addition.

    |log s| is at most that of sum_j exp(x_j - m), and 0.4 for the mantissa of exp(m). Beyond reach
    N = 0, and what is added to log s is 0. Taking m where y comes out below it only helps.
    """
    elementary, unit = on_sums(rows.format)
    within = np.abs(rows.shift) <= REACH[rows.format.name]
    wide = FP32 if rows.format.bits == 16 else rows.format
    n_low = 1.45 * abs(LN2[wide.name][1]) * (np.where(within, np.abs(rows.shift), 0) + 1)
    argument = on_a_logarithm(_two_pass_sum(rows), rows.format)
    log = rows.log_sum + 0.4
    inner = elementary.log * log + unit * (log + 3 * n_low)
    return np.asarray(argument + inner, dtype=np.float64)


def two_pass_softmax(rows: RowFacts) -> Array:
    """(a_i / s) 2^(n_i - N): as `naive_softmax`, with the reduction, and without overflow."""
    return quotient(rows, _two_pass_exp(rows), _two_pass_sum(rows))


def two_pass_log_sum_exp(rows: RowFacts) -> Array:
    """shift + (N ln 2 + log s)."""
    return final_rounding(rows.log_sum_exp, _two_pass_log(rows), rows.format)[:, 0]


def two_pass_log_softmax(rows: RowFacts) -> Array:
    """x_i - y: the error of y, rounded, and the subtraction."""
    unit = on_sums(rows.format)[1]
    of_y = (1 + unit) * _two_pass_log(rows) + unit * np.abs(rows.log_sum_exp)
    return final_rounding(rows.surprise, of_y, rows.format)


def two_pass_cross_entropy(rows: RowFacts) -> Array:
    """y - x_y: as two_pass_log_softmax, at the label."""
    return rows.at_label(two_pass_log_softmax(rows))


def two_pass_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of two_pass_softmax, and of the subtraction."""
    return less_one(rows, two_pass_softmax(rows))
