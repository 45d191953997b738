"""log1p: the shift with the largest term left out of the sum.

    m = max_j x_j = x_k,   r = sum_{j != k} exp(x_j - m)
    softmax(x)_i = exp(x_i - m) / (1 + r),   log_softmax(x)_i = (x_i - m) - log1p(r)

Idea: the largest term is exactly 1. Adding it to a small r rounds r away, and log(1 + r) is then
0 where it should be r; log1p takes r itself and keeps its digits.
When to use it: as the default for log-softmax and cross-entropy; it costs little more than
`stable`. When not: for softmax alone it gains nothing over `stable`, and neither repays the
rounding of x - m, which `compensated` does.
Bound: `bounds.log1p_*`, after Blanchard, Higham & Higham (2021), algorithm 4.1,
doi:10.1093/imanum/draa038. Relative for log-softmax and cross-entropy: about max - min units of u.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels, row_max, row_sum


def _others(x: FloatArray, shifted: FloatArray) -> FloatArray:
    """r, the sum of all exponentials but that of one largest logit, shape (rows, 1)."""
    exponentials = np.exp(shifted)
    np.put_along_axis(exponentials, x.argmax(axis=1, keepdims=True), 0, axis=1)
    return row_sum(exponentials)


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    shifted = x - row_max(x)
    quotient: FloatArray = np.exp(shifted) / (1 + _others(x, shifted))
    return quotient


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    shifted = x - row_max(x)
    result: FloatArray = shifted - np.log1p(_others(x, shifted))
    return result


@rows.guarded("log_sum_exp")
def _log_sum_exp(x: FloatArray) -> FloatArray:
    shift = row_max(x)
    result: FloatArray = (shift + np.log1p(_others(x, x - shift)))[:, 0]
    return result


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    shifted = x - row_max(x)
    log_sum = np.log1p(_others(x, shifted))[:, 0]
    result: FloatArray = log_sum - rows.at_label(shifted, labels)
    return result


def log1p_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp(x_i - m) / (1 + r), r the sum without the largest term.

    Shapes, dtypes, errors and special rows: as `stable_softmax`. Bound: `bounds.log1p_softmax`.

    >>> log1p_softmax([0.0, 0.0, float("-inf")])
    array([0.5, 0.5, 0. ])
    """
    return rows.elementwise(_softmax, x, axis)


def log1p_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """(x_i - m) - log1p(r), r the sum without the largest term.

    Shapes, dtypes, errors and special rows: as `stable_log_softmax`.
    Bound: `bounds.log1p_log_softmax`, relative to the result.

    >>> import numpy as np
    >>> bool(log1p_log_softmax([0.0, -40.0])[0] == -np.exp(-40.0))
    True
    """
    return rows.elementwise(_log_softmax, x, axis)


def log1p_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """m + log1p(r), r the sum without the largest term.

    Shapes, dtypes, errors and special rows: as `stable_log_sum_exp`.
    Bound: `bounds.log1p_log_sum_exp`, relative but where m and log1p(r) cancel.

    >>> print(log1p_log_sum_exp([0.0, -40.0]))
    4.248354255291589e-18
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims)


def log1p_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """log1p(r) + (m - x_y), r the sum without the largest term.

    Shapes, dtypes, errors and special rows: as `stable_cross_entropy`.
    Bound: `bounds.log1p_cross_entropy`, relative to the result.

    >>> print(log1p_cross_entropy([0.0, -40.0], 0))
    4.248354255291589e-18
    """
    return rows.labelled(_cross_entropy, x, y, axis)
