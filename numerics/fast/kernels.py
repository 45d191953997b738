"""What `fast` does with a block of rows. Knows neither axes nor workers.

A kernel reads `x` of shape (rows, K), writes `out`, and has `room`: a contiguous array in the
working format (fp32 for fp16) of the block's shape, or of one row of `CHUNK` columns where a
row is longer. For softmax `room` may be `out` itself, for log_softmax into such an `out` it may
have fewer rows.

Every choice depends on the row alone (K, its sum, its largest entry), never on its neighbours:
questions about a whole block only ask whether there is a choice to make.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.fast import half
from numerics.fast.sums import FEW, joined, over_few, plain_sums, row_sums
from numerics.formats import FP16, FP32, FP64, FloatArray, Format
from numerics.rows import POLICIES, Labels, at_label, special_rows

FEW_BYTES = 256
"""Rows shorter than this are compared column by column, from here on argmax is faster."""
MANY = 2**14
"""Blocks from this size on are asked whether all of their rows are shifted, by their first row."""
REPEATED = 8
"""Longest rows that are met by one number each through np.repeat, which stops other threads."""
PART_BYTES = 2**17
"""Rows are copied in parts of about this size, so that temporaries stay small."""

Special: TypeAlias = list[tuple[npt.NDArray[np.intp], float]]


@dataclass(frozen=True)
class Range:
    """Sums of unshifted exponentials that need no shift, in the working format.

    Up to `largest` no exponential has overflowed. From `smallest` on, a term that is subnormal
    belongs to a result that is.
    """

    working: Format
    smallest: float
    largest: float


RANGES = {
    # Results of fp16 end at 2^-24: nothing is seen of what subnormal terms lose.
    FP16.dtype: Range(FP32, 2.0**-80, 2.0**126),
    FP32.dtype: Range(FP32, 0.5, 2.0**126),
    FP64.dtype: Range(FP64, 0.5, 2.0**1020),
}


# --- The four operations ------------------------------------------------------------------------


def softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """exp(x_i) / sum_j exp(x_j), shifted by the largest logit where the sum says so."""
    if room.shape[1] < x.shape[1]:
        _softmax_by_chunks(x, out, room)
        return
    logits = _loaded(x, room)
    special: Special = []
    top = _largest_if_all_shift(logits, RANGES[x.dtype])
    if top is None:
        exponentials = np.exp(logits, out=room)
        sums = row_sums(exponentials, x.dtype)
        if not _none_needs_shift(x, sums):
            special = _shift(x, exponentials, sums)
    else:
        exponentials = np.exp(_by_row(np.subtract, logits, top, room), out=room)
        sums = row_sums(exponentials, x.dtype)
        special = special_rows(POLICIES["softmax"], top, x.shape[1])
    _normalise(exponentials, sums, out)
    _overwrite(out, special)


def softmax_of_one(row: FloatArray) -> FloatArray | None:
    """Softmax of a single row of few logits, or None when that takes more: same bits, fewer calls.

    Logits between -80 and 80 that are less than 80 apart raise no floating-point flag, so the
    warnings need not be turned off, and need no shift.
    """
    if not (0 < row.size <= FEW and row.dtype in RANGES):
        return None
    values = row.tolist()
    smallest, largest = min(values), max(values)
    if not (smallest >= -80 and largest <= 80 and largest - smallest <= 80):
        return None
    exponentials = np.exp(row, dtype=RANGES[row.dtype].working.dtype)
    total = functools.reduce(operator.add, exponentials)
    quotients: FloatArray
    quotients = exponentials * (1 / total) if row.dtype == FP64.dtype else exponentials / total
    return half.narrowed(quotients) if row.dtype == FP16.dtype else quotients


def log_softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """(x_i - m) - log1p(r)."""
    if out.dtype == room.dtype and out.flags.c_contiguous:
        top, log_sum = _log_sum(x, room, shifted=out)
        _by_row(np.subtract, out, log_sum, out)
    else:
        top, log_sum = _log_sum(x, room)
        for logits, columns in _parts(x, room):
            space = room[:, : logits.shape[1]]
            _by_row(np.subtract, _by_row(np.subtract, logits, top, space), log_sum, space)
            if out.dtype == FP16.dtype:
                half.narrow_negated(np.negative(space, out=space), out[:, columns])
            else:
                out[:, columns] = space
    _overwrite(out, special_rows(POLICIES["log_softmax"], top, x.shape[1]))


def log_sum_exp(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """m + log1p(r)."""
    top, log_sum = _log_sum(x, room)
    out[:] = top + log_sum
    _overwrite(out, special_rows(POLICIES["log_sum_exp"], top, x.shape[1]))


def cross_entropy(x: FloatArray, labels: Labels, out: FloatArray, room: FloatArray) -> None:
    """log1p(r) + (m - x_y)."""
    top, log_sum = _log_sum(x, room)
    out[:] = log_sum + (top.astype(np.float64) - at_label(x, labels))
    _overwrite(out, special_rows(POLICIES["cross_entropy"], top, x.shape[1]))


# --- Softmax: shift only where it is needed ------------------------------------------------------


def _largest_if_all_shift(x: FloatArray, limits: Range) -> FloatArray | None:
    """The largest logits if they say that every row is shifted: so exponentials are taken once.

    All terms of a row are below the smallest normal number then, or one is beyond the largest sum.
    """
    below, above = limits.working.exp_underflow, math.log(limits.largest) + 1
    if x.size < MANY or below <= float(x[0].max()) <= above:
        return None
    top, _ = largest_of(x)
    return top if ((top < below) | (top > above)).all() else None


def _none_needs_shift(x: FloatArray, sums: FloatArray) -> bool:
    """Whether `_shift_of` is 0 in every row, by as few questions as possible."""
    limits = RANGES[x.dtype]
    if sums.size == 1:
        smallest = largest = float(sums[0])
    else:
        smallest = float(np.minimum.reduce(sums, axis=0))
        largest = float(np.maximum.reduce(sums, axis=0))
    if not largest <= limits.largest:
        return False
    return smallest >= limits.smallest or float(x.min()) >= limits.working.exp_underflow


def _shift_of(limits: Range, sums: FloatArray, x: FloatArray, largest: FloatArray) -> FloatArray:
    """The largest logit, or 0 where sum and terms are normal numbers without a shift."""
    below = sums < limits.smallest
    kept = ~below & (sums <= limits.largest)
    if below.any():
        kept |= below & (_extreme_of(x, np.minimum, np.argmin)[0] >= limits.working.exp_underflow)
    result: FloatArray = np.where(kept, 0, largest).astype(limits.working.dtype, copy=False)
    return result


def _shift(x: FloatArray, exponentials: FloatArray, sums: FloatArray) -> Special:
    """Do the rows over whose sums are out of range; returns the special ones among them."""
    limits, length = RANGES[x.dtype], x.shape[1]
    rows = np.flatnonzero(~((sums >= limits.smallest) & (sums <= limits.largest)))
    special: Special = []
    for part in _parts_of(rows.size, length * exponentials.itemsize):
        some = rows[part]
        together = some[-1] - some[0] < some.size  # long rows are, since a part has one of them
        at = slice(some[0], some[-1] + 1) if together else some
        space = exponentials[at] if together else np.empty((some.size, length), exponentials.dtype)
        logits = _loaded(x[at], space)
        largest, _ = largest_of(logits)
        shift = _shift_of(limits, sums[at], logits, largest)
        np.exp(_by_row(np.subtract, logits, shift, space), out=space)
        sums[at] = row_sums(space, x.dtype)
        if not together:
            exponentials[some] = space
        for found, value in special_rows(POLICIES["softmax"], largest, length):
            special.append((some[found], value))
    return special


def _softmax_by_chunks(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """One long row in little room: its exponentials are computed twice."""
    limits = RANGES[x.dtype]
    shift: FloatArray = np.zeros(1, room.dtype)
    special: Special = []
    sums = joined([row_sums(part, x.dtype) for part, _ in _shifted_exponentials(x, shift, room)])
    if not _none_needs_shift(x, sums):
        largest = x.max(axis=1).astype(room.dtype)
        special = special_rows(POLICIES["softmax"], largest, x.shape[1])
        shift = _shift_of(limits, sums, x, largest)
        sums = joined(
            [row_sums(part, x.dtype) for part, _ in _shifted_exponentials(x, shift, room)]
        )
    for part, columns in _shifted_exponentials(x, shift, room):
        _normalise(part, sums, out[:, columns])
    _overwrite(out, special)


def _normalise(exponentials: FloatArray, sums: FloatArray, out: FloatArray) -> None:
    """Quotients; products by reciprocals in fp64, where they are faster (docs/fast.md)."""
    by = sums.astype(exponentials.dtype, copy=False)
    if out.dtype == FP64.dtype:
        _by_row(np.multiply, exponentials, np.reciprocal(by), out)
    elif out.dtype == FP32.dtype:
        _by_row(np.divide, exponentials, by, out)
    else:
        half.narrow(_by_row(np.divide, exponentials, by, exponentials), out)


# --- The logarithm of the sum ---------------------------------------------------------------------


def _log_sum(
    x: FloatArray, room: FloatArray, shifted: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """m and log1p(r) of each row; x - m is left in `shifted`."""
    if room.shape[1] < x.shape[1]:
        return _log_sum_by_chunks(x, room, shifted)
    between = room if shifted is None else shifted
    logits = _loaded(x, between)
    top, place = largest_of(logits)
    _by_row(np.subtract, logits, top, between)
    others = np.empty(len(x), room.dtype)
    for start in range(0, len(x), len(room)):
        part = slice(start, start + len(room))
        exponentials = np.exp(between[part], out=room[: len(x) - start])
        others[part] = _sum_of_others(exponentials, None if place is None else place[part])
    return top, np.log1p(others, out=others)


def _log_sum_by_chunks(
    x: FloatArray, room: FloatArray, shifted: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """One long row in little room."""
    tops, places = zip(*(largest_of(logits) for logits, _ in _parts(x, room)), strict=True)
    chosen = int(np.argmax(tops))
    top = tops[chosen]
    sums = [
        _sum_of_others(part, places[chosen]) if chunk == chosen else plain_sums(part)
        for chunk, (part, _) in enumerate(_shifted_exponentials(x, top, room, shifted))
    ]
    return top, np.log1p(joined(sums))


def _sum_of_others(exponentials: FloatArray, place: npt.NDArray[np.intp] | None) -> FloatArray:
    """r of each row, the sum without one of the terms that are 1; overwrites the exponentials."""
    if place is not None:
        exponentials[np.arange(len(place)), place] = 0
        return plain_sums(exponentials)
    others = np.empty(len(exponentials), exponentials.dtype)
    for part in _parts_of(len(exponentials), exponentials.shape[1] * exponentials.itemsize):
        fractions = exponentials[part]
        ones = np.floor(fractions)
        np.subtract(fractions, ones, out=fractions)
        others[part] = plain_sums(fractions)
        if np.add.reduce(ones, axis=None) != len(ones):  # some row has several largest entries
            others[part] += plain_sums(ones) - 1
    return others


# --- Rows in parts, and what is done with them ----------------------------------------------------


def _parts_of(rows: int, row_bytes: int) -> Iterator[slice]:
    """The rows in parts of about `PART_BYTES`, one row at least."""
    step = max(1, PART_BYTES // row_bytes)
    return (slice(start, start + step) for start in range(0, rows, step))


def _parts(x: FloatArray, room: FloatArray) -> Iterator[tuple[FloatArray, slice]]:
    """The columns that fit into `room`, in the working format, and which they are."""
    for start in range(0, x.shape[1], room.shape[1]):
        columns = slice(start, start + room.shape[1])
        logits = x[:, columns]
        yield _loaded(logits, room[:, : logits.shape[1]]), columns


def _shifted_exponentials(
    x: FloatArray, shift: FloatArray, room: FloatArray, shifted: FloatArray | None = None
) -> Iterator[tuple[FloatArray, slice]]:
    """exp(x - shift) in `room`, part by part; x - shift in `shifted`, or nowhere."""
    for logits, columns in _parts(x, room):
        space = room[:, : logits.shape[1]]
        between = space if shifted is None else shifted[:, columns]
        yield np.exp(_by_row(np.subtract, logits, shift, between), out=space), columns


def _loaded(x: FloatArray, room: FloatArray) -> FloatArray:
    """Logits in the working format, contiguous: NumPy's exp has other bits on strided arrays."""
    if x.dtype == FP16.dtype:
        return half.widen(x, room)
    if x.flags.c_contiguous:
        return x
    np.copyto(room, x)
    return room


def _by_row(ufunc: np.ufunc, x: FloatArray, by: FloatArray, out: FloatArray) -> FloatArray:
    """ufunc(x_i, by), `by` a number for each row."""
    rows, length = x.shape
    if rows == 1:
        ufunc(x, by[0], out=out)
    elif length <= REPEATED and x.flags.c_contiguous and out.flags.c_contiguous:
        for part in _parts_of(rows, length * x.itemsize):
            ufunc(x[part].reshape(-1), by[part].repeat(length), out=out[part].reshape(-1))
    else:
        ufunc(x, by[:, np.newaxis], out=out)
    return out


def largest_of(x: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp] | None]:
    """The largest entry of each row, and its column where rows are long enough to ask for it."""
    return _extreme_of(x, np.maximum, np.argmax)


def _extreme_of(
    x: FloatArray, extreme: np.ufunc, place_of: Callable[..., npt.NDArray[np.intp]]
) -> tuple[FloatArray, npt.NDArray[np.intp] | None]:
    if x.shape[1] * x.itemsize < FEW_BYTES:
        return over_few(extreme, x), None
    place = place_of(x, axis=1)
    return x[np.arange(len(x)), place], place


def _overwrite(out: FloatArray, special: Special) -> None:
    for rows, value in special:
        out[rows] = value
