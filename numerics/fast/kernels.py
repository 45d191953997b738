"""What `fast` does with a block of rows. Knows neither axes nor workers.

A kernel reads `x` of shape (rows, K), writes `out`, and has `room`: a contiguous array of the shape
of `x` in the working format (fp32 for fp16 and bf16). For softmax `room` may be `out` itself.

Every choice depends on the row alone (K, its sum, its largest entry), never on its neighbours:
questions about a whole block only ask whether there is a choice to make.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from numerics.fast import half
from numerics.formats import FP16, FP32, FP64, FloatArray, Format
from numerics.rows import POLICIES, Labels, Special, overwrite, put_at, special_rows

FEW = 8  # rows up to this length are added up column by column,
SHORT = 64  # up to this by np.einsum, and longer ones by np.add.reduce
FEW_BYTES = 256  # shorter rows are compared column by column, from here on argmax is faster
MANY = 64  # rows for each column from which on a call of NumPy for each column of them pays
REPEATED = 8  # longest rows that are met by one number each through np.repeat
UNBUFFERED = 256  # longer rows are met by one number each without NumPy's buffer
PART_BYTES = 2**17  # rows are copied in parts of about this size, so that temporaries stay small


class Range(NamedTuple):
    """Sums of unshifted exponentials that need no shift, in the working format.

    Up to `largest` no exponential has overflowed. From `smallest` on, a term that is subnormal
    belongs to a result that is. A row whose logits are all above `above` is shifted.
    """

    working: Format
    smallest: float
    largest: float
    above: float


RANGES = {
    # Results of fp16 end at 2^-24: nothing is seen of what subnormal terms lose.
    FP16.dtype: Range(FP32, 2.0**-80, 2.0**126, 89.0),
    FP32.dtype: Range(FP32, 0.5, 2.0**126, 89.0),
    FP64.dtype: Range(FP64, 0.5, 2.0**1020, 709.0),
}
OF_BF16 = RANGES[FP32.dtype]  # it has the exponents of fp32


def range_of(dtype: np.dtype[Any]) -> Range:
    """That of one of the four formats; bf16 may have no dtype to be looked up by."""
    return RANGES.get(dtype, OF_BF16)


def softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """exp(x_i) / sum_j exp(x_j), shifted by the largest logit where the sum says so."""
    exponentials, sums, special = _exponentials(x, room)
    _normalize(exponentials, sums, out)
    overwrite(out, special)


def cross_entropy_gradient(
    x: FloatArray, labels: Labels, out: FloatArray, room: FloatArray
) -> None:
    """softmax(x)_i, and at the label the sum of the other exponentials by that of all, negated."""
    exponentials, sums, special = _exponentials(x, room)
    put_at(exponentials, labels, 0)
    others = row_sums(exponentials) / sums
    _normalize(exponentials, sums, out)
    out[np.arange(len(x)), labels] = 0 - others[:, 0]  # not -0.0
    for rows, value in special:
        out[rows] = value
        out[rows, labels[rows]] = value - 1


def _exponentials(x: FloatArray, room: FloatArray) -> tuple[FloatArray, FloatArray, Special]:
    """exp(x_i), or with a shift, their sums, and what softmax has in special rows."""
    exponentials = np.exp(_loaded(x, room), out=room)
    sums = row_sums(exponentials)
    return exponentials, sums, _shift(x, exponentials, sums)


def _normalize(exponentials: FloatArray, sums: FloatArray, out: FloatArray) -> None:
    """Quotients by the sum of the row; overwrites the exponentials of 16 bits."""
    if out.dtype == FP16.dtype:
        half.narrow(_by_row(np.divide, exponentials, sums, exponentials), out)
    elif out.itemsize == 2:
        np.copyto(out, _by_row(np.divide, exponentials, sums, exponentials), casting="unsafe")
    elif out.dtype == FP32.dtype or out.shape[1] == 1:  # one logit has exactly 1
        _by_row(np.divide, exponentials, sums, out)
    else:  # a product is faster; the quotient would be one rounding less
        _by_row(np.multiply, exponentials, np.reciprocal(sums), out)


def log_softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """(x_i - m) - log1p(r)."""
    in_out = out.dtype == room.dtype and out.flags.c_contiguous
    shifted = out if in_out else room
    top, log_sum = _log_sum(x, room, shifted)
    if not in_out:
        _by_row(np.subtract, _loaded(x, room), top, room)
    if x.dtype == FP16.dtype:
        _by_row(np.subtract, shifted, log_sum, shifted)
        half.narrow_negated(np.negative(shifted, out=shifted), out)
    elif out.itemsize == 2:
        np.copyto(out, _by_row(np.subtract, shifted, log_sum, shifted), casting="unsafe")
    else:
        _by_row(np.subtract, shifted, log_sum, out)
    overwrite(out, special_rows(POLICIES["log_softmax"], top[:, 0], x.shape[1]))


def log_sum_exp(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """m + log1p(r)."""
    top, log_sum = _log_sum(x, room, room)
    out[:] = (top + log_sum)[:, 0]
    overwrite(out, special_rows(POLICIES["log_sum_exp"], top[:, 0], x.shape[1]))


def cross_entropy(x: FloatArray, labels: Labels, out: FloatArray, room: FloatArray) -> None:
    """log1p(r) + (m - x_y)."""
    top, log_sum = _log_sum(x, room, room)
    out[:] = log_sum[:, 0] + (top[:, 0].astype(np.float64) - x[np.arange(len(x)), labels])
    overwrite(out, special_rows(POLICIES["cross_entropy"], top[:, 0], x.shape[1]))


def _shift(x: FloatArray, exponentials: FloatArray, sums: FloatArray) -> Special:
    """Do the rows over whose sums are out of range; returns the special ones among them."""
    limits, special = range_of(x.dtype), Special()
    normal = sums.min() >= limits.smallest or x.min() >= limits.working.exp_underflow
    if normal and sums.max() <= limits.largest:
        return special
    rows = np.flatnonzero(~((sums >= limits.smallest) & (sums <= limits.largest)))
    for part in _parts_of(rows.size, exponentials):
        some = rows[part]  # one long row is not copied
        at = some if some.size > 1 else slice(some[0], some[0] + 1)
        space = np.empty_like(exponentials[: some.size]) if some.size > 1 else exponentials[at]
        logits = _loaded(x[at], space)
        top, _ = largest_of(logits)
        # The largest logit, or 0 where sum and terms are normal numbers without a shift.
        no_tail = logits.min(axis=1, keepdims=True) >= limits.working.exp_underflow
        shift = np.where(no_tail & (sums[at] <= limits.largest), logits.dtype.type(0), top)
        np.exp(_by_row(np.subtract, logits, shift, space), out=space)
        exponentials[at], sums[at] = space, row_sums(space)
        found = special_rows(POLICIES["softmax"], top[:, 0], x.shape[1])
        special += [(some[which], value) for which, value in found]
    return special


def _log_sum(x: FloatArray, room: FloatArray, shifted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """m and log1p(r) of each row, shape (rows, 1); leaves x - m in `shifted`, if not in `room`."""
    logits = _loaded(x, shifted)
    top, places = largest_of(logits)
    exponentials = np.exp(_by_row(np.subtract, logits, top, shifted), out=room)
    if places is not None:
        exponentials.put(places, 0)
        return top, np.log1p(row_sums(exponentials))
    return top, np.log1p(_sum_of_others(exponentials))


def _sum_of_others(exponentials: FloatArray) -> FloatArray:
    """r of each row, the sum without the first of the terms that are 1; overwrites them."""
    others = np.empty((len(exponentials), 1), exponentials.dtype)
    for part in _parts_of(len(exponentials), exponentials):
        fractions = exponentials[part]
        ones = np.floor(fractions)
        np.subtract(fractions, ones, out=fractions)
        others[part] = row_sums(fractions)
        if np.add.reduce(ones, axis=None) != len(ones):  # some row has several largest entries
            several = np.flatnonzero(row_sums(ones) != 1)
            some = fractions[several] + ones[several]
            some[np.arange(len(some)), some.argmax(axis=1)] = 0
            others[part.start + several] = row_sums(some)
    return others


def row_sums(x: FloatArray) -> FloatArray:
    """Sum of each row, kept as a length of 1, in an order that depends on K alone (docs/fast.md).

    The rows may lie in any number of axes before the last.
    """
    length = x.shape[-1]
    if length > SHORT:
        return np.add.reduce(x, axis=-1, keepdims=True)
    if length > FEW:
        return np.einsum("...i->...", x)[..., np.newaxis]
    if x.size < MANY * length**2:
        return np.add.accumulate(x, -1)[..., -1:]
    return _over_few(np.add, x)


def largest_of(x: FloatArray) -> tuple[FloatArray, Labels | None]:
    """The largest entry of each row, shape (rows, 1), and where in the block, in long rows."""
    short = x.shape[1] * x.itemsize < FEW_BYTES
    if short and x.size >= MANY * x.shape[1] ** 2:
        return _over_few(np.maximum, x), None
    places = x.argmax(axis=1) + np.arange(0, x.size, x.shape[1])
    return x.take(places)[:, np.newaxis], None if short else places


def _over_few(ufunc: np.ufunc, x: FloatArray) -> FloatArray:
    """Sum or maximum of short rows, column by column: an inner loop for each row costs more."""
    result = ufunc(x[..., 0], x[..., 1]) if x.shape[-1] > 1 else x[..., 0].copy()
    for column in range(2, x.shape[-1]):
        ufunc(result, x[..., column], out=result)
    return result[..., np.newaxis]


def _parts_of(rows: int, x: FloatArray) -> Iterator[slice]:
    """So many rows as long as those of `x` in parts of about `PART_BYTES`, one row at least."""
    step = max(1, PART_BYTES // (x.shape[1] * x.itemsize))
    return (slice(start, start + step) for start in range(0, rows, step))


def _loaded(x: FloatArray, room: FloatArray) -> FloatArray:
    """Logits in the working format, contiguous: NumPy's exp has other bits on strided arrays."""
    if x.dtype == FP16.dtype:
        return half.widen(x, room)
    if x.flags.c_contiguous and x.dtype == room.dtype:
        return x
    np.copyto(room, x)
    return room


def _by_row(ufunc: np.ufunc, x: FloatArray, by: FloatArray, out: FloatArray) -> FloatArray:
    """ufunc(x_i, by), `by` a number for each row."""
    if x.shape[1] <= REPEATED and x.flags.c_contiguous and out.flags.c_contiguous:
        for part in _parts_of(len(x), x):
            numbers = by[part].repeat(x.shape[1])
            ufunc(x[part].reshape(-1), numbers, out=out[part].reshape(-1))
        return out
    # NumPy copies a broadcast operand when a row is shorter than its buffer, whose size belongs to
    # the thread, or since NumPy 2 to the context.
    before = np.setbufsize(min(x.shape[1] // 16 * 16, 8192)) if x.shape[1] > UNBUFFERED else None
    try:
        ufunc(x, by, out=out)
    finally:
        if before is not None:
            np.setbufsize(before)
    return out
