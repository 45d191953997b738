"""Rounding-error bounds: one function per method and operation, each with its theorem.

Every function takes `RowFacts` and returns, for each output, a bound on the *absolute* error in
units of u:

    |computed - exact| <= u * bound

Infinity means that the theorem claims nothing there (overflow, for the unshifted formulas).

The theorems are those of Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and
softmax functions", IMA J. Numer. Anal. 41 (2021), doi:10.1093/imanum/draa038, in componentwise
form and with these refinements:

- *Their exp and log err by at most u.* NumPy's do not: `facts.ELEMENTARY` says by how much.
- *Their sum is sequential*, n - 1 roundings. NumPy's is pairwise: `facts.summation_depth`.
- *max - min* is the worst case of m - x_i; here each exponential pays its own m - x_i, and the
  denominator their average weighted by the exponentials.
- *First order in u.* Here (1 + u)^T <= e^(Tu) is kept whole (`compounded`), since u = 2^-11 is not
  small.
- *No underflow.* Here a result below the smallest normal number may err by half the spacing of
  subnormal numbers, which is u * smallest_normal.

So for example `stable_softmax` has the published n + 2 + 2R, R = max - min, as its worst case when
exp errs by u and the sum is sequential.
"""

from __future__ import annotations

import math

import numpy as np

from numerics.facts import (
    ELEMENTARY,
    FP32_IN_FP16,
    Array,
    RowFacts,
    compounded,
    on_sums,
    summation_depth,
)
from numerics.formats import FP16, FP32, FP64, Format
from numerics.online import BLOCK
from numerics.two_pass import LN2, REACH

# --- Steps that formulas share --------------------------------------------------------------------


def _relative(exact: Array, roundings: Array, format: Format) -> Array:
    """exact * compounded(roundings), 0 where the exact value is 0."""
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        return np.where(exact > 0, exact * compounded(roundings, format), 0.0)


def _underflow(rows: RowFacts, function: float) -> Array:
    """Error of sum_j exp(x_j - m) >= 1 by terms below the smallest normal number.

    Such a term errs by up to function * u * smallest_normal, absolutely; -inf gives exactly 0.
    """
    shortfall = np.maximum(rows.format.smallest_normal - rows.shifted_exp, 0)
    lost = np.where(np.isfinite(rows.gap), shortfall, 0).sum(axis=1, keepdims=True)
    return np.asarray(function * lost, dtype=np.float64)


def _depth(rows: RowFacts, count: int) -> float:
    """Roundings of a sum of `count` terms by `rows.row_sum`."""
    return summation_depth(count) * on_sums(rows.format)[1]


def _quotient(rows: RowFacts, term: Array, total: Array) -> Array:
    """term / total, rounded: the division is one rounding, in fp16 two (fp32, then fp16).

    A numerator below the smallest normal number has lost digits, and so has such a quotient.
    """
    division = 1 + (FP32_IN_FP16 if rows.format == FP16 else 0.0)
    floor = (ELEMENTARY[rows.format.name].exp + 1) * rows.format.smallest_normal
    return _relative(rows.softmax, term + total + division, rows.format) + floor


def _log_of(rows: RowFacts, total: Array, log: float) -> Array:
    """Error of the computed logarithm of a sum: the sum's relative error, and that of log."""
    u = rows.format.unit_roundoff
    argument = total / (1 - u)
    return np.asarray(argument + log * (rows.log_sum + u * argument), dtype=np.float64)


def _final_rounding(exact: Array, before: Array, format: Format) -> Array:
    """Error after the last addition: what went in, plus one rounding of what came out."""
    magnitude = np.where(np.isfinite(exact), np.abs(exact), 0.0)
    with np.errstate(over="ignore"):
        return magnitude + (1 + format.unit_roundoff) * before + format.smallest_normal


# --- stable ---------------------------------------------------------------------------------------


def _shifted_exp(rows: RowFacts) -> Array:
    """Roundings in exp(x_i - m): m - x_i for the shift, and exp itself, but exp(0) = 1 is exact."""
    return rows.gap + np.where(rows.gap > 0, ELEMENTARY[rows.format.name].exp, 0.0)


def _shifted_sum(rows: RowFacts) -> Array:
    """Roundings in sum_j exp(x_j - m): those of each term by its weight, underflow, summation."""
    lost = _underflow(rows, ELEMENTARY[rows.format.name].exp)
    return rows.mean(_shifted_exp(rows)) + lost + _depth(rows, rows.x.shape[1])


def _stable_log(rows: RowFacts) -> Array:
    return _log_of(rows, _shifted_sum(rows), on_sums(rows.format)[0].log)


def stable_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / sum_j exp(x_j - m).

    Roundings: those of the numerator, those of the sum, and 1 for the division (in fp16 once
    more, to round). At most n + 2 + 2R when exp errs by u and the sum is sequential:
    Blanchard, Higham & Higham (2021), theorem on Algorithm 3.2 with shift.
    """
    return _quotient(rows, _shifted_exp(rows), _shifted_sum(rows))


def stable_log_sum_exp(rows: RowFacts) -> Array:
    """m + log sum_j exp(x_j - m): |y| for the addition, and the error of the logarithm.

    The relative bound of Blanchard, Higham & Higham (2021) divides this by |y|; near y = 0 only
    the absolute one says anything.
    """
    return _final_rounding(rows.log_sum_exp, _stable_log(rows), rows.format)[:, 0]


def stable_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log sum_j exp(x_j - m): shift, logarithm, and the last subtraction.

    Absolute: of a result far below 1 it may leave no digit, and on confident rows it does.
    """
    return _final_rounding(rows.surprise, rows.gap + _stable_log(rows), rows.format)


def stable_cross_entropy(rows: RowFacts) -> Array:
    """log_sum_exp(x) - x_y: the error of log_sum_exp, and the last subtraction."""
    before = stable_log_sum_exp(rows)
    return _final_rounding(rows.at_label(rows.surprise), before, rows.format)


# --- log1p ----------------------------------------------------------------------------------------


def _others_error(rows: RowFacts) -> Array:
    """Error of r, over 1 + r: each of its terms errs as in `stable`, relative to r itself."""
    depth = _depth(rows, rows.x.shape[1])
    terms = _relative(rows.other_exp, _shifted_exp(rows) + depth, rows.format)
    lost = _underflow(rows, ELEMENTARY[rows.format.name].exp)
    error = terms.sum(axis=1, keepdims=True) + lost
    return np.asarray(error / (1 + rows.others), dtype=np.float64)


def _log1p(rows: RowFacts) -> Array:
    """Error of log1p(r): r's, times the derivative 1/(1 + r), and log1p's own.

    The derivative is taken at the end of the interval where it is larger.
    """
    u = rows.format.unit_roundoff
    error = _others_error(rows)
    argument = error / np.maximum(1 - u * error, u)
    log1p = on_sums(rows.format)[0].log1p
    return np.asarray(argument + log1p * (rows.log_sum + u * argument), dtype=np.float64)


def log1p_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / (1 + r): as `stable_softmax`, and one rounding for 1 + r."""
    total = _others_error(rows) + on_sums(rows.format)[1]
    return _quotient(rows, _shifted_exp(rows), total)


def log1p_log_sum_exp(rows: RowFacts) -> Array:
    """m + log1p(r): |y + n - x_min|/|y| in Blanchard, Higham & Higham (2021), theorem 4.2.

    Times |y|, and componentwise.
    """
    return _final_rounding(rows.log_sum_exp, _log1p(rows), rows.format)[:, 0]


def log1p_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log1p(r): both terms have one sign, so this is a relative bound."""
    return _final_rounding(rows.surprise, rows.gap + _log1p(rows), rows.format)


def log1p_cross_entropy(rows: RowFacts) -> Array:
    """log1p(r) + (m - x_y): as log1p_log_softmax, at the label."""
    return rows.at_label(log1p_log_softmax(rows))


# --- division_free --------------------------------------------------------------------------------


def division_free_softmax(rows: RowFacts) -> Array:
    """exp(x_i - y): the absolute error of y and of the subtraction become relative ones, and exp.

    Blanchard, Higham & Higham (2021), theorem 4.3: 1 + max |x_j - y| + |y + n - x_min|.
    """
    of_y = stable_log_sum_exp(rows)[:, np.newaxis]
    exp = ELEMENTARY[rows.format.name].exp
    with np.errstate(over="ignore"):
        roundings = (1 + rows.format.unit_roundoff) * of_y + rows.surprise + exp
    floor = exp * rows.format.smallest_normal
    return _relative(rows.softmax, roundings, rows.format) + floor


def division_free_log_softmax(rows: RowFacts) -> Array:
    """x_i - y: the error of y, and the subtraction."""
    of_y = stable_log_sum_exp(rows)[:, np.newaxis]
    return _final_rounding(rows.surprise, of_y, rows.format)


division_free_log_sum_exp = stable_log_sum_exp


def division_free_cross_entropy(rows: RowFacts) -> Array:
    """log_sum_exp(x) - x_y: as division_free_log_softmax, at the label."""
    return rows.at_label(division_free_log_softmax(rows))


# --- online ---------------------------------------------------------------------------------------


def _online_sum(rows: RowFacts) -> Array:
    """As `_shifted_sum`, and what the running maximum costs.

    The differences of running maxima add up to m - x_j, so the shift costs no more than in
    `stable`. Each block that raises the maximum costs an exp and a product, every block an
    addition, and a rescaling that underflows may lose smallest_normal of what was summed.
    """
    count = rows.x.shape[1]
    edges = range(0, count, BLOCK)
    tops = np.stack([rows.x[:, a : a + BLOCK].max(axis=1) for a in edges], axis=1)
    running = np.maximum.accumulate(tops, axis=1)
    rises = (running[:, 1:] > running[:, :-1]).sum(axis=1, keepdims=True)
    exp, unit = ELEMENTARY[rows.format.name].exp, on_sums(rows.format)[1]
    rescaling = rises * (exp + unit + exp * count * rows.format.smallest_normal)
    depth = _depth(rows, min(count, BLOCK)) + unit * (len(edges) - 1)
    lost = _underflow(rows, exp)
    return np.asarray(rows.mean(_shifted_exp(rows)) + rescaling + lost + depth, dtype=np.float64)


def _online_log(rows: RowFacts) -> Array:
    return _log_of(rows, _online_sum(rows), on_sums(rows.format)[0].log)


def online_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / s."""
    return _quotient(rows, _shifted_exp(rows), _online_sum(rows))


def online_log_sum_exp(rows: RowFacts) -> Array:
    """m + log s."""
    return _final_rounding(rows.log_sum_exp, _online_log(rows), rows.format)[:, 0]


def online_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log s."""
    return _final_rounding(rows.surprise, rows.gap + _online_log(rows), rows.format)


def online_cross_entropy(rows: RowFacts) -> Array:
    """(m + log s) - x_y."""
    before = online_log_sum_exp(rows)
    return _final_rounding(rows.at_label(rows.surprise), before, rows.format)


# --- base2 ----------------------------------------------------------------------------------------


def _base2_exp(rows: RowFacts) -> Array:
    """Roundings in exp2((x_i - m) log2 e): shift, constant and product err by (m - x_i) u each."""
    with np.errstate(over="ignore"):
        argument = 3 * (1 + 2 * rows.format.unit_roundoff) * rows.gap
    return argument + np.where(rows.gap > 0, ELEMENTARY[rows.format.name].exp2, 0.0)


def _base2_sum(rows: RowFacts) -> Array:
    lost = _underflow(rows, ELEMENTARY[rows.format.name].exp2)
    depth = _depth(rows, rows.x.shape[1])
    return np.asarray(rows.mean(_base2_exp(rows)) + lost + depth, dtype=np.float64)


def _base2_log(rows: RowFacts) -> Array:
    """log2(s) ln 2: log2, the constant and the product."""
    elementary, unit = on_sums(rows.format)
    return _log_of(rows, _base2_sum(rows), elementary.log2 + 2 * unit)


def base2_softmax(rows: RowFacts) -> Array:
    """exp2((x_i - m) log2 e) / s: as `stable_softmax`, with three times the gaps."""
    return _quotient(rows, _base2_exp(rows), _base2_sum(rows))


def base2_log_sum_exp(rows: RowFacts) -> Array:
    """m + log2(s) ln 2."""
    return _final_rounding(rows.log_sum_exp, _base2_log(rows), rows.format)[:, 0]


def base2_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log2(s) ln 2; here the shift is rounded once, as in `stable`."""
    return _final_rounding(rows.surprise, rows.gap + _base2_log(rows), rows.format)


def base2_cross_entropy(rows: RowFacts) -> Array:
    """(m + log2(s) ln 2) - x_y."""
    before = base2_log_sum_exp(rows)
    return _final_rounding(rows.at_label(rows.surprise), before, rows.format)


# --- two_pass -------------------------------------------------------------------------------------


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
    depth = _depth(rows, rows.x.shape[1])
    return np.asarray(rows.mean(_two_pass_exp(rows)) + lost + depth, dtype=np.float64)


def _two_pass_log(rows: RowFacts) -> Array:
    """Error of shift + (N high + (N low + log s)) before the last addition.

    |log s| is at most that of sum_j exp(x_j - m), and 0.4 for the mantissa of exp(m).
    """
    elementary, unit = on_sums(rows.format)
    within = np.abs(rows.shift) <= REACH[rows.format.name]
    wide = FP32 if rows.format == FP16 else rows.format
    n_low = 1.45 * abs(LN2[wide.name][1]) * (np.where(within, np.abs(rows.shift), 0) + 1)
    argument = _two_pass_sum(rows) / (1 - rows.format.unit_roundoff)
    log = rows.log_sum + 0.4
    inner = elementary.log * log + unit * (log + 3 * n_low)
    outer = np.where(within, 0.0, unit * log)
    return np.asarray(argument + inner + outer, dtype=np.float64)


def two_pass_softmax(rows: RowFacts) -> Array:
    """(a_i / s) 2^(n_i - N): as `naive_softmax`, with the reduction, and without overflow."""
    return _quotient(rows, _two_pass_exp(rows), _two_pass_sum(rows))


def two_pass_log_sum_exp(rows: RowFacts) -> Array:
    """shift + (N ln 2 + log s)."""
    return _final_rounding(rows.log_sum_exp, _two_pass_log(rows), rows.format)[:, 0]


def two_pass_log_softmax(rows: RowFacts) -> Array:
    """x_i - y: the error of y, rounded, and the subtraction."""
    unit = on_sums(rows.format)[1]
    of_y = (1 + unit) * _two_pass_log(rows) + unit * np.abs(rows.log_sum_exp)
    return _final_rounding(rows.surprise, of_y, rows.format)


def two_pass_cross_entropy(rows: RowFacts) -> Array:
    """y - x_y: as two_pass_log_softmax, at the label."""
    return rows.at_label(two_pass_log_softmax(rows))


# --- compensated ----------------------------------------------------------------------------------

PAIR = 0.1
"""Relative error of a pair in `compensated`, in units of u.

exp(r) = 1 + r + r^2/2 + r^3 s: the first three terms are exact but for products of errors. The
last is at most 0.0079 and errs by 5 roundings in r^3 s and the additions to the tail, and by 0.01 u
for the terms left out: 0.06 u in all, over 0.7. Sums of pairs add depth^2 u^2.
"""


def _in_pairs(rows: RowFacts) -> tuple[Array, Array]:
    """Relative errors of 1 + r, and of log1p(r) with its Newton step: for small r relative to it.

    The estimate's own error enters squared, and vanishes. Terms that underflow are lost.
    """
    lost = _underflow(rows, 1.0) / (1 + rows.others)
    of_sum = PAIR + lost
    small = rows.others < 0.41
    of_log = np.where(small, 3 * PAIR * rows.log_sum, 3 * PAIR)
    of_log = np.where(np.abs(rows.others - 0.4) < 0.01, 3 * PAIR, of_log)
    return of_sum, np.asarray(of_log + 2 * lost, dtype=np.float64)


def compensated_softmax(rows: RowFacts) -> Array:
    """a / (1 + r) 2^n: two pairs, the remainder of the quotient, and one rounding."""
    if rows.format == FP16:
        return _rounded_once(rows.softmax, compensated_softmax(_widen(rows)), rows)
    roundings = 1 + 2 * PAIR + _in_pairs(rows)[0]
    floor = 2 * rows.format.smallest_normal
    return _relative(rows.softmax, roundings, rows.format) + floor


def compensated_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log1p(r): exact, a pair, and one rounding."""
    if rows.format == FP16:
        return _rounded_once(rows.surprise, compensated_log_softmax(_widen(rows)), rows)
    return _final_rounding(rows.surprise, _in_pairs(rows)[1], rows.format)


def compensated_log_sum_exp(rows: RowFacts) -> Array:
    """m + log1p(r): exact, a pair, and one rounding."""
    if rows.format == FP16:
        exact = rows.log_sum_exp[:, 0]
        return _rounded_once(exact, compensated_log_sum_exp(_widen(rows)), rows)
    return _final_rounding(rows.log_sum_exp, _in_pairs(rows)[1], rows.format)[:, 0]


def compensated_cross_entropy(rows: RowFacts) -> Array:
    """log1p(r) + (m - x_y): as compensated_log_softmax, at the label."""
    return rows.at_label(compensated_log_softmax(rows))


# --- widened --------------------------------------------------------------------------------------


def _widen(rows: RowFacts) -> RowFacts:
    """The same rows in the next wider format."""
    wide = FP32 if rows.format == FP16 else FP64
    return RowFacts(rows.original.astype(wide.dtype), wide, rows.labels)


def _rounded_once(exact: Array, wide_bound: Array, rows: RowFacts) -> Array:
    """A bound in the wider format, in units of its u, and one rounding to the narrow one.

    Rounding an error into a result costs u times the result, which the first may have moved.
    """
    ratio = _widen(rows).format.unit_roundoff / rows.format.unit_roundoff
    return _final_rounding(exact, wide_bound * ratio, rows.format)


def widened_softmax(rows: RowFacts) -> Array:
    """log1p_softmax in the wider format, rounded once."""
    return _rounded_once(rows.softmax, log1p_softmax(_widen(rows)), rows)


def widened_log_softmax(rows: RowFacts) -> Array:
    """log1p_log_softmax in the wider format, rounded once."""
    return _rounded_once(rows.surprise, log1p_log_softmax(_widen(rows)), rows)


def widened_log_sum_exp(rows: RowFacts) -> Array:
    """log1p_log_sum_exp in the wider format, rounded once."""
    return _rounded_once(rows.log_sum_exp[:, 0], log1p_log_sum_exp(_widen(rows)), rows)


def widened_cross_entropy(rows: RowFacts) -> Array:
    """log1p_cross_entropy in the wider format, rounded once."""
    exact = rows.at_label(rows.surprise)
    return _rounded_once(exact, log1p_cross_entropy(_widen(rows)), rows)


# --- naive ----------------------------------------------------------------------------------------


def _underflowing_exp(rows: RowFacts) -> tuple[Array, Array]:
    """Roundings in exp(x_i), and in sum_j exp(x_j); infinite where exp underflows to nothing.

    Below the smallest normal number exp errs by exp * u * smallest_normal, absolutely.
    """
    exp = ELEMENTARY[rows.format.name].exp
    log_tiny = math.log(rows.format.smallest_normal)
    with np.errstate(over="ignore", under="ignore"):
        term = exp * np.exp(np.maximum(log_tiny - rows.x, 0))
        relative_floor = np.exp(log_tiny - rows.log_sum_exp)
        total = exp * np.maximum(rows.softmax, relative_floor).sum(axis=1, keepdims=True)
    return term, total + summation_depth(rows.x.shape[1])


def _unless_overflow(rows: RowFacts, bound: Array) -> Array:
    """The bound, or infinity where a term or the sum may overflow, and on special rows."""
    largest = math.log(rows.format.largest)
    _, total = _underflowing_exp(rows)
    slack = total * rows.format.unit_roundoff
    overflow = (rows.log_sum_exp + slack > largest) | (rows.shift > rows.format.exp_overflow)
    return np.where(rows.special | overflow, math.inf, bound)


def naive_softmax(rows: RowFacts) -> Array:
    """exp(x_i) / sum_j exp(x_j): n + 3 when exp errs by u and the sum is sequential.

    Roundings: exp + those of the sum + 1 (division). Blanchard, Higham & Higham (2021), the
    unshifted case.
    """
    term, total = _underflowing_exp(rows)
    bound = _relative(rows.softmax, term + total + 1, rows.format) + rows.format.smallest_normal
    return _unless_overflow(rows, bound)


def naive_log_sum_exp(rows: RowFacts) -> Array:
    """log sum_j exp(x_j): relative 1 + (n + 1)/|y| when exp and log err by u."""
    u = rows.format.unit_roundoff
    _, total = _underflowing_exp(rows)
    argument = total / (1 - u)
    with np.errstate(over="ignore"):
        logarithm = ELEMENTARY[rows.format.name].log * (np.abs(rows.log_sum_exp) + u * argument)
    return _unless_overflow(rows, argument + logarithm + rows.format.smallest_normal)[:, 0]


def naive_log_softmax(rows: RowFacts) -> Array:
    """log of the naive softmax: its relative error rho becomes -log(1 - rho), and log adds its own.

    Nothing is claimed where the softmax may have lost all digits (rho >= 1).
    """
    u = rows.format.unit_roundoff
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rho = u * naive_softmax(rows) / rows.softmax
        argument = np.where(rho < 1, -np.log1p(-np.minimum(rho, 1)) / u, math.inf)
    log = ELEMENTARY[rows.format.name].log
    bound = argument + log * (rows.surprise + u * argument) + rows.format.smallest_normal
    return np.where(np.isnan(bound), math.inf, bound)


def naive_cross_entropy(rows: RowFacts) -> Array:
    """-log of the naive softmax at the label: as `naive_log_softmax`."""
    return rows.at_label(naive_log_softmax(rows))
