"""base2: powers of two in place of powers of e, as GPU kernels compute them.

    softmax(x)_i = exp2((x_i - m) log2 e) / s,   s = sum_j exp2((x_j - m) log2 e)
    log_sum_exp(x) = m + log2(s) ln 2

Idea: hardware has exp2 and log2, not exp and log; the constant log2 e is often folded into the
scale of attention scores, where it is free.
When to use it: on such hardware. When not: anywhere else. The product rounds once more and the
constant is rounded too, and both grow with m - x_i like the rounding of the shift itself. (GPU
kernels compute x log2 e - m log2 e with one fused multiply-add, and round once; NumPy has none.)
Bound: `bounds.base2_*`: as `stable`, with 3 (m - x_i) in place of m - x_i; derived there.
Source: `scale_apply_exp2` in FlashAttention's kernels (csrc/flash_attn/src/softmax.h).
"""

import math

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at, row_max, row_sum


def _exp(shifted: Rows) -> Rows:
    """exp by way of exp2, in the format of its argument."""
    return np.exp2(shifted * shifted.dtype.type(math.log2(math.e)))


def _log(x: Rows) -> Rows:
    """log by way of log2, in the format of its argument."""
    return np.log2(x) * x.dtype.type(math.log(2))


@operation("softmax")
def base2_softmax(x: Rows) -> Rows:
    """exp2((x_i - m) log2 e) / sum_j exp2((x_j - m) log2 e).

    >>> base2_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    exponentials = _exp(x - row_max(x))
    return exponentials / row_sum(exponentials)


@operation("log_softmax")
def base2_log_softmax(x: Rows) -> Rows:
    """(x_i - m) - ln 2 log2 sum_j exp2((x_j - m) log2 e).

    >>> base2_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    shifted = x - row_max(x)
    return shifted - _log(row_sum(_exp(shifted)))


@operation("log_sum_exp")
def base2_log_sum_exp(x: Rows) -> Rows:
    """m + ln 2 log2 sum_j exp2((x_j - m) log2 e).

    >>> print(base2_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    shift = row_max(x)
    return shift + _log(row_sum(_exp(x - shift)))


@operation("cross_entropy")
def base2_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log_sum_exp(x) - x_y, by powers of two.

    >>> print(base2_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return base2_log_sum_exp.formula(x) - row_at(x, labels)


@operation("cross_entropy_gradient")
def base2_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp2((x_i - m) log2 e) / sum_j exp2((x_j - m) log2 e) - [i = y].

    >>> base2_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    return less_one_at(base2_softmax.formula(x), labels)


METHOD = Method(
    "base2",
    "powers of two, as on GPUs",
    "FlashAttention's kernels, scale_apply_exp2 in softmax.h",
    (
        base2_softmax,
        base2_log_softmax,
        base2_log_sum_exp,
        base2_cross_entropy,
        base2_cross_entropy_gradient,
    ),
)
