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

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels, row_max, row_sum


def _exp(shifted: FloatArray) -> FloatArray:
    """exp by way of exp2, in the format of its argument."""
    result: FloatArray = np.exp2(shifted * shifted.dtype.type(math.log2(math.e)))
    return result


def _log(x: FloatArray) -> FloatArray:
    """log by way of log2, in the format of its argument."""
    result: FloatArray = np.log2(x) * x.dtype.type(math.log(2))
    return result


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    exponentials = _exp(x - row_max(x))
    quotient: FloatArray = exponentials / row_sum(exponentials)
    return quotient


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    shifted = x - row_max(x)
    result: FloatArray = shifted - _log(row_sum(_exp(shifted)))
    return result


def _shifted_back(x: FloatArray) -> FloatArray:
    shift = row_max(x)
    result: FloatArray = (shift + _log(row_sum(_exp(x - shift))))[:, 0]
    return result


_log_sum_exp = rows.guarded("log_sum_exp")(_shifted_back)


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = _shifted_back(x) - rows.at_label(x, labels)
    return result


def base2_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp2((x_i - m) log2 e) / sum_j exp2((x_j - m) log2 e).

    Shapes, dtypes, errors and special rows: as `stable_softmax`. Bound: `bounds.base2_softmax`.

    >>> base2_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return rows.elementwise(_softmax, x, axis)


def base2_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """(x_i - m) - ln 2 log2 sum_j exp2((x_j - m) log2 e).

    Shapes, dtypes, errors and special rows: as `stable_log_softmax`.
    Bound: `bounds.base2_log_softmax`.

    >>> base2_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return rows.elementwise(_log_softmax, x, axis)


def base2_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """m + ln 2 log2 sum_j exp2((x_j - m) log2 e).

    Shapes, dtypes, errors and special rows: as `stable_log_sum_exp`.
    Bound: `bounds.base2_log_sum_exp`.

    >>> print(base2_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims)


def base2_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """log_sum_exp(x) - x_y, by powers of two.

    Shapes, dtypes, errors and special rows: as `stable_cross_entropy`.
    Bound: `bounds.base2_cross_entropy`.

    >>> print(base2_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return rows.labelled(_cross_entropy, x, y, axis)
