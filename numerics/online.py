"""online: one pass over blocks of columns, with a running maximum and a rescaled sum.

    for each block b:  m' = max(m, max b),  s' = s exp(m - m') + sum_{j in b} exp(x_j - m')

Idea: the maximum need not be known before the sum is begun; when it grows, the old sum is scaled
down. A row is read once, not twice, and blocks can be merged in any order.
When to use it: where memory is slow and rows do not fit the cache: it is the inside of
FlashAttention. When not: in NumPy, where every block costs a handful of calls; it is here to be
measured. Its worst case is an ascending row, in which every block rescales.
Bound: `bounds.online_*`: as `stable`, plus an exponential, a product and a sum for each block that
raises the maximum. Sources: Milakov & Gimelshein (2018), arXiv:1805.02867; Dao et al. (2022),
arXiv:2205.14135.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels, row_max, row_sum

BLOCK = 64
"""Columns of a block, as in FlashAttention's tiles."""


def _running(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """m and s of whole rows, shape (rows, 1) each."""
    largest = row_max(x[:, :BLOCK])
    total = row_sum(np.exp(x[:, :BLOCK] - _finite(largest)))
    for start in range(BLOCK, x.shape[1], BLOCK):
        block = x[:, start : start + BLOCK]
        grown = np.maximum(largest, row_max(block))
        rescale = np.exp(largest - _finite(grown))
        total = total * rescale + row_sum(np.exp(block - _finite(grown)))
        largest = grown
    return largest, total


def _finite(largest: FloatArray) -> FloatArray:
    """A shift for blocks that are masked throughout: -inf - (-inf) is NaN, -inf - 0 is not."""
    return np.where(np.isneginf(largest), largest.dtype.type(0), largest)


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    largest, total = _running(x)
    quotient: FloatArray = np.exp(x - largest) / total
    return quotient


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    largest, total = _running(x)
    result: FloatArray = (x - largest) - np.log(total)
    return result


def _running_log_sum_exp(x: FloatArray) -> FloatArray:
    largest, total = _running(x)
    result: FloatArray = (largest + np.log(total))[:, 0]
    return result


_log_sum_exp = rows.guarded("log_sum_exp")(_running_log_sum_exp)


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = _running_log_sum_exp(x) - rows.at_label(x, labels)
    return result


def online_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp(x_i - m) / s with m and s found in one pass.

    Shapes, dtypes, errors and special rows: as `stable_softmax`. Bound: `bounds.online_softmax`.

    >>> online_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return rows.elementwise(_softmax, x, axis)


def online_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """(x_i - m) - log s with m and s found in one pass.

    Shapes, dtypes, errors and special rows: as `stable_log_softmax`.
    Bound: `bounds.online_log_softmax`.

    >>> online_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return rows.elementwise(_log_softmax, x, axis)


def online_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """m + log s with m and s found in one pass.

    Shapes, dtypes, errors and special rows: as `stable_log_sum_exp`.
    Bound: `bounds.online_log_sum_exp`.

    >>> print(online_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims)


def online_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """(m + log s) - x_y with m and s found in one pass.

    Shapes, dtypes, errors and special rows: as `stable_cross_entropy`.
    Bound: `bounds.online_cross_entropy`.

    >>> print(online_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return rows.labelled(_cross_entropy, x, y, axis)
