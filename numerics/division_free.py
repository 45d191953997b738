"""division_free: exp of the log-softmax.

    y = m + log sum_j exp(x_j - m),   softmax(x)_i = exp(x_i - y),   log_softmax(x)_i = x_i - y

Idea: one subtraction inside the exponential replaces the division outside it; y is a by-product
that a training loop needs anyway.
When to use it: where a division costs much more than an exponential, or y is at hand.
When not: for accuracy. The absolute error of y, about |y| u, becomes a relative error of every
probability, so that a common offset of the logits costs digits, which `stable` never pays.
Bound: `bounds.division_free_*`, after Blanchard, Higham & Higham (2021), section 4,
doi:10.1093/imanum/draa038: 1 + max |x_j - y| + (the error of y).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels
from numerics.stable import stable_log_sum_exp


def _log_normalized(x: FloatArray) -> FloatArray:
    """x_i - y, with y rounded to the format of x."""
    result: FloatArray = x - stable_log_sum_exp(x, keepdims=True)
    return result


@rows.guarded("softmax")
def _softmax(x: FloatArray) -> FloatArray:
    result: FloatArray = np.exp(_log_normalized(x))
    return result


@rows.guarded("log_softmax")
def _log_softmax(x: FloatArray) -> FloatArray:
    return _log_normalized(x)


@rows.guarded("cross_entropy")
def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = 0 - rows.at_label(_log_normalized(x), labels)  # not -0.0
    return result


def division_free_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp(x_i - y) with y the log-sum-exp of the row.

    Shapes, dtypes, errors and special rows: as `stable_softmax`.
    Bound: `bounds.division_free_softmax`, which grows with |y|.

    >>> division_free_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return rows.elementwise(_softmax, x, axis)


def division_free_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """x_i - y with y the log-sum-exp of the row.

    Shapes, dtypes, errors and special rows: as `stable_log_softmax`.
    Bound: `bounds.division_free_log_softmax`.

    >>> division_free_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return rows.elementwise(_log_softmax, x, axis)


def division_free_log_sum_exp(
    x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False
) -> Any:
    """m + log sum_j exp(x_j - m): that of `stable`, there is no division in it.

    Shapes, dtypes, errors, special rows and bound: as `stable_log_sum_exp`.

    >>> print(division_free_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return stable_log_sum_exp(x, axis=axis, keepdims=keepdims)


def division_free_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """log_sum_exp(x) - x_y, with the former rounded to the format of x.

    Shapes, dtypes, errors and special rows: as `stable_cross_entropy`.
    Bound: `bounds.division_free_cross_entropy`.

    >>> print(division_free_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return rows.labelled(_cross_entropy, x, y, axis)
