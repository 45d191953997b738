"""two_pass: exponentials as pairs of mantissa and exponent, so that nothing can overflow.

    n_i = rint(x_i / ln 2),   a_i = exp(x_i - n_i ln 2) in [0.7, 1.42],   exp(x_i) = a_i 2^(n_i)
    N = max_j n_j,   s = sum_j a_j 2^(n_j - N),   softmax(x)_i = (a_i / s) 2^(n_i - N)

Idea: overflow is a matter of the exponent alone. Kept apart, as an ordinary number, it cannot
overflow, so no shift is needed, and the rounding of x - m, which costs `stable` its digits, is
never made: x_i - n_i ln 2 is computed exactly but for its last bit (Cody & Waite). On the way out,
powers of two multiply exactly.
When to use it: for softmax with a wide spread; in compiled code also for speed, since one pass over
memory is saved. When not: for log-softmax and cross-entropy near 0: of confident rows, as with
`stable`, and of K = 1, where N ln 2 + log s is not exactly x.
Bound: `bounds.two_pass_*`: as the unshifted formula, but without overflow, while |m| is below
`REACH`; beyond, n ln 2 is not exact, and the row is shifted by m first, with the bound of `stable`.
Source: Dukhan & Ablavatski (2020), arXiv:2001.04438. They find N in the pass that sums; NumPy has
no such loop, and takes the maximum of the n_i. bf16 is not offered: its 8 bits leave none to ln 2
beside those of n.
"""

import math
from typing import Any

import numpy as np

from numerics.formats import FP16, FP32, FP64, format_of
from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at, row_max, row_sum

FORMATS = (FP16, FP32, FP64)
# ln 2 = high + low with so few bits in high that n high is exact for |n| < 2^6, 2^9, 2^12.
LN2 = {
    FP16.name: (float.fromhex("0x1.6p-1"), float.fromhex("0x1.72p-8")),
    FP32.name: (float.fromhex("0x1.62e4p-1"), float.fromhex("0x1.7f7d1cp-20")),
    FP64.name: (float.fromhex("0x1.62e42fefa4p-1"), float.fromhex("-0x1.8432a1b0e2634p-43")),
}
REACH = {FP16.name: 20.0, FP32.name: 170.0, FP64.name: 1400.0}
"""Largest |m| without a shift. Twice that is cut off below: such a term is 0 beside that of m."""


def _pairs(x: Rows) -> tuple[Rows, Rows, Any]:
    """The shift (0 within reach), mantissas a_i, and integer exponents n_i."""
    name, number = format_of(x.dtype).name, x.dtype.type
    largest = row_max(x)
    shift = np.where(np.abs(largest) <= REACH[name], number(0), largest)
    reachable = np.maximum(x - shift, number(-2 * REACH[name]))
    exponent = np.rint(reachable * number(math.log2(math.e)))
    high, low = LN2[name]
    mantissa = np.exp((reachable - exponent * number(high)) - exponent * number(low))
    return shift, mantissa, exponent.astype(np.int32)


def _total(mantissa: Rows, exponent: Any) -> tuple[Rows, Any]:
    """s and N of each row, shape (rows, 1)."""
    largest = exponent.max(axis=1, keepdims=True)
    return row_sum(np.ldexp(mantissa, exponent - largest)), largest


@operation("softmax", formats=FORMATS)
def two_pass_softmax(x: Rows) -> Rows:
    """(a_i / s) 2^(n_i - N), exp(x_i) = a_i 2^(n_i).

    >>> two_pass_softmax([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    _, mantissa, exponent = _pairs(x)
    total, largest = _total(mantissa, exponent)
    return np.ldexp(mantissa / total, exponent - largest)


@operation("log_softmax", formats=FORMATS)
def two_pass_log_softmax(x: Rows) -> Rows:
    """x_i - (N ln 2 + log s).

    >>> two_pass_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return x - two_pass_log_sum_exp.formula(x)


@operation("log_sum_exp", formats=FORMATS)
def two_pass_log_sum_exp(x: Rows) -> Rows:
    """shift + (N ln 2 + log s), the shift 0 within `REACH`.

    >>> print(two_pass_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    shift, mantissa, exponent = _pairs(x)
    total, largest = _total(mantissa, exponent)
    high, low = (total.dtype.type(part) for part in LN2[format_of(total.dtype).name])
    count = largest.astype(total.dtype)
    computed = shift + (count * high + (count * low + np.log(total)))
    # It is never below the largest logit; rounding may say so, and log p > 0 then.
    return np.maximum(computed, row_max(x))


@operation("cross_entropy", formats=FORMATS)
def two_pass_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """(N ln 2 + log s) - x_y.

    >>> print(two_pass_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return two_pass_log_sum_exp.formula(x) - row_at(x, labels)


@operation("cross_entropy_gradient", formats=FORMATS)
def two_pass_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """(a_i / s) 2^(n_i - N) - [i = y], exp(x_i) = a_i 2^(n_i).

    >>> two_pass_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    return less_one_at(two_pass_softmax.formula(x), labels)


METHOD = Method(
    "two_pass",
    "exponentials as mantissa and exponent, no shift",
    "Dukhan & Ablavatski (2020), arXiv:2001.04438",
    (
        two_pass_softmax,
        two_pass_log_softmax,
        two_pass_log_sum_exp,
        two_pass_cross_entropy,
        two_pass_cross_entropy_gradient,
    ),
    formats=tuple(format.name for format in FORMATS),
)
