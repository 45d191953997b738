"""What `fast` does with a few numbers: the bits of `kernels` by as few calls as there can be.

More than half of a call on a row of 5 is not arithmetic. Here no sum is asked who has to shift, and
nothing is cut into blocks: the smallest and the largest logit say that all rows are alike, and that
no exponential, sum or quotient leaves the normal numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from numerics import rows
from numerics.fast.kernels import FEW_BYTES, RANGES, row_sums
from numerics.formats import FP32, FP64

NUMBERS = 2**16  # larger arrays are not asked
# How far logits may be from 0, and apart: e^-75 / 2^16 is normal in fp32. By bytes of a number: to
# look up a dtype takes as long as an exponential. fp16 is out, since its conversions raise flags.
QUIET = {4: (RANGES[FP32.dtype], 75.0), 8: (RANGES[FP64.dtype], 690.0)}
TINY = np.array(2.0**-100, np.float32)  # added to logits: exp of a subnormal one raises a flag


def shift_of(x: Any, axis: Any, out: Any, workers: Any) -> float | None:
    """The largest logit if all rows are shifted, 0 if none is; None: not for these functions."""
    usual = type(axis) is int and axis == -1 and out is None and workers == 1
    if not usual or type(x) is not np.ndarray or not 0 < x.size <= NUMBERS or not x.ndim:
        return None
    limits, quiet = QUIET.get(x.itemsize, QUIET[8])
    if x.dtype is not limits.working.dtype or not x.flags.c_contiguous:
        return None
    low, high = x.item(x.argmin()), x.item(x.argmax())  # reductions would take longer
    shift = low > limits.above or high < limits.working.exp_underflow
    if not (high - low <= quiet and (shift or (-quiet <= low and high <= quiet))):
        return None  # NaN and infinity are among these
    return high if shift else 0.0


def softmax(x: Any, shift: float) -> Any:
    """`kernels.softmax` along the last axis."""
    exponentials = _exponentials(x, shift)
    return _normalized(exponentials, row_sums(exponentials))


def cross_entropy_gradient(x: Any, shift: float, y: Any) -> Any:
    """`kernels.cross_entropy_gradient` along the last axis."""
    labels = rows.checked_labels(y, x.shape[:-1], x.shape[-1])
    places = labels + _starts(x.shape)
    exponentials = _exponentials(x, shift)
    sums = row_sums(exponentials)
    exponentials.put(places, 0)
    others = row_sums(exponentials) / sums
    _normalized(exponentials, sums).put(places, 0 - others)
    return exponentials


def _exponentials(x: Any, shift: float) -> Any:
    if shift:
        one_row = x.size == x.shape[-1]
        logits = x - (shift if one_row else np.maximum.reduce(x, axis=-1, keepdims=True))
    else:
        logits = x + TINY if x.itemsize == 4 else x
    return np.exp(logits, None if logits is x else logits)


def _normalized(exponentials: Any, sums: Any) -> Any:
    if sums.itemsize == 8 and exponentials.shape[-1] > 1:
        return np.multiply(exponentials, np.reciprocal(sums), exponentials)
    return np.divide(exponentials, sums, exponentials)


@lru_cache(maxsize=8)
def _starts(shape: tuple[int, ...]) -> Any:
    """Where each row begins in the array; kept, since it takes as long as an exponential."""
    return np.arange(0, math.prod(shape), shape[-1]).reshape(shape[:-1])


def _places(x: Any) -> Any:
    """Where in the array the (first) largest number of each row is."""
    return x.argmax() if x.size == x.shape[-1] else x.argmax(-1) + _starts(x.shape)


def _log_sum(x: Any) -> tuple[Any, Any, Any]:
    """m, x - m and log1p(r), where m and r keep the last axis with length 1."""
    places = _places(x)
    top = x.take(places)[..., np.newaxis]
    shifted = x - top
    exponentials = np.exp(shifted + TINY if x.itemsize == 4 else shifted)
    if x.shape[-1] * x.itemsize < FEW_BYTES:  # as in `kernels`, the first that is 1
        places = _places(exponentials)
    exponentials.put(places, 0)
    return top, shifted, np.log1p(row_sums(exponentials))


def log_softmax(x: Any) -> Any:
    """`kernels.log_softmax` along the last axis."""
    _, shifted, log_sum = _log_sum(x)
    return np.subtract(shifted, log_sum, shifted)


def log_sum_exp(x: Any, keepdims: bool) -> Any:
    """`kernels.log_sum_exp` along the last axis."""
    top, _, log_sum = _log_sum(x)
    return top + log_sum if keepdims else (top + log_sum)[..., 0][()]


def cross_entropy(x: Any, y: Any) -> Any:
    """`kernels.cross_entropy` along the last axis."""
    labels = rows.checked_labels(y, x.shape[:-1], x.shape[-1])
    top, _, log_sum = _log_sum(x)
    gap = top[..., 0].astype(np.float64) - x.take(labels + _starts(x.shape)).astype(np.float64)
    return (log_sum[..., 0] + gap).astype(x.dtype)[()]
