"""The one place for axes, dtypes, labels, bad input and special rows.

A kernel sees a C-contiguous array of shape (rows, K) in one of the three formats, and no more:

- `elementwise`, `reduction` and `labelled` turn whatever the caller passed into rows, call the
  kernel and put the result back into the caller's shape. Since every memory order becomes the
  same rows, it cannot change a bit of the result.
- `guarded` wraps a kernel in the published policy for rows that hold NaN, +inf or only -inf, and
  keeps floating-point warnings in. `naive` goes without it and breaks as it breaks.
- `row_max`, `row_sum` and `at_label` are the reductions that the kernels are written with.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import FORMATS, FP64, FloatArray, Format, format_of

Axis: TypeAlias = int | Sequence[int] | None
Labels: TypeAlias = npt.NDArray[np.intp]
Kernel: TypeAlias = Callable[[FloatArray], FloatArray]
LabelKernel: TypeAlias = Callable[[FloatArray, Labels], FloatArray]
P = ParamSpec("P")
ALL = tuple(FORMATS.values())


# --- What kernels are written with ---------------------------------------------------------------


def row_max(x: FloatArray) -> FloatArray:
    """Largest entry of each row, shape (rows, 1)."""
    result: FloatArray = x.max(axis=1, keepdims=True)
    return result


def row_sum(x: FloatArray) -> FloatArray:
    """Sum of each row, shape (rows, 1); fp16 rows are summed and returned in fp32.

    65 520 ones overflow fp16, and K = 65 536 is an ordinary vocabulary.
    """
    result: FloatArray = at_least_fp32(x).sum(axis=1, keepdims=True)
    return result


def at_least_fp32(x: FloatArray) -> FloatArray:
    """fp16 as fp32, wider formats as they are."""
    return x.astype(np.promote_types(x.dtype, np.float32), copy=False)


def at_label(x: FloatArray, labels: Labels) -> FloatArray:
    """The entry of each row that its label names, shape (rows,)."""
    result: FloatArray = np.take_along_axis(x, labels[:, np.newaxis], axis=1)[:, 0]
    return result


# --- Special rows --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """What an operation returns for a special row; a NaN in the row always gives NaN."""

    all_negative_infinity: Callable[[int], float]
    has_positive_infinity: float


POLICIES = {
    "softmax": Policy(lambda K: 1 / K, math.nan),
    "log_softmax": Policy(lambda K: -math.log(K), math.nan),
    "log_sum_exp": Policy(lambda K: -math.inf, math.inf),
    "cross_entropy": Policy(math.log, math.nan),
}


def guarded(
    operation: str,
) -> Callable[
    [Callable[Concatenate[FloatArray, P], FloatArray]],
    Callable[Concatenate[FloatArray, P], FloatArray],
]:
    """Decorator: apply the policy of `operation` to the rows that a kernel cannot know about.

    The kernel runs on all rows with floating-point warnings off, its result is rounded to the
    format of its input, and the special rows are overwritten.
    """
    policy = POLICIES[operation]

    def decorate(
        kernel: Callable[Concatenate[FloatArray, P], FloatArray],
    ) -> Callable[Concatenate[FloatArray, P], FloatArray]:
        @wraps(kernel)
        def guarded_kernel(x: FloatArray, /, *args: P.args, **kwargs: P.kwargs) -> FloatArray:
            with np.errstate(all="ignore"):
                out = kernel(x, *args, **kwargs).astype(x.dtype, copy=False)
                _overwrite_special(policy, x, out)
            return out

        return guarded_kernel

    return decorate


def _overwrite_special(policy: Policy, x: FloatArray, out: FloatArray) -> None:
    # One max and one min over the whole block are ten times cheaper than a max of each row,
    # and finite ends rule out every special row.
    if x.size == 0 or (np.isfinite(x.min()) and np.isfinite(x.max())):
        return
    for rows, value in special_rows(policy, x.max(axis=1), x.shape[1]):
        out[rows] = value


def special_rows(
    policy: Policy, largest: FloatArray, length: int
) -> list[tuple[npt.NDArray[np.intp], float]]:
    """Which rows the policy decides, by their largest entry, and what it says."""
    if np.isfinite(largest).all():
        return []
    cases = (
        (np.isneginf(largest), policy.all_negative_infinity(length)),
        (np.isposinf(largest), policy.has_positive_infinity),
        (np.isnan(largest), math.nan),
    )
    return [(np.flatnonzero(where), value) for where, value in cases]


# --- From the caller's array to rows and back ----------------------------------------------------


def elementwise(
    kernel: Kernel, x: npt.ArrayLike, axis: Axis, offered: Sequence[Format] = ALL
) -> FloatArray:
    """Apply a kernel (rows, K) -> (rows, K) over `axis`: softmax and log-softmax."""
    array = as_floating(x, offered)
    axes = normalized_axes(axis, array.ndim)
    return rows_back(kernel(_rows(array, axes)), axes, array.shape)


def reduction(
    kernel: Kernel,
    x: npt.ArrayLike,
    axis: Axis,
    keepdims: bool,
    offered: Sequence[Format] = ALL,
) -> Any:
    """Apply a kernel (rows, K) -> (rows,) over `axis`: log-sum-exp.

    As NumPy's reductions, returns a scalar when no axis is left.
    """
    array = as_floating(x, offered)
    axes = normalized_axes(axis, array.ndim)
    out = kernel(_rows(array, axes)).reshape(batch_shape(array.shape, axes))
    return np.expand_dims(out, axes) if keepdims else out[()]


def labelled(
    kernel: LabelKernel,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int,
    offered: Sequence[Format] = ALL,
) -> Any:
    """Apply a kernel ((rows, K), labels) -> (rows,) over `axis`: cross-entropy."""
    array = as_floating(x, offered)
    axes = normalized_axes(only(axis), array.ndim)
    shape = batch_shape(array.shape, axes)
    rows = _rows(array, axes)
    out = kernel(rows, checked_labels(y, shape, rows.shape[1]).reshape(-1))
    return out.reshape(shape)[()]


def as_floating(x: npt.ArrayLike, offered: Sequence[Format] = ALL) -> FloatArray:
    """An array of one of the formats offered, native; integers and booleans become fp64."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("masked arrays are not supported: fill the mask with -inf instead")
    array = np.asarray(x)
    format = FP64 if array.dtype.kind in "biu" else format_of(array.dtype)
    if format not in offered:
        names = " and ".join(one.dtype.name for one in offered)
        raise TypeError(f"this method offers {names}, not {format.dtype.name}")
    return array.astype(format.dtype, copy=False)


def only(axis: int) -> int:
    """The axis of an operation that takes one int."""
    if axis is None or isinstance(axis, Sequence):
        raise TypeError(f"axis of cross-entropy must be one int, not {axis!r}")
    return axis


def normalized_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Axes as sorted numbers from 0, checked."""
    if axis is None:
        return tuple(range(ndim))
    # `int` first: what an abstract class takes to answer is felt in a call on few numbers.
    wanted = (axis,) if isinstance(axis, int) or not isinstance(axis, Sequence) else axis
    axes = []
    for one in map(operator.index, wanted):
        if not -ndim <= one < ndim:
            raise np.exceptions.AxisError(one, ndim)
        axes.append(one % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"duplicate value in axis {axis!r}")
    return tuple(sorted(axes))


def batch_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """What is left of a shape without the axes of a row."""
    return tuple(n for a, n in enumerate(shape) if a not in axes)


def rows_last(array: npt.NDArray[Any], axes: tuple[int, ...]) -> npt.NDArray[Any]:
    """The batch shape and K: a view where the strides allow it, ValueError when K = 0."""
    for a in axes:
        if array.shape[a] == 0:
            raise ValueError(f"axis {a} has length 0 in shape {array.shape}: a row needs an entry")
    if axes == (array.ndim - 1,):
        return array
    length = math.prod(array.shape[a] for a in axes)
    moved = np.moveaxis(array, axes, range(array.ndim - len(axes), array.ndim))
    return moved.reshape((*batch_shape(array.shape, axes), length))


def rows_back(
    rows: npt.NDArray[Any], axes: tuple[int, ...], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """The inverse of `rows_last`: rows in an array of `shape`."""
    moved = rows.reshape(batch_shape(shape, axes) + tuple(shape[a] for a in axes))
    return np.moveaxis(moved, range(len(shape) - len(axes), len(shape)), axes)


def _rows(array: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    last = rows_last(array, axes)
    return np.ascontiguousarray(last.reshape(math.prod(last.shape[:-1]), last.shape[-1]))


def checked_labels(y: npt.ArrayLike, shape: tuple[int, ...], length: int) -> Labels:
    """Labels of the batch shape, each from 0 to K - 1."""
    if isinstance(y, np.ma.MaskedArray):
        raise TypeError("masked labels are not supported: leave the rows out instead")
    labels = np.asarray(y)
    if labels.dtype.kind == "O" and all(isinstance(label, int) for label in labels.flat):
        # Python integers that no integer dtype holds.
        huge = next(label for label in labels.flat if not 0 <= label < length)
        raise IndexError(f"label {huge} is outside 0 .. K-1 for K = {length}")
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(f"labels must be integers, not dtype {labels.dtype}")
    try:
        labels = np.broadcast_to(labels, shape)
    except ValueError:
        message = f"labels of shape {labels.shape} do not broadcast to the batch shape {shape}"
        raise ValueError(message) from None
    if labels.size and not (labels.min() >= 0 and labels.max() < length):
        outside = (labels < 0) | (labels >= length)
        raise IndexError(f"label {labels[outside][0]} is outside 0 .. K-1 for K = {length}")
    return labels.astype(np.intp, copy=False)
