"""The one place for axes, dtypes, labels, bad input and special rows.

A formula sees a C-contiguous array of shape (rows, K) in one of the four formats, and no more:

- `elementwise`, `reduction` and `labelled` turn whatever the caller passed into rows, call the
  formula and put the result back into the caller's shape. Since every memory order becomes the
  same rows, it cannot change a bit of the result.
- `guarded` keeps floating-point warnings in, and applies the published policy to the rows that
  hold NaN, +inf or only -inf.
- `row_max`, `row_sum`, `row_at` and `put_at` are what formulas are written with.

`method.operation` makes a public function of a formula with all of these.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import ALL_FORMATS, BF16, FP64, FloatArray, Format, format_of

Axis: TypeAlias = int | Sequence[int] | None
Rows: TypeAlias = FloatArray
"""An array of shape (rows, K); one of (rows, 1) holds a number for each row."""
Labels: TypeAlias = npt.NDArray[np.intp]
Formula: TypeAlias = Callable[..., Rows]
"""On rows, or on rows and the label of each."""
ALL = tuple(ALL_FORMATS.values())


# --- What kernels are written with ---------------------------------------------------------------


def row_max(x: FloatArray) -> FloatArray:
    """Largest entry of each row, shape (rows, 1)."""
    result: FloatArray = np.maximum.reduce(x, axis=1, keepdims=True)
    return result


def row_sum(x: FloatArray) -> FloatArray:
    """Sum of each row, shape (rows, 1); fp16 and bf16 rows are summed and returned in fp32.

    65 520 ones overflow fp16, bf16 counts no further than 256, and K = 65 536 is an ordinary
    vocabulary.
    """
    if x.itemsize == 2:
        x = x.astype(np.float32)
    result: FloatArray = np.add.reduce(x, axis=1, keepdims=True)
    return result


def at_least_fp32(x: FloatArray) -> FloatArray:
    """fp16 and bf16 as fp32, wider formats as they are."""
    return x.astype(np.float32) if x.itemsize == 2 else x


def row_at(x: FloatArray, labels: Labels) -> FloatArray:
    """The entry of each row that its label names, shape (rows, 1)."""
    result: FloatArray = x.take(labels + np.arange(0, x.size, x.shape[1]))[:, np.newaxis]
    return result


def at_label(x: FloatArray, labels: Labels) -> FloatArray:
    """`row_at`, of shape (rows,)."""
    return row_at(x, labels)[:, 0]


def put_at(x: FloatArray, labels: Labels, values: npt.ArrayLike) -> FloatArray:
    """Overwrite the entry of each row that its label names; returns the array."""
    x.put(labels + np.arange(0, x.size, x.shape[1]), values)
    return x


def less_one_at(x: FloatArray, labels: Labels) -> FloatArray:
    """x_i - [i = y]; overwrites the array."""
    return put_at(x, labels, row_at(x, labels) - 1)


# --- Special rows --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """What an operation returns for a special row; a NaN in the row always gives NaN.

    `all_negative_infinity` is told K and the labels of such rows, if the operation has any.
    """

    all_negative_infinity: Callable[[int, Labels | None], npt.ArrayLike]
    has_positive_infinity: float


def _uniform_gradient(length: int, labels: Labels | None) -> FloatArray:
    """1/K - [i = y]."""
    labels = np.zeros(0, np.intp) if labels is None else labels
    return less_one_at(np.full((labels.size, length), 1 / length), labels)


POLICIES = {
    "softmax": Policy(lambda K, _: 1 / K, math.nan),
    "log_softmax": Policy(lambda K, _: -math.log(K), math.nan),
    "log_sum_exp": Policy(lambda K, _: -math.inf, math.inf),
    "cross_entropy": Policy(lambda K, _: math.log(K), math.nan),
    "cross_entropy_gradient": Policy(_uniform_gradient, math.nan),
}

Special: TypeAlias = list[tuple[Labels, Any]]
"""Which rows the policy decides, and what it says of them."""


def _quietly(formula: Formula) -> Formula:
    """The formula with floating-point warnings off.

    As a decorator `np.errstate` takes half the time, but before NumPy 2 it keeps what it has to
    put back on itself, where threads would meet.
    """
    if int(np.__version__.partition(".")[0]) >= 2:
        quiet: Formula = np.errstate(all="ignore")(formula)
        return quiet

    def quiet_formula(x: Rows, *labels: Labels) -> Rows:
        with np.errstate(all="ignore"):
            return formula(x, *labels)

    return quiet_formula


def guarded(formula: Formula, policy: Policy) -> Formula:
    """The formula without floating-point warnings, in the format of its input, the policy kept.

    In a special row a formula computes inf - inf, so what comes out is NaN, what the policy wants,
    or an infinity (the loss of another label than that at +inf). To ask the result for its largest
    number costs a tenth of asking the input for its ends.
    """

    @_quietly
    def guarded_formula(x: Rows, *labels: Labels) -> Rows:
        out = formula(x, *labels)
        if out.dtype is not x.dtype:
            out = out.astype(x.dtype)
        if not is_finite(out):
            overwrite(out, special_rows(policy, x.max(axis=1), x.shape[1], *labels))
        return out

    return guarded_formula


def is_finite(x: FloatArray) -> bool:
    """Whether the largest number is one: argmax takes a NaN for it, and is the fastest to ask."""
    return x.size == 0 or math.isfinite(x.item(x.argmax()))


def special_rows(
    policy: Policy, largest: FloatArray, length: int, labels: Labels | None = None
) -> Special:
    """Which rows the policy decides, by their largest entry, and what it says."""
    if np.isfinite(largest).all():
        return []
    masked = np.flatnonzero(np.isneginf(largest))
    of_masked = policy.all_negative_infinity(length, None if labels is None else labels[masked])
    return [
        (masked, of_masked),
        (np.flatnonzero(np.isposinf(largest)), policy.has_positive_infinity),
        (np.flatnonzero(np.isnan(largest)), math.nan),
    ]


def overwrite(out: FloatArray, special: Special) -> None:
    """Put into the special rows what the policy says of them."""
    for rows, value in special:
        out[rows] = value


# --- From the caller's array to rows and back ----------------------------------------------------


def elementwise(
    formula: Formula, x: npt.ArrayLike, axis: Axis, offered: Sequence[Format] = ALL
) -> Any:
    """Apply a formula (rows, K) -> (rows, K) over `axis`: softmax and log-softmax.

    As NumPy's ufuncs, returns a scalar for an array without axes.
    """
    array = as_floating(x, offered)
    axes = normalized_axes(axis, array.ndim)
    if axes == (array.ndim - 1,) and array.size and array.flags.c_contiguous:
        # What is asked most, without the detour: half of a call on few numbers is not arithmetic.
        return formula(array.reshape(-1, array.shape[-1])).reshape(array.shape)
    out = rows_back(formula(_rows(array, axes)), axes, array.shape)
    return out if array.ndim else out[()]


def reduction(
    formula: Formula,
    x: npt.ArrayLike,
    axis: Axis,
    keepdims: bool,
    offered: Sequence[Format] = ALL,
) -> Any:
    """Apply a formula (rows, K) -> (rows, 1) over `axis`: log-sum-exp.

    As NumPy's reductions, returns a scalar when no axis is left.
    """
    array = as_floating(x, offered)
    axes = normalized_axes(axis, array.ndim)
    out = formula(_rows(array, axes)).reshape(batch_shape(array.shape, axes))
    return (np.expand_dims(out, axes) if keepdims else out)[()]


def labelled(
    formula: Formula,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int,
    offered: Sequence[Format] = ALL,
    *,
    reduces: bool = True,
) -> Any:
    """Apply a formula ((rows, K), labels) over `axis`: cross-entropy, and what else has labels.

    `reduces`: it returns (rows, 1), else (rows, K).
    """
    array = as_floating(x, offered)
    axes = normalized_axes(only(axis), array.ndim)
    shape = batch_shape(array.shape, axes)
    rows = _rows(array, axes)
    out = formula(rows, checked_labels(y, shape, rows.shape[1]).reshape(-1))
    return out.reshape(shape)[()] if reduces else rows_back(out, axes, array.shape)


def as_floating(x: npt.ArrayLike, offered: Sequence[Format] = ALL) -> FloatArray:
    """An array of one of the formats offered, native; integers and booleans become fp64.

    Integers beyond 2^53 are rounded to the nearest fp64 number, as NumPy does.
    """
    if type(x) is not np.ndarray and isinstance(x, np.ma.MaskedArray):
        raise TypeError("masked arrays are not supported: fill the mask with -inf instead")
    array = np.asarray(x)
    for format in offered:
        # A dictionary would take longer than all of this; and bf16 may have no dtype yet.
        if format is not BF16 and array.dtype is format.dtype:
            return array
    format = FP64 if array.dtype.kind in "biu" else format_of(array.dtype)
    if format not in offered:
        names = " and ".join(", ".join(one.dtype_name for one in offered).rsplit(", ", 1))
        raise TypeError(f"this method offers {names}, not {format.dtype_name}")
    return array.astype(format.dtype, copy=False)


def only(axis: int) -> int:
    """The axis of an operation that takes one int."""
    if axis is None or isinstance(axis, Sequence):
        raise TypeError(f"axis must be one int where there are labels, not {axis!r}")
    return axis


def normalized_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Axes as sorted numbers from 0, checked; () makes every number a row of its own."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if axis is None:
        return tuple(range(ndim))
    axes = []
    for one in axis if isinstance(axis, tuple | list) else (axis,):
        try:
            index = operator.index(one)
        except TypeError:
            message = f"axis must be an int, a tuple of ints or None, not {axis!r}"
            raise TypeError(message) from None
        if not -ndim <= index < ndim:
            raise np.exceptions.AxisError(index, ndim)
        axes.append(index % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"duplicate value in axis {axis!r}")
    return tuple(sorted(axes))


def batch_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """What is left of a shape without the axes of a row."""
    return tuple(n for a, n in enumerate(shape) if a not in axes)


def rows_last(array: npt.NDArray[Any], axes: tuple[int, ...]) -> npt.NDArray[Any]:
    """The batch shape and K: a view where the strides allow it, ValueError when K = 0."""
    for a in axes:
        if not array.shape[a]:
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
    if axes == (len(shape) - 1,):
        return rows if rows.shape == shape else rows.reshape(shape)
    moved = rows.reshape(batch_shape(shape, axes) + tuple(shape[a] for a in axes))
    return np.moveaxis(moved, range(len(shape) - len(axes), len(shape)), axes)


def _rows(array: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    last = rows_last(array, axes)
    if last.ndim != 2:
        last = last.reshape(-1, last.shape[-1])
    return last if last.flags.c_contiguous else np.ascontiguousarray(last)


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
    given = labels  # one for all rows is not repeated in memory
    if labels.shape != shape:
        try:
            labels = np.broadcast_to(labels, shape)
        except ValueError:
            message = f"labels of shape {labels.shape} do not broadcast to the batch shape {shape}"
            raise ValueError(message) from None
    # argmin and argmax cost a fraction of the reductions where there are few.
    if labels.size and not (0 <= given.item(given.argmin()) <= given.item(given.argmax()) < length):
        outside = (given < 0) | (given >= length)
        raise IndexError(f"label {given[outside][0]} is outside 0 .. K-1 for K = {length}")
    return labels.astype(np.intp, copy=False)
