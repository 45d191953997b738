"""compensated: every rounding error of consequence is recovered and put back.

    x_i - m = d_i + c_i exactly (two_sum),   exp(d_i + c_i) as a pair,   r = sum_{j != k} as a pair
    softmax(x)_i = q + (remainder of q) / (1 + r),   log_softmax(x)_i = d_i - log1p(r), in pairs
    p_y - 1 = -sum_{j != y} exp(x_j - m) / (1 + r), as a quotient of pairs, too

Idea: `stable` loses digits in three places, and each has an error-free transformation: the shift
(two_sum gives its error c_i, which multiplies the exponential by 1 + c_i to first order), the sum
(a tree of two_sum), the quotient (two_prod gives its remainder). NumPy's own exp, off by up to 2.5
ulp in fp32, is replaced by a reduction to |r| <= ln(2)/2 and a series whose leading terms 1 + r +
r^2/2 are kept exactly; its logarithm, by one step of Newton's method on that exponential.
When to use it: for the last ulp, in particular in fp64, where nothing wider exists. When not: where
time counts; in fp32, fp16 and bf16 `widened` is as accurate and cheaper.
Bound: `bounds.compensated_*`: about one unit of u, at any K and spread; derived there. Only
log-sum-exp near 0, where m and log1p(r) cancel, has none but an absolute one.
Sources: `numerics.eft`; Cody & Waite (1980) for the reduction; Ogita, Rump & Oishi (2005) for the
sum. fp16 and bf16 are computed in fp32: pairs of 16 bits reach neither the sums nor the tails.
"""

import math
from typing import Any

import numpy as np

from numerics.eft import fast_two_sum, two_prod, two_sum
from numerics.formats import FP32, FP64, format_of
from numerics.method import Method, operation
from numerics.rows import Labels, Rows, at_least_fp32, put_at, row_at, row_max

# ln 2 = high + middle + low; n high and n middle are exact for |n| < 2^9 and 2^11.
LN2 = {
    FP32.name: ("0x1.62e4p-1", "0x1.7f7cp-20", "0x1.1cf79ap-36"),
    FP64.name: ("0x1.62e42fefa38p-1", "0x1.ef35793c768p-45", "-0x1.9ff0342542fc3p-90"),
}
LOWEST = {FP32.name: -150.0, FP64.name: -800.0}
"""Arguments below have an exponential of 0, and are cut off here, -inf included."""
TERMS = {FP32.name: 9, FP64.name: 15}
"""The series ends before r^TERMS/TERMS!, which is below u/100 for |r| <= 0.3466."""


def _expm1(high: Rows, low: Rows) -> tuple[Rows, Rows]:
    """exp(high + low) - 1 as a pair, for |high| <= 0.42: r + r^2/2 exactly, and a short series."""
    number = high.dtype.type
    series = np.zeros_like(high)
    for power in range(TERMS[format_of(high.dtype).name] - 1, 2, -1):
        series = series * high + number(1 / math.factorial(power))
    square, square_low = two_prod(high, high)
    total, error = fast_two_sum(high, number(0.5) * square)
    rest = high * square * series
    # `low` may be as large as half an ulp of an argument of hundreds, so it needs all of exp(r).
    tail = rest + low * (1 + (total + rest)) + (number(0.5) * square_low + error)
    return fast_two_sum(total, tail)


def _exp(high: Rows, low: Rows) -> tuple[Rows, Rows, Any]:
    """exp(high + low) = (a + b) 2^n with a in [0.7, 1.42], for `high` above LOWEST."""
    name, number = format_of(high.dtype).name, high.dtype.type
    ln2, ln2_middle, ln2_low = (number(float.fromhex(part)) for part in LN2[name])
    count = np.rint(high * number(math.log2(math.e)))
    reduced, error = two_sum(high - count * ln2, -count * ln2_middle)
    small, small_low = _expm1(reduced, error + (low - count * ln2_low))
    a, b = two_sum(np.ones_like(small), small)
    return a, b + small_low, count.astype(np.int32)


def _shifted(x: Rows) -> tuple[Rows, Rows]:
    """x - m = d + c exactly; c is 0 where d is -inf."""
    high, low = two_sum(x, -row_max(x))
    return high, np.where(np.isfinite(high), low, 0)


def _row_sum(high: Rows, low: Rows) -> tuple[Rows, Rows]:
    """Sum of the pairs of each row as a pair, by a tree of two_sum, shape (rows, 1)."""
    while high.shape[1] > 1:
        half = high.shape[1] // 2
        total, error = two_sum(high[:, :half], high[:, half : 2 * half])
        error = low[:, :half] + low[:, half : 2 * half] + error
        high = np.concatenate([total, high[:, 2 * half :]], axis=1)
        low = np.concatenate([error, low[:, 2 * half :]], axis=1)
    return fast_two_sum(high, low)


def _exponentials(x: Rows, high: Rows, low: Rows) -> tuple[Rows, Rows, Any]:
    """exp(x_i - m) = (a_i + b_i) 2^(n_i)."""
    lowest = LOWEST[format_of(x.dtype).name]
    return _exp(np.maximum(high, x.dtype.type(lowest)), np.where(high < lowest, 0, low))


def _sum_without(left_out: Labels, a: Rows, b: Rows, n: Any) -> tuple[Rows, Rows, Any]:
    """(high + low) 2^top, the sum of (a_i + b_i) 2^(n_i) but one of each row.

    It is added up relative to its own largest term, so that a sum of terms that would underflow
    one by one loses nothing.
    """
    lowest = int(2 * LOWEST[format_of(a.dtype).name])
    top = put_at(n.copy(), left_out, lowest).max(axis=1, keepdims=True)
    terms, terms_low = (put_at(np.ldexp(part, n - top), left_out, 0) for part in (a, b))
    return *_row_sum(terms, terms_low), top


def _others(x: Rows, a: Rows, b: Rows, n: Any) -> tuple[Rows, Rows]:
    """r as a pair, the sum without one largest term."""
    total, total_low, top = _sum_without(x.argmax(axis=1), a, b, n)
    return np.ldexp(total, top), np.ldexp(total_low, top)


def _quotient(a: Rows, b: Rows, total: Rows, total_low: Rows) -> Rows:
    """(a + b) / (total + total_low), pairs, rounded once: the quotient and its remainder."""
    quotient = a / total
    product, error = two_prod(quotient, total)
    return quotient + (((a - product) - error) + b - quotient * total_low) / total


def _log1p(high: Rows, low: Rows) -> tuple[Rows, Rows]:
    """log(1 + high + low) as a pair: NumPy's log1p, and one step of Newton's method.

    With l the estimate, the correction is (r - (e^l - 1)) / (1 + r) for small r, where e^l - 1
    keeps its leading digits, and (1 + r) e^-l - 1 else.
    """
    estimate = np.log1p(high)
    small = high < 0.4
    grown, grown_low = _expm1(np.where(small, estimate, 0), np.zeros_like(estimate))
    near = ((high - grown) + (low - grown_low)) / (1 + high)
    total, error = two_sum(np.ones_like(high), high)
    a, b, n = _exp(-estimate, np.zeros_like(estimate))
    product, product_error = two_prod(np.ldexp(total, n), a)
    far = (product - 1) + product_error + np.ldexp(total * b + (error + low) * a, n)
    return estimate, np.where(small, near, far)


def _minus_log(high: Rows, low: Rows, log: Any) -> Rows:
    """(high + low) - log(1 + r), pairs all, rounded once; -inf stays."""
    total, error = two_sum(high, -log[0])
    return np.where(np.isfinite(total), total + (error + (low - log[1])), total)


@operation("softmax")
def compensated_softmax(x: Rows) -> Rows:
    """exp(x_i - m) / (1 + r), in pairs, rounded once: about one unit of u.

    >>> compensated_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    x = at_least_fp32(x)
    a, b, n = _exponentials(x, *_shifted(x))
    others, others_low = _others(x, a, b, n)
    total, error = two_sum(np.ones_like(others), others)
    return np.ldexp(_quotient(a, b, total, error + others_low), n)


@operation("log_softmax")
def compensated_log_softmax(x: Rows) -> Rows:
    """(x_i - m) - log1p(r), in pairs, rounded once: about one unit of u, relative.

    >>> compensated_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    x = at_least_fp32(x)
    high, low = _shifted(x)
    return _minus_log(high, low, _log1p(*_others(x, *_exponentials(x, high, low))))


@operation("log_sum_exp")
def compensated_log_sum_exp(x: Rows) -> Rows:
    """m + log1p(r), in pairs, rounded once.

    >>> print(compensated_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    x = at_least_fp32(x)
    log, log_low = _log1p(*_others(x, *_exponentials(x, *_shifted(x))))
    total, error = two_sum(row_max(x), log)
    return total + (error + log_low)


@operation("cross_entropy")
def compensated_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log1p(r) + (m - x_y), in pairs, rounded once: about one unit of u, relative.

    >>> print(compensated_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    x = at_least_fp32(x)
    high, low = _shifted(x)
    log = _log1p(*_others(x, *_exponentials(x, high, low)))
    return 0 - _minus_log(row_at(high, labels), row_at(low, labels), log)  # not -0.0 for 0


@operation("cross_entropy_gradient")
def compensated_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp(x_i - m) / (t + e_y), and -t / (t + e_y) at the label, in pairs, each rounded once.

    e_y is the term of the label, and t the sum without it: about one unit of u, relative.

    >>> compensated_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    x = at_least_fp32(x)
    a, b, n = _exponentials(x, *_shifted(x))
    of_label, of_label_low = (row_at(np.ldexp(part, n), labels) for part in (a, b))
    others, others_low, top = _sum_without(labels, a, b, n)
    total, error = two_sum(np.ldexp(others, top), of_label)
    total_low = error + (np.ldexp(others_low, top) + of_label_low)
    at_label = 0 - np.ldexp(_quotient(others, others_low, total, total_low), top)  # not -0.0
    return put_at(np.ldexp(_quotient(a, b, total, total_low), n), labels, at_label)


METHOD = Method(
    "compensated",
    "every rounding error put back",
    "Ogita, Rump & Oishi (2005), doi:10.1137/030601818",
    (
        compensated_softmax,
        compensated_log_softmax,
        compensated_log_sum_exp,
        compensated_cross_entropy,
        compensated_cross_entropy_gradient,
    ),
)
