"""The first stage of fp16, bf16 and fp32: fp64 arithmetic, about 46 bits.

Every logit is a multiple of 2^-9 and a rest, exactly. The exponential of the first is in a table
(no libm is asked), that of the rest is a polynomial of degree 3. docs/exact.md derives the errors.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.eft import two_sum
from numerics.exact import double_double, tables
from numerics.exact.blocks import Block, blocks, row_sums
from numerics.exact.values import Answer, Doubtful, Numbers, Quotients, Surprises, Turned
from numerics.formats import FP64, FloatArray, Format, format_of
from numerics.rows import Labels, at_label

SIZE = 65536
"""Logits of a piece; smaller ones stay in the cache, and cost more in calls (measured)."""
KEPT = 2**18
"""Rows up to this length keep their exponentials until the sum is known."""
STEPS = 512
LOWEST = -146
"""Exponentials of less than this are 2^-500 in the table: not 0, and beneath notice."""
ALONGSIDE = 2.0**-32
"""Rows whose sum beside the largest logit of a block is more than this need none of their own."""
NORMAL = -60.0
"""With no gap below this, softmax of up to 2^39 logits is a normal number of fp32."""
NEAR = 2.0**13
"""Logits below this in magnitude are cut into grid and rest in fp32, without a shift."""
FAR = -4096.0

TO_GRID: dict[np.dtype[Any], tuple[Any, Any]] = {
    np.dtype(np.float32): (np.int32, np.float32(1.5 * 2.0**23 / STEPS)),
    np.dtype(np.float64): (np.int64, np.float64(1.5 * 2.0**52 / STEPS)),
}
"""What moves a number to the grid: the last bits of the sum count multiples of 1/STEPS."""
SMALL = 2.0**-4
"""log1p is a series up to here."""
GUESSED = 2.0**-20
"""np.log1p is the first guess above, and must be as good as this."""

U = FP64.unit_roundoff
ERROR = 128 * U
"""Relative error of a softmax of logits below NEAR, but for the additions of the sum."""
FAR_ERROR = 300 * U
"""The same of any softmax above the smallest normal number of fp32."""
LOG_ERROR = 260 * U
"""Relative error of log1p(r), but for the additions of r."""
NEWTON_ERROR = 64 * U
"""Absolute error of log1p(r) besides, where it takes Newton's method."""
LEFT_OUT = 2.0**-209
"""What an exponential below LOWEST may be off by, beside the largest of its row."""
HALF_RANGE = 300.0
"""Exponentials of logits of 16 bits up to this magnitude are in a table."""

LINEAR, QUADRATIC = 6.0, 3.0 + 0.25 / (2 * STEPS) ** 2
CONSTANT = 6.0 - 1 / 32 / (2 * STEPS) ** 4
"""6 exp(r) = CONSTANT + LINEAR r + QUADRATIC r^2 + r^3, with what does best for r^4/4."""


def _pieces(block: Block, by_row: bool = True) -> Iterator[tuple[slice, FloatArray]]:
    """exp(x_i - w) of a block; w is next to the largest logit of the row, or of the block."""
    if _in_table(block):
        for columns in block.columns():
            yield columns, block.looked_up(_half_table(format_of(block.given.dtype)), columns)
        return
    largest = block.spread(block.largest) if by_row else np.full((1, 1), block.top)
    for columns in block.columns():
        if block.farthest < NEAR:
            piece = _exponentials(block.piece(columns, np.float32, copy=False), largest)
        else:
            gaps = block.piece(columns) - largest
            piece = _exponentials(np.maximum(gaps, FAR, out=gaps), np.zeros((1, 1)))
        if block.masked:
            piece[np.isneginf(block.piece(columns))] = 0
        yield columns, piece


def _in_table(block: Block) -> bool:
    """Whether the exponentials are looked up."""
    return block.values is not None and block.farthest <= HALF_RANGE


def _exponentials(x: FloatArray, largest: FloatArray) -> FloatArray:
    """exp(x - w), w the multiple of 1/STEPS next to `largest`; x in fp32 or fp64."""
    integer, to_grid = TO_GRID[x.dtype]
    table = _table()
    grid = x + to_grid
    last = (largest.astype(x.dtype) + to_grid).view(integer)
    at = grid.view(integer) - (last - last.dtype.type(table.size - 1))
    at = at.astype(np.intp, copy=False)
    grid -= to_grid
    r = np.subtract(x, grid, out=grid).astype(np.float64, copy=False)
    p = r + QUADRATIC
    p *= r
    p += LINEAR
    p *= r
    p += CONSTANT
    p *= table.take(at, mode="clip")
    return np.asarray(p)


@functools.cache
def _table() -> FloatArray:
    """exp(k/STEPS)/6 for k/STEPS from LOWEST to 0, and 2^-500 before."""
    table = tables.powers_of_e(STEPS, LOWEST * STEPS) / 6
    table[0] = 2.0**-500
    return table


@functools.cache
def _half_table(format: Format) -> FloatArray:
    """exp(x - HALF_RANGE) of every number x of 16 bits within HALF_RANGE, by its bits."""
    x = _half_values(format).astype(np.float64)
    x[~(np.abs(x) <= HALF_RANGE)] = -HALF_RANGE
    # The small numbers of bf16 are lost in a difference of one number.
    high, low = two_sum(x, np.full_like(x, -HALF_RANGE))
    table: FloatArray = double_double.exponential(high, low)[0]
    return table


@functools.cache
def _half_values(format: Format) -> FloatArray:
    """Every number of 16 bits as fp32, by its bits."""
    values: FloatArray = np.arange(2**16, dtype=np.uint16).view(format.dtype).astype(np.float32)
    return values


def _blocks(x: FloatArray) -> list[tuple[slice, Block]]:
    # NumPy and ml_dtypes work on 16 bits one number at a time.
    return blocks(x, SIZE, _half_values(format_of(x.dtype)) if x.itemsize == 2 else None)


# --- Sums ----------------------------------------------------------------------------------------


def _at_once(length: int) -> int:
    """Terms of a row that are added up in one go, in any order.

    Of long rows fewer: adding errs less, and one output in doubt costs the whole row.
    """
    return max(32, min(512, 2**18 // length))


def _folds(terms: int, at_once: int) -> Iterator[tuple[int, int]]:
    """How terms are folded until they can be added up: parts, and the width of a part."""
    while terms > at_once:
        parts = min(16, -(-terms // at_once))
        terms //= parts
        yield parts, terms


def _sum(values: FloatArray, along: int, at_once: int) -> FloatArray:
    """Sums of rows, of those that are turned in one go."""
    for parts, width in _folds(values.shape[1], at_once) if along else ():
        whole = parts * width
        folded = np.add.reduce(values[:, :whole].reshape(len(values), parts, width), axis=1)
        if whole < values.shape[1]:
            folded[:, : values.shape[1] - whole] += values[:, whole:]
        values = folded
    return row_sums(values, along)


def _total(sums: list[FloatArray], length: int) -> FloatArray:
    """The sum of the sums of pieces."""
    return sums[0] if len(sums) == 1 else _sum(np.stack(sums, axis=1), 1, _at_once(length))


@functools.cache
def additions(length: int) -> int:
    """On the longest way to the sum of a row, whichever way `_sum` takes.

    >>> [additions(length) for length in (2, 40, 500, 4096, 2**24)]
    [1, 39, 499, 81, 106]
    """
    pieces, rest = divmod(length, SIZE)
    longest = max(_additions(n, length) for n in {min(length, SIZE), rest or 1})
    return longest + _additions(pieces + bool(rest), length)


def _additions(terms: int, length: int) -> int:
    count = 0
    for parts, width in _folds(terms, _at_once(length)):
        count += parts - 1 + (parts * width < terms)
        terms = width
    return count + terms - 1


# --- The operations ------------------------------------------------------------------------------


def softmax(x: FloatArray) -> Iterator[Answer]:
    """exp(x_i - w) / sum_j exp(x_j - w)."""
    for rows, block in _blocks(x):
        proved = (ERROR if block.farthest < NEAR else FAR_ERROR) + additions(block.length) * U
        # Finding the largest logit of each row costs more than finding out that it was not needed.
        by_row = False
        kept, total = _summed(block, by_row)
        if not (_in_table(block) or total.min() > ALONGSIDE):
            by_row = True
            kept, total = _summed(block, by_row)
        inverse, may_be_subnormal = block.spread(1 / total), block.lowest_gap < NORMAL
        for columns, piece in kept or _pieces(block, by_row):
            found = Quotients(piece, inverse, proved, may_be_subnormal)
            yield (rows, columns), Turned(block, found)


def _summed(block: Block, by_row: bool) -> tuple[list[tuple[slice, FloatArray]] | None, FloatArray]:
    """The pieces of a block, unless its row is too long to keep them, and the sums of its rows."""
    kept = list(_pieces(block, by_row)) if block.length <= KEPT else None
    pieces, at_once = kept or _pieces(block, by_row), _at_once(block.length)
    return kept, _total([_sum(piece, block.along, at_once) for _, piece in pieces], block.length)


def _log_of_sums(parts: list[tuple[slice, Block]]) -> tuple[FloatArray, FloatArray]:
    """l = log1p(r) and its absolute error, one a row; r as in `extended.others`."""
    length = parts[0][1].length
    others, largest = _splits(parts, [block.largest_at for _, block in parts])
    r = others / largest
    log, besides = _log1p(r)
    error = log * (LOG_ERROR + additions(length) * U) + (_left_out(parts) + besides)
    return log, np.where(r > 0, error, 0.0)


def _split(block: Block, column: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """sum_j exp(x_j - w) without the term of one column of each row, and that term."""
    terms, sums = np.ones(block.height), []
    for columns, piece in _pieces(block):
        rows, *place = block.places_of(column, columns)
        terms[rows] = piece[tuple(place)]
        piece[tuple(place)] = 0
        sums.append(_sum(piece, block.along, _at_once(block.length)))
    return _total(sums, block.length), terms


def _splits(
    parts: list[tuple[slice, Block]], columns: Sequence[npt.NDArray[np.intp]]
) -> tuple[FloatArray, ...]:
    """`_split` of all rows."""
    found = [_split(block, column) for (_, block), column in zip(parts, columns, strict=True)]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _left_out(parts: list[tuple[slice, Block]]) -> float:
    """What the exponentials below the table may add to r."""
    lowest = min(block.lowest_gap for _, block in parts)
    return 0.0 if lowest > LOWEST else LEFT_OUT * parts[0][1].length


def _log1p(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log(1 + r) by the series of atanh up to SMALL, and one step of Newton's method above.

    And the error beside that of the series, infinity where Newton's method failed.
    """
    s = r / (2 + r)
    z = s * s
    series = 2 * s * (1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z / 11)))))
    y = np.log1p(r)
    y[~((y >= 0) & (y < 64))] = 0
    c = (1 + r) * _exponentials(-y, np.zeros(1)) - 1
    # A guess that is not as good as it should be, and np.log1p is only that, decides nothing.
    failed = ~((r <= SMALL) | (np.abs(c) < GUESSED))
    log = np.where(r <= SMALL, series, y + (c - c * c / 2))
    error = np.where(r <= SMALL, 0.0, np.where(failed, np.inf, NEWTON_ERROR))
    return np.where(failed, 0.0, log), error


def log_softmax(x: FloatArray) -> Iterator[Answer]:
    """(x_i - m) - l; and -l for the largest, once more where it may be subnormal or 0."""
    parts = _blocks(x)
    logs, errors = _log_of_sums(parts)
    for rows, block in parts:
        for columns in block.columns():
            surprises = Surprises(block, columns, logs[rows], errors[rows])
            yield (rows, columns), Turned(block, surprises)
    format = format_of(x.dtype)
    small = np.flatnonzero(logs < 4 * format.smallest_normal)
    if small.size:
        at = np.concatenate([block.largest_at for _, block in parts])[small]
        yield (small, at), Numbers(0.0 - logs[small], errors[small])


def log_sum_exp(x: FloatArray) -> Iterator[Answer]:
    """m + l."""
    parts = _blocks(x)
    log, error = _log_of_sums(parts)
    largest = np.concatenate([block.largest for _, block in parts])
    value = largest + log
    error = error + 4 * U * np.abs(value)
    # Where m and l cancel, the sign of a 0 may be in doubt.
    doubtful = (np.abs(value) <= error) & (largest != 0)
    yield slice(None), Doubtful(Numbers(value, error), doubtful)


def cross_entropy(x: FloatArray, labels: Labels) -> Iterator[Answer]:
    """(m - x_y) + l."""
    parts = _blocks(x)
    log, error = _log_of_sums(parts)
    largest = np.concatenate([block.largest for _, block in parts])
    value = (largest - at_label(x, labels).astype(np.float64)) + log
    yield slice(None), Numbers(value, error + 6 * U * value)


def cross_entropy_gradient(x: FloatArray, labels: Labels) -> Iterator[Answer]:
    """Softmax, and at the label -t / (t + e), e its term and t the sum of all others."""
    yield from softmax(x)
    parts = _blocks(x)
    others, term = _splits(parts, [labels[rows] for rows, _ in parts])
    share = others / (others + term)
    error = share * (LOG_ERROR + additions(x.shape[1]) * U) + _left_out(parts)
    found = Numbers(0.0 - share, np.where(others > 0, error, 0.0))
    yield (np.arange(len(x)), labels), found
