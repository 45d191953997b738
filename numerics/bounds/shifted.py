"""Bounds of the methods that subtract the largest logit, and pay for its rounding.

The rounding of x_i - m is a relative error of the exponential, (m - x_i) u.
"""

from __future__ import annotations

import numpy as np

from numerics.bounds.steps import (
    final_rounding,
    less_one,
    log_of,
    quotient,
    relative,
    sum_depth,
    underflow,
)
from numerics.facts import ELEMENTARY, Array, RowFacts, on_sums
from numerics.online import BLOCK

# --- What stable, online and base2 do with a shift and the logarithm of a sum ---------------------


def _log_sum_exp(rows: RowFacts, log: Array) -> Array:
    """m + log s, from the error of log s."""
    return final_rounding(rows.log_sum_exp, log, rows.format)[:, 0]


def _log_softmax(rows: RowFacts, log: Array) -> Array:
    """(x_i - m) - log s: the shift is rounded too."""
    return final_rounding(rows.surprise, rows.gap + log, rows.format)


def _cross_entropy(rows: RowFacts, log: Array) -> Array:
    """(m + log s) - x_y."""
    before = _log_sum_exp(rows, log)
    return final_rounding(rows.at_label(rows.surprise), before, rows.format)


# --- stable -------------------------------------------------------------------------------------


def _shifted_exp(rows: RowFacts) -> Array:
    """Roundings in exp(x_i - m): m - x_i for the shift, and exp itself, but exp(0) = 1 is exact."""
    return rows.gap + np.where(rows.gap > 0, ELEMENTARY[rows.format.name].exp, 0.0)


def _shifted_sum(rows: RowFacts) -> Array:
    """Roundings in sum_j exp(x_j - m): those of each term by its weight, underflow, summation."""
    lost = underflow(rows, ELEMENTARY[rows.format.name].exp)
    return rows.mean(_shifted_exp(rows)) + lost + sum_depth(rows, rows.x.shape[1])


def _stable_log(rows: RowFacts) -> Array:
    return log_of(rows, _shifted_sum(rows), on_sums(rows.format)[0].log)


def stable_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / sum_j exp(x_j - m).

    Roundings: those of the numerator, those of the sum, and 1 for the division (in 16 bits once
    more, to round). At most n + 2 + 2R when exp errs by u and the sum is sequential, which is the
    bound of Blanchard, Higham & Higham (2021) for the shifted quotient.
    """
    return quotient(rows, _shifted_exp(rows), _shifted_sum(rows))


def stable_log_sum_exp(rows: RowFacts) -> Array:
    """m + log sum_j exp(x_j - m): |y| for the addition, and the error of the logarithm.

    The relative bound of Blanchard, Higham & Higham (2021) divides this by |y|; near y = 0 only
    the absolute one says anything.
    """
    return _log_sum_exp(rows, _stable_log(rows))


def stable_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log sum_j exp(x_j - m): shift, logarithm, and the last subtraction.

    Absolute: of a result far below 1 it may leave no digit, and on confident rows it does.
    """
    return _log_softmax(rows, _stable_log(rows))


def stable_cross_entropy(rows: RowFacts) -> Array:
    """log_sum_exp(x) - x_y: the error of log_sum_exp, and the last subtraction."""
    return _cross_entropy(rows, _stable_log(rows))


def stable_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of stable_softmax, and of the subtraction."""
    return less_one(rows, stable_softmax(rows))


# --- log1p --------------------------------------------------------------------------------------


def _others_error(rows: RowFacts) -> Array:
    """Error of r, over 1 + r: each of its terms errs as in `stable`, relative to r itself."""
    depth = sum_depth(rows, rows.x.shape[1])
    terms = relative(rows.other_exp, _shifted_exp(rows) + depth, rows.format)
    lost = underflow(rows, ELEMENTARY[rows.format.name].exp)
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
    return quotient(rows, _shifted_exp(rows), total)


def log1p_log_sum_exp(rows: RowFacts) -> Array:
    """m + log1p(r): |y + n - x_min|/|y| in Blanchard, Higham & Higham (2021), relative.

    Here times |y|, and componentwise.
    """
    return final_rounding(rows.log_sum_exp, _log1p(rows), rows.format)[:, 0]


def log1p_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log1p(r): both terms have one sign, so this is a relative bound."""
    return final_rounding(rows.surprise, rows.gap + _log1p(rows), rows.format)


def log1p_cross_entropy(rows: RowFacts) -> Array:
    """log1p(r) + (m - x_y): as log1p_log_softmax, at the label."""
    return rows.at_label(log1p_log_softmax(rows))


def log1p_cross_entropy_gradient(rows: RowFacts) -> Array:
    """e_i / (t + e_y), and -t / (t + e_y) at the label, t the sum of all terms but e_y.

    If t errs by D u and e_y by d u, then t / (t + e_y) errs by (D p_y + d (1 - p_y)) u over the
    computed sum, which is at least t + e_y less D u and d u: algebra, to no order. Then the
    addition and the quotient are rounded, in 16 bits once more. So this is a relative bound.
    """
    u, unit = rows.format.unit_roundoff, on_sums(rows.format)[1]
    of_others, of_label = _split_error(rows)
    total = 1 + rows.others[:, 0]
    p_y, share = rows.at_label(rows.softmax), rows.at_label(rows.gradient)
    lowest = np.maximum(total - u * (of_others + of_label), u)
    error = (of_others * p_y + of_label * share) / lowest
    error += relative(share + u * error, np.array(2 * unit), rows.format)
    last = share if rows.format.bits == 16 else 0 * share
    at_label = final_rounding(last, error, rows.format)
    of_total = (of_others + of_label) / total + unit
    return rows.with_label(quotient(rows, _shifted_exp(rows), of_total[:, np.newaxis]), at_label)


def _split_error(rows: RowFacts) -> tuple[Array, Array]:
    """Errors of the sum of all terms but the label's, and of that term; as in `_others_error`."""
    exp, depth = _shifted_exp(rows), sum_depth(rows, rows.x.shape[1])
    lost = underflow(rows, ELEMENTARY[rows.format.name].exp)[:, 0]
    of_others = relative(rows.without_label, exp + depth, rows.format).sum(axis=1)
    of_label = rows.at_label(relative(rows.shifted_exp, exp, rows.format))
    return of_others + lost, of_label + lost


# --- division_free ------------------------------------------------------------------------------


def division_free_softmax(rows: RowFacts) -> Array:
    """exp(x_i - y): the absolute error of y and of the subtraction become relative ones, and exp.

    Blanchard, Higham & Higham (2021) have 1 + max |x_j - y| + |y + n - x_min|.
    """
    of_y = stable_log_sum_exp(rows)[:, np.newaxis]
    exp = ELEMENTARY[rows.format.name].exp
    with np.errstate(over="ignore"):
        roundings = (1 + rows.format.unit_roundoff) * of_y + rows.surprise + exp
    floor = exp * rows.format.smallest_normal
    return relative(rows.softmax, roundings, rows.format) + floor


def division_free_log_softmax(rows: RowFacts) -> Array:
    """x_i - y: the error of y, and the subtraction."""
    of_y = stable_log_sum_exp(rows)[:, np.newaxis]
    return final_rounding(rows.surprise, of_y, rows.format)


division_free_log_sum_exp = stable_log_sum_exp


def division_free_cross_entropy(rows: RowFacts) -> Array:
    """log_sum_exp(x) - x_y: as division_free_log_softmax, at the label."""
    return rows.at_label(division_free_log_softmax(rows))


def division_free_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of division_free_softmax, and of the subtraction."""
    return less_one(rows, division_free_softmax(rows))


# --- online -------------------------------------------------------------------------------------


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
    depth = sum_depth(rows, min(count, BLOCK)) + unit * (len(edges) - 1)
    lost = underflow(rows, exp)
    return np.asarray(rows.mean(_shifted_exp(rows)) + rescaling + lost + depth, dtype=np.float64)


def _online_log(rows: RowFacts) -> Array:
    return log_of(rows, _online_sum(rows), on_sums(rows.format)[0].log)


def online_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / s."""
    return quotient(rows, _shifted_exp(rows), _online_sum(rows))


def online_log_sum_exp(rows: RowFacts) -> Array:
    """m + log s."""
    return _log_sum_exp(rows, _online_log(rows))


def online_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log s."""
    return _log_softmax(rows, _online_log(rows))


def online_cross_entropy(rows: RowFacts) -> Array:
    """(m + log s) - x_y."""
    return _cross_entropy(rows, _online_log(rows))


def online_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of online_softmax, and of the subtraction."""
    return less_one(rows, online_softmax(rows))


# --- base2 --------------------------------------------------------------------------------------


def _base2_exp(rows: RowFacts) -> Array:
    """Roundings in exp2((x_i - m) log2 e): shift, constant and product err by (m - x_i) u each."""
    with np.errstate(over="ignore"):
        argument = 3 * (1 + 2 * rows.format.unit_roundoff) * rows.gap
    return argument + np.where(rows.gap > 0, ELEMENTARY[rows.format.name].exp2, 0.0)


def _base2_sum(rows: RowFacts) -> Array:
    lost = underflow(rows, ELEMENTARY[rows.format.name].exp2)
    depth = sum_depth(rows, rows.x.shape[1])
    return np.asarray(rows.mean(_base2_exp(rows)) + lost + depth, dtype=np.float64)


def _base2_log(rows: RowFacts) -> Array:
    """log2(s) ln 2: log2, the constant and the product."""
    elementary, unit = on_sums(rows.format)
    return log_of(rows, _base2_sum(rows), elementary.log2 + 2 * unit)


def base2_softmax(rows: RowFacts) -> Array:
    """exp2((x_i - m) log2 e) / s: as `stable_softmax`, with three times the gaps."""
    return quotient(rows, _base2_exp(rows), _base2_sum(rows))


def base2_log_sum_exp(rows: RowFacts) -> Array:
    """m + log2(s) ln 2."""
    return _log_sum_exp(rows, _base2_log(rows))


def base2_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log2(s) ln 2; here the shift is rounded once, as in `stable`."""
    return _log_softmax(rows, _base2_log(rows))


def base2_cross_entropy(rows: RowFacts) -> Array:
    """(m + log2(s) ln 2) - x_y."""
    return _cross_entropy(rows, _base2_log(rows))


def base2_cross_entropy_gradient(rows: RowFacts) -> Array:
    """softmax(x)_i - [i = y]: the error of base2_softmax, and of the subtraction."""
    return less_one(rows, base2_softmax(rows))
