"""widened: compute in the next wider format, round once.

    softmax(x) = round(log1p_softmax(wider(x))),   fp16 in fp32, fp32 in fp64

Idea: the wider format has 13 or 29 bits to spare; every error of `log1p` lies far below half an
ulp of the result, and only the last rounding is seen. The larger exponent range takes sums and
tails that overflow or underflow in the narrow one.
When to use it: for fp16 and fp32 whenever time or memory allows: nothing simpler is as accurate.
When not: for fp64, where there is no wider format that NumPy has everywhere: it raises TypeError;
take `compensated`.
Bound: `bounds.widened_*`: half an ulp, plus the bound of `log1p` in the wider format. That is an
absolute one for log-sum-exp near 0, where m and log1p(r) cancel and more may be lost.
Source: common practice ("fp32 accumulation"); the double rounding is accounted for in the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FP16, FP32, FloatArray
from numerics.log1p import (
    log1p_cross_entropy,
    log1p_log_softmax,
    log1p_log_sum_exp,
    log1p_softmax,
)
from numerics.rows import Axis, Labels

FORMATS = (FP16, FP32)


def _wider(x: FloatArray) -> FloatArray:
    return x.astype(np.float32 if x.dtype == FP16.dtype else np.float64)


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    return log1p_softmax(_wider(x))


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    return log1p_log_softmax(_wider(x))


@rows.guarded("log_sum_exp")
def _log_sum_exp(x: FloatArray) -> FloatArray:
    result: FloatArray = log1p_log_sum_exp(_wider(x))
    return result


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = log1p_cross_entropy(_wider(x), labels)
    return result


def widened_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """log1p_softmax in the next wider format, rounded once; fp16 and fp32 only.

    Shapes, errors and special rows: as `stable_softmax`; TypeError for float64.
    Bound: `bounds.widened_softmax`.

    >>> import numpy as np
    >>> widened_softmax(np.zeros(4, np.float16))
    array([0.25, 0.25, 0.25, 0.25], dtype=float16)
    """
    return rows.elementwise(_softmax, x, axis, FORMATS)


def widened_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """log1p_log_softmax in the next wider format, rounded once; fp16 and fp32 only.

    Shapes, errors and special rows: as `stable_log_softmax`; TypeError for float64.
    Bound: `bounds.widened_log_softmax`.

    >>> import numpy as np
    >>> widened_log_softmax(np.zeros(2, np.float32))
    array([-0.6931472, -0.6931472], dtype=float32)
    """
    return rows.elementwise(_log_softmax, x, axis, FORMATS)


def widened_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """log1p_log_sum_exp in the next wider format, rounded once; fp16 and fp32 only.

    Shapes, errors and special rows: as `stable_log_sum_exp`; TypeError for float64.
    Bound: `bounds.widened_log_sum_exp`.

    >>> import numpy as np
    >>> print(widened_log_sum_exp(np.zeros(2, np.float32)))
    0.6931472
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims, FORMATS)


def widened_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """log1p_cross_entropy in the next wider format, rounded once; fp16 and fp32 only.

    Shapes, errors and special rows: as `stable_cross_entropy`; TypeError for float64.
    Bound: `bounds.widened_cross_entropy`.

    >>> import numpy as np
    >>> print(widened_cross_entropy(np.zeros(2, np.float32), 1))
    0.6931472
    """
    return rows.labelled(_cross_entropy, x, y, axis, FORMATS)
