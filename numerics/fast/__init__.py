"""fast: blocks that stay in the cache, and a shift only for the rows that need one.

    softmax(x)_i = exp(x_i) / sum_j exp(x_j)            when the sum is neither huge nor tiny
    log_softmax(x)_i = (x_i - m) - log1p(r)                 as `log1p`
    p_y - 1 = -sum_{j != y} exp(x_j) / sum_j exp(x_j)

Idea: a row's largest logit costs more to find than all else but exp, and exp(x_j) overflows for
few rows. So exponentiate first and look at the sum: where it is out of range, do the row again
with the shift. Not shifting is more accurate, too, since x - m is not rounded. Arrays are
gone through in blocks that fit a cache. fp16 and bf16 are computed in fp32; fp16 is converted by
integer operations.
When to use it: in production. When not: where the last digit counts; take `compensated`.
Bound and source: `bounds.fast_*`, after the unshifted case of Blanchard, Higham & Higham (2021),
doi:10.1093/imanum/draa038; the largest errors known and how the layout was chosen: docs/fast.md.

`out=` takes the result and may be the input itself, `workers=` is SciPy's: 1 by default, -1 for all
cores. The bits of a row depend on that row alone: not on `workers`, `out`, the batch or the layout.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from numerics.fast import few, kernels, stream
from numerics.fast.stream import Cores, Out
from numerics.method import Method
from numerics.rows import Axis, only


def fast_softmax(x: ArrayLike, /, *, axis: Axis = -1, out: Out = None, workers: Cores = 1) -> Any:
    """exp(x_i) / sum_j exp(x_j), shifted by the largest entry only where the sum asks for it.

    As `stable_softmax`, and `out` takes the result: an array of the shape and dtype of `x`, which
    may be `x` itself. `workers` is the most threads to share the rows among, in blocks of up to
    4 MiB; -1 takes all cores, -2 all but one; the bits are the same. TypeError or ValueError for
    any other `out` and for workers = 0. Over several axes that are not the last of a contiguous
    array, the input is copied. Bound, in units of u: `bounds.fast_softmax`.

    >>> import numpy as np
    >>> x = np.array([0.0, 0.0, -np.inf])
    >>> fast_softmax(x, out=x) is x, x
    (True, array([0.5, 0.5, 0. ]))
    """
    if (shift := few.shift_of(x, axis, out, workers)) is not None:
        return few.softmax(x, shift)
    return stream.apply(kernels.softmax, x, axis, out, workers, in_out=True, reduces=False)


def fast_log_softmax(
    x: ArrayLike, /, *, axis: Axis = -1, out: Out = None, workers: Cores = 1
) -> Any:
    """(x_i - m) - log1p(r), r the sum without the largest term.

    Parameters, shapes and errors: as `fast_softmax`; special rows: as `stable_log_softmax`.
    Bound: `bounds.fast_log_softmax`, relative to the result.

    >>> import numpy as np
    >>> bool(fast_log_softmax([0.0, -40.0])[0] == -np.exp(-40.0))
    True
    """
    if few.shift_of(x, axis, out, workers) is not None:
        return few.log_softmax(x)
    return stream.apply(kernels.log_softmax, x, axis, out, workers, reduces=False)


def fast_log_sum_exp(
    x: ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False, out: Out = None, workers: Cores = 1
) -> Any:
    """m + log1p(r), r the sum without the largest term.

    Parameters and errors: as `fast_softmax`; shapes and special rows: as `stable_log_sum_exp`.
    Bound: `bounds.fast_log_sum_exp`, relative but where m and log1p(r) cancel.

    >>> print(fast_log_sum_exp([0.0, -40.0]))
    4.248354255291589e-18
    """
    if few.shift_of(x, axis, out, workers) is not None:
        return few.log_sum_exp(x, keepdims)
    return stream.apply(kernels.log_sum_exp, x, axis, out, workers, keepdims=keepdims)


def fast_cross_entropy(
    x: ArrayLike, y: ArrayLike, /, *, axis: int = -1, out: Out = None, workers: Cores = 1
) -> Any:
    """log1p(r) + (m - x_y), r the sum without the largest term.

    Parameters and errors: as `fast_softmax`; labels, shapes and special rows: as
    `stable_cross_entropy`. Bound: `bounds.fast_cross_entropy`, relative to the result.

    >>> print(fast_cross_entropy([0.0, -40.0], 0))
    4.248354255291589e-18
    """
    if few.shift_of(x, axis, out, workers) is not None:
        return few.cross_entropy(x, y)
    return stream.apply(kernels.cross_entropy, x, only(axis), out, workers, labels=y)


def fast_cross_entropy_gradient(
    x: ArrayLike, y: ArrayLike, /, *, axis: int = -1, out: Out = None, workers: Cores = 1
) -> Any:
    """softmax(x)_i, and at the label -sum_{j != y} exp(x_j) / sum_j exp(x_j): no digit cancels.

    Parameters and errors: as `fast_softmax`; labels and special rows: as
    `stable_cross_entropy_gradient`. Bound: `bounds.fast_cross_entropy_gradient`, relative.

    >>> import numpy as np
    >>> bool(fast_cross_entropy_gradient([0.0, -40.0], 0)[0] == -np.exp(-40.0))
    True
    """
    if (shift := few.shift_of(x, axis, out, workers)) is not None:
        return few.cross_entropy_gradient(x, shift, y)
    kernel = kernels.cross_entropy_gradient
    return stream.apply(kernel, x, only(axis), out, workers, in_out=True, reduces=False, labels=y)


METHOD = Method(
    "fast",
    "blocks in the cache, shift only where needed",
    "Blanchard, Higham & Higham (2021), unshifted; layout by measurement",
    (
        fast_softmax,
        fast_log_softmax,
        fast_log_sum_exp,
        fast_cross_entropy,
        fast_cross_entropy_gradient,
    ),
)

__all__ = [
    "METHOD",
    "fast_cross_entropy",
    "fast_cross_entropy_gradient",
    "fast_log_softmax",
    "fast_log_sum_exp",
    "fast_softmax",
]
