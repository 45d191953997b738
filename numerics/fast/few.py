"""What `fast` does with a few numbers: the bits of `kernels` by as few calls as there can be.

Half a call on a row of 5 is not arithmetic. Here warnings need not be turned off, no sum is asked
who has to shift, and nothing is cut into blocks: the smallest and the largest logit say that all
rows are alike, and that no exponential, sum or quotient leaves the normal numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.fast.kernels import FEW_BYTES, RANGES, row_sums
from numerics.formats import FloatArray

NUMBERS = 2**16
"""Larger arrays are not asked."""
QUIET = {4: 75.0, 8: 690.0}
"""How far logits may be from 0, and apart: e^-75 / 2^16 is normal. By the size of a number."""


def all_shift(x: Any, axis: Any, out: Any, workers: Any) -> bool | None:
    """Whether all rows are shifted, or None where the arguments are not for these functions.

    fp16 is not, since its conversions raise flags.
    """
    usual = type(axis) is int and axis == -1 and out is None and workers == 1
    if not usual or type(x) is not np.ndarray or not 0 < x.size <= NUMBERS or not x.ndim:
        return None
    quiet = QUIET.get(x.itemsize)
    if quiet is None or not x.flags.c_contiguous or x.dtype is not RANGES[x.itemsize].format.dtype:
        return None
    low, high = x.item(x.argmin()), x.item(x.argmax())  # reductions would take longer
    if not high - low <= quiet:  # NaN and infinity are out, too
        return None
    if -quiet <= low and high <= quiet:
        return False
    below, above = RANGES[x.itemsize].surely_shifted
    return True if low > above or high < below else None


def softmax(x: Any, shift: bool) -> Any:
    """`kernels.softmax` along the last axis."""
    if shift:
        exponentials = x - np.maximum.reduce(x, axis=-1, keepdims=True)
        np.exp(exponentials, exponentials)
    else:
        exponentials = np.exp(x)
    sums = row_sums(exponentials)
    if x.itemsize == 8:
        np.multiply(exponentials, np.reciprocal(sums), exponentials)
    else:
        np.divide(exponentials, sums, exponentials)
    return exponentials


@lru_cache(maxsize=8)
def _starts(shape: tuple[int, ...]) -> Any:
    """Where each row begins in the array; kept, since it takes as long as an exponential."""
    starts = np.arange(0, math.prod(shape), shape[-1]).reshape(shape[:-1])
    starts.flags.writeable = False
    return starts


def _log_sum(x: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """m, x - m and log1p(r), where m and r keep the last axis with length 1."""
    starts: Any = _starts(x.shape) if x.size > x.shape[-1] else None
    places = x.argmax(-1)
    if starts is not None:
        places += starts
    top = x.take(places)[..., np.newaxis]
    shifted = x - top
    exponentials = np.exp(shifted)
    if x.shape[-1] * x.itemsize < FEW_BYTES:  # as `kernels` does, the first that is 1
        places = exponentials.argmax(-1)
        if starts is not None:
            places += starts
    exponentials.put(places, 0)
    return top, shifted, np.log1p(row_sums(exponentials))


def log_softmax(x: Any) -> FloatArray:
    """`kernels.log_softmax` along the last axis."""
    _, shifted, log_sum = _log_sum(x)
    return np.subtract(shifted, log_sum, shifted)


def log_sum_exp(x: Any, keepdims: bool) -> Any:
    """`kernels.log_sum_exp` along the last axis."""
    top, _, log_sum = _log_sum(x)
    result = top + log_sum
    return result if keepdims else result.reshape(x.shape[:-1])[()]


def cross_entropy(x: Any, y: npt.ArrayLike) -> Any:
    """`kernels.cross_entropy` along the last axis."""
    batch, length = x.shape[:-1], x.shape[-1]
    labels = rows.checked_labels(y, batch, length)
    top, _, log_sum = _log_sum(x)
    at_label = x.take(labels + _starts(x.shape))
    gap = top.astype(np.float64).reshape(batch) - at_label
    return (log_sum.reshape(batch) + gap).astype(x.dtype)[()]
