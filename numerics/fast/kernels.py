"""What `fast` does with a block of rows. Knows neither axes nor workers.

A kernel reads `x` of shape (rows, K), writes `out`, and has `room`: a contiguous array in the
working format (fp32 for fp16) of the block's shape; for log-sum-exp and cross-entropy of one long
row it may be shorter. For softmax it may be `out` itself.

Every choice depends on the row alone (K, its sum, its largest entry), never on its neighbours:
questions about a whole block only ask whether there is a choice to make.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numerics.fast import half
from numerics.formats import FP16, FP32, FP64, FloatArray, Format
from numerics.rows import POLICIES, Labels, Special, overwrite, special_rows

FEW = 8
"""Rows up to this length are added up column by column."""
SHORT = 64
"""Rows up to this length are added up by np.einsum, longer ones by np.add.reduce."""
FEW_BYTES = 256
"""Rows shorter than this are compared column by column, from here on argmax is faster."""
MANY = 2**14
"""Numbers from which on it pays to call NumPy once for each column of short rows."""
REPEATED = 8
"""Longest rows that are met by one number each through np.repeat, which stops other threads."""
UNBUFFERED = 256
"""Rows longer than this are met by one number each without NumPy's buffer (docs/fast.md)."""
PART_BYTES = 2**17
"""Rows are copied in parts of about this size, so that temporaries stay small."""


@dataclass(frozen=True)
class Range:
    """Sums of unshifted exponentials that need no shift, in the working format.

    Up to `largest` no exponential has overflowed. From `smallest` on, a term that is subnormal
    belongs to a result that is.
    """

    format: Format
    working: Format
    smallest: float
    largest: float

    @cached_property
    def surely_shifted(self) -> tuple[float, float]:
        """A row is shifted if its largest logit is below the one, or above the other."""
        return self.working.exp_underflow, math.log(self.largest) + 1


RANGES = {
    # Results of fp16 end at 2^-24: nothing is seen of what subnormal terms lose.
    2: Range(FP16, FP32, 2.0**-80, 2.0**126),
    4: Range(FP32, FP32, 0.5, 2.0**126),
    8: Range(FP64, FP64, 0.5, 2.0**1020),
}
"""By the size of a number in bytes: to look up a dtype takes longer than an addition of arrays."""


# --- The four operations ------------------------------------------------------------------------


def softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """exp(x_i) / sum_j exp(x_j), shifted by the largest logit where the sum says so."""
    logits, limits = _loaded(x, room), RANGES[x.itemsize]
    special: Special = []
    top = _top_if_all_shift(logits, limits)
    if top is None:
        exponentials = np.exp(logits, out=room)
        sums = row_sums(exponentials)
        if not _none_needs_shift(x, sums, limits):
            special = _shift(x, exponentials, sums, limits)
    else:
        exponentials = np.exp(_by_row(np.subtract, logits, top, room), out=room)
        sums = row_sums(exponentials)
        special = special_rows(POLICIES["softmax"], top[:, 0], x.shape[1])
    _normalise(exponentials, sums, out)
    overwrite(out, special)


def log_softmax(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """(x_i - m) - log1p(r)."""
    if out.dtype == room.dtype and out.flags.c_contiguous:
        top, log_sum = _log_sum(x, room, shifted=out)
        _by_row(np.subtract, out, log_sum, out)
    else:
        top, log_sum = _log_sum(x, room)
        shifted = _by_row(np.subtract, _loaded(x, room), top, room)
        if out.dtype == FP16.dtype:
            _by_row(np.subtract, shifted, log_sum, shifted)
            half.narrow_negated(np.negative(shifted, out=shifted), out)
        else:
            _by_row(np.subtract, shifted, log_sum, out)
    overwrite(out, special_rows(POLICIES["log_softmax"], top[:, 0], x.shape[1]))


def log_sum_exp(x: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """m + log1p(r)."""
    top, log_sum = _log_sum(x, room)
    out[:] = (top + log_sum)[:, 0]
    overwrite(out, special_rows(POLICIES["log_sum_exp"], top[:, 0], x.shape[1]))


def cross_entropy(x: FloatArray, labels: Labels, out: FloatArray, room: FloatArray) -> None:
    """log1p(r) + (m - x_y)."""
    top, log_sum = _log_sum(x, room)
    gap = top[:, 0].astype(np.float64) - x[np.arange(len(x)), labels]
    out[:] = log_sum[:, 0] + gap
    overwrite(out, special_rows(POLICIES["cross_entropy"], top[:, 0], x.shape[1]))


# --- Softmax: shift only where it is needed ------------------------------------------------------


def _top_if_all_shift(x: FloatArray, limits: Range) -> FloatArray | None:
    """The largest logits if they say that every row is shifted: so exponentials are taken once."""
    below, above = limits.surely_shifted
    if x.size < MANY or below <= float(x[0].max()) <= above:
        return None
    top, _ = largest_of(x)
    return top if ((top < below) | (top > above)).all() else None


def _none_needs_shift(x: FloatArray, sums: FloatArray, limits: Range) -> bool:
    """Whether `_shift_of` is 0 in every row, by as few questions as possible."""
    # Reductions would take longer.
    smallest, largest = sums.item(sums.argmin()), sums.item(sums.argmax())
    if not largest <= limits.largest:
        return False
    return smallest >= limits.smallest or float(x.min()) >= limits.working.exp_underflow


def _shift_of(x: FloatArray, sums: FloatArray, top: FloatArray, limits: Range) -> FloatArray:
    """The largest logit, or 0 where sum and terms are normal numbers without a shift."""
    normal = x.min(axis=1, keepdims=True) >= limits.working.exp_underflow
    kept = ((sums >= limits.smallest) | normal) & (sums <= limits.largest)
    return np.where(kept, x.dtype.type(0), top)


def _shift(x: FloatArray, exponentials: FloatArray, sums: FloatArray, limits: Range) -> Special:
    """Do the rows over whose sums are out of range; returns the special ones among them."""
    rows = np.flatnonzero(~((sums >= limits.smallest) & (sums <= limits.largest)))
    special: Special = []
    for part in _parts_of(rows.size, exponentials.strides[0]):
        some = rows[part]
        together = some[-1] - some[0] < some.size  # long rows are, since a part has one of them
        at = slice(some[0], some[-1] + 1) if together else some
        space = exponentials[at] if together else np.empty_like(exponentials[: some.size])
        logits = _loaded(x[at], space)
        top, _ = largest_of(logits)
        shift = _shift_of(logits, sums[at], top, limits)
        np.exp(_by_row(np.subtract, logits, shift, space), out=space)
        sums[at] = row_sums(space)
        if not together:
            exponentials[some] = space
        for found, value in special_rows(POLICIES["softmax"], top[:, 0], x.shape[1]):
            special.append((some[found], value))
    return special


def _normalise(exponentials: FloatArray, sums: FloatArray, out: FloatArray) -> None:
    """Quotients; products by reciprocals in fp64, where they are faster (docs/fast.md)."""
    if out.dtype == FP64.dtype:
        _by_row(np.multiply, exponentials, np.reciprocal(sums), out)
    elif out.dtype == FP32.dtype:
        _by_row(np.divide, exponentials, sums, out)
    else:
        half.narrow(_by_row(np.divide, exponentials, sums, exponentials), out)


# --- The logarithm of the sum ---------------------------------------------------------------------


def _log_sum(
    x: FloatArray, room: FloatArray, shifted: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """m and log1p(r) of each row, shape (rows, 1); x - m is left in `shifted`."""
    if room.shape[1] < x.shape[1]:
        return _log_sum_of_long(x, room)
    between = room if shifted is None else shifted
    logits = _loaded(x, between)
    top, places = largest_of(logits)
    exponentials = np.exp(_by_row(np.subtract, logits, top, between), out=room)
    others = _sum_of_others(exponentials, places)
    return top, np.log1p(others, out=others)


def _log_sum_of_long(row: FloatArray, room: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same of one row, part by part in little room."""
    place, width = int(row.argmax()), room.shape[1]
    top, total = row[:, place : place + 1].astype(room.dtype), 0.0
    for start in range(0, row.shape[1], width):
        part = row[:, start : start + width]
        space = room[:, : part.shape[1]]
        np.exp(np.subtract(_loaded(part, space), top, out=space), out=space)
        if start <= place < start + width:
            space[0, place - start] = 0
        total += row_sums(space).item()
    return top, np.log1p(np.array([[total]], room.dtype))


def _sum_of_others(exponentials: FloatArray, places: Labels | None) -> FloatArray:
    """r of each row, the sum without one of the terms that are 1; overwrites the exponentials."""
    if places is not None:
        exponentials.put(places, 0)
        return row_sums(exponentials)
    others = np.empty((len(exponentials), 1), exponentials.dtype)
    for part in _parts_of(len(exponentials), exponentials.strides[0]):
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


# --- Rows in parts, and what is done with them ----------------------------------------------------


def row_sums(x: FloatArray) -> FloatArray:
    """Sum of each row, kept as a length of 1, in an order that depends on K alone (docs/fast.md).

    The rows may lie in any number of axes before the last.
    """
    length = x.shape[-1]
    if length > SHORT:
        total: FloatArray = np.add.reduce(x, axis=-1, keepdims=True)
        return total
    if length > FEW:
        sums: FloatArray = np.einsum("...i->...", x)[..., np.newaxis]
        return sums
    return np.add.accumulate(x, -1)[..., -1:] if x.size < MANY else _over_few(np.add, x)


def largest_of(x: FloatArray) -> tuple[FloatArray, Labels | None]:
    """The largest entry of each row, shape (rows, 1), and where in the block, in long rows."""
    rows, length = x.shape
    short = length * x.itemsize < FEW_BYTES
    if short and x.size >= MANY:
        return _over_few(np.maximum, x), None
    places = x.argmax(axis=1)
    if rows > 1:
        places += np.arange(0, x.size, length)
    return x.take(places)[:, np.newaxis], None if short else places


def _over_few(ufunc: np.ufunc, x: FloatArray) -> FloatArray:
    """Sum or maximum of short rows, column by column: an inner loop for each row costs more."""
    result: FloatArray = ufunc(x[:, 0], x[:, 1]) if x.shape[1] > 1 else x[:, 0].copy()
    for column in range(2, x.shape[1]):
        ufunc(result, x[:, column], out=result)
    return result[:, np.newaxis]


def _parts_of(rows: int, row_bytes: int) -> Iterator[slice]:
    """The rows in parts of about `PART_BYTES`, one row at least."""
    step = max(1, PART_BYTES // row_bytes)
    return (slice(start, start + step) for start in range(0, rows, step))


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
        ufunc(x, by.reshape(()), out=out)
    elif x.size < MANY:
        ufunc(x, by, out=out)
    elif length <= REPEATED and x.flags.c_contiguous and out.flags.c_contiguous:
        for part in _parts_of(rows, x.strides[0]):
            ufunc(x[part].reshape(-1), by[part].repeat(length), out=out[part].reshape(-1))
    elif length > UNBUFFERED:
        # NumPy copies a broadcast operand when a row is shorter than its buffer. Its size belongs
        # to the thread, or since NumPy 2 to the context.
        before = np.setbufsize(min(length // 16 * 16, 8192))
        try:
            ufunc(x, by, out=out)
        finally:
            np.setbufsize(before)
    else:
        ufunc(x, by, out=out)
    return out
