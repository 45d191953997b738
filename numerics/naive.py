"""naive: the textbook formula, to be broken.

    softmax(x)_i = exp(x_i) / sum_j exp(x_j)

Idea: none; it is the definition, typed in, and every operation stays in the format of x.
When to use it: to learn why not to. It overflows as soon as one logit exceeds log(largest)
(11.09 in fp16, 88.72 in fp32, 709.78 in fp64), and loses what lies below log(smallest).
Where neither happens it is more accurate than `stable`, because no shift is rounded.
Bound: `bounds.naive_*`, the unshifted case of Blanchard, Higham & Higham (2021),
doi:10.1093/imanum/draa038.

It is the one method outside the policy for special rows: it breaks as it breaks, with NumPy's
warnings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.formats import FloatArray
from numerics.rows import Axis, Labels


def _softmax(x: FloatArray) -> FloatArray:
    e = np.exp(x)
    quotient: FloatArray = e / e.sum(axis=1, keepdims=True)
    return quotient


def _log_softmax(x: FloatArray) -> FloatArray:
    result: FloatArray = np.log(_softmax(x))
    return result


def _log_sum_exp(x: FloatArray) -> FloatArray:
    result: FloatArray = np.log(np.exp(x).sum(axis=1))
    return result


def _cross_entropy(x: FloatArray, labels: Labels) -> FloatArray:
    result: FloatArray = -np.log(rows.at_label(_softmax(x), labels))
    return result


def naive_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """exp(x_i) / sum_j exp(x_j), which overflows.

    Shapes, dtypes and errors: as `stable_softmax`. Bound: `bounds.naive_softmax`, where nothing
    overflows.

    >>> import numpy as np
    >>> with np.errstate(all="ignore"):
    ...     naive_softmax(np.array([1.0, 92.0, 3.0], dtype=np.float32))
    array([ 0., nan,  0.], dtype=float32)
    """
    return rows.elementwise(_softmax, x, axis)


def naive_log_softmax(x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """log(softmax(x)_i), by way of the naive softmax.

    Shapes, dtypes and errors: as `stable_log_softmax`. Bound: `bounds.naive_log_softmax`.

    >>> naive_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return rows.elementwise(_log_softmax, x, axis)


def naive_log_sum_exp(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
    """log(sum_j exp(x_j)), which overflows.

    Shapes, dtypes and errors: as `stable_log_sum_exp`. Bound: `bounds.naive_log_sum_exp`.

    >>> print(naive_log_sum_exp([0.0, 0.0]))
    0.6931471805599453
    """
    return rows.reduction(_log_sum_exp, x, axis, keepdims)


def naive_cross_entropy(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
    """-log(softmax(x)_y), by way of the naive softmax.

    Shapes, dtypes and errors: as `stable_cross_entropy`. Bound: `bounds.naive_cross_entropy`.

    >>> print(naive_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return rows.labelled(_cross_entropy, x, y, axis)
