"""stable: the max shift, as the lab asks for it and as every library does it.

    m = max_j x_j,   s = sum_j exp(x_j - m),   softmax(x)_i = exp(x_i - m) / s
    log_sum_exp(x) = m + log s,   log_softmax(x)_i = (x_i - m) - log s

Idea: exp(x_i)/sum_j exp(x_j) does not change when both sides are divided by exp(m), and then the
largest exponent is 0: nothing overflows, and the sum is at least 1.
When to use it: as the baseline that any other method has to beat.
When not: for log-softmax or cross-entropy of confident rows. There log s is near 0, s has been
rounded to a number near 1, and all digits of the result are lost; `log1p` keeps them.
Bound: `bounds.stable_*`, the shifted case of Blanchard, Higham & Higham (2021),
doi:10.1093/imanum/draa038: the rounding of x - m costs max - min units of u.

In fp16 the sum, and what is done with it, is kept in fp32 and rounded once (`rows.row_sum`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels, row_max, row_sum


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    exponentials = np.exp(x - row_max(x))
    quotient: FloatArray = exponentials / row_sum(exponentials)
    return quotient


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    shifted = x - row_max(x)
    result: FloatArray = shifted - np.log(row_sum(np.exp(shifted)))
    return result


def _shifted_back(x: FloatArray) -> FloatArray:
    shift = row_max(x)
    result: FloatArray = (shift + np.log(row_sum(np.exp(x - shift))))[:, 0]
    return result


_log_sum_exp = rows.guarded("log_sum_exp")(_shifted_back)


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = _shifted_back(x) - rows.at_label(x, labels)
    return result


def stable_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp(x_i - m) / sum_j exp(x_j - m) with m the largest entry.

    Parameters
    ----------
    x : array_like
        float16, float32 or float64 in any memory or byte order; integers and booleans are
        computed in float64. Never written to.
    axis : int, sequence of ints, or None
        What makes up a row; None takes the whole array as one.

    Returns
    -------
    ndarray of the shape and (native) dtype of `x`.

    Raises
    ------
    TypeError
        For any other dtype, by name.
    ValueError
        When an axis of the row has length 0 or is named twice.
    AxisError
        When `x` has no such axis.

    Notes
    -----
    Rows with NaN or +inf give NaN, a row of -inf gives 1/K, and a single -inf gives exactly 0.
    Bound, in units of u: `bounds.stable_softmax`, about log2(K) + 2 + 2 (max - min).

    >>> stable_softmax([0.0, 0.0, float("-inf"), 0.0, 0.0])
    array([0.25, 0.25, 0.  , 0.25, 0.25])
    """
    return rows.elementwise(_softmax, x, axis)


def stable_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """(x_i - m) - log sum_j exp(x_j - m) with m the largest entry.

    Shapes, dtypes and errors: as `stable_softmax`. Rows with NaN or +inf give NaN, a row of -inf
    gives -log K, and a single -inf gives -inf.
    Bound: `bounds.stable_log_softmax`, an absolute one; a result near 0 may keep no digit.

    >>> stable_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return rows.elementwise(_log_softmax, x, axis)


def stable_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """m + log sum_j exp(x_j - m) with m the largest entry.

    Shapes, dtypes and errors: as `stable_softmax`, but `axis` is reduced (`keepdims=True` leaves
    it with length 1). A NaN gives NaN, +inf gives +inf, a row of -inf gives -inf.
    Bound: `bounds.stable_log_sum_exp`, an absolute one: |result| and a few units of u.

    >>> print(stable_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims)


log_sum_exp = stable_log_sum_exp
"""The name that the lab asks for."""


def stable_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """log_sum_exp(x) - x_y: the cross-entropy of the label y, straight from the logits.

    `y` holds integer labels 0 .. K-1 and broadcasts to the shape of `x` without `axis`; that is
    the shape of the result. TypeError for labels that are not integers, IndexError for one outside
    0 .. K-1, else errors as `stable_softmax`. A label on -inf gives +inf, rows with NaN or +inf
    give NaN, a row of -inf gives log K.
    Bound: `bounds.stable_cross_entropy`, an absolute one.

    >>> print(stable_cross_entropy([1.0, 92.0, 3.0, 0.0, 2.0], 0))
    91.0
    """
    return rows.labelled(_cross_entropy, x, y, axis)
