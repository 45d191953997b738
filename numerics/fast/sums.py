"""Sums of rows: fast, accurate enough for `fast`, and the same in every company.

np.einsum goes through rows one by one, in an order of its own for each length: so a row's sum does
not depend on the others, nor on NumPy's buffer. Products with a vector of ones do not promise that.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from numerics.formats import FP16, FP32, FP64, FloatArray

CHUNK = 2**16
"""Columns that are added up for themselves where a row is longer."""
FEW = 8
"""Rows up to this length are added up column by column."""
WHOLE = {FP16.dtype: 512, FP32.dtype: 64, FP64.dtype: 64}
"""Rows up to this length are added up by one np.einsum, for softmax."""
PIECES = {FP16.dtype: 512, FP32.dtype: 64, FP64.dtype: 56}
"""Longer rows are added up in such pieces: multiples of 8, since a rest is added one by one."""
SHORT = 128
"""Both for logarithms, where relative errors of a sum are absolute ones."""


def row_sums(x: FloatArray, of: np.dtype[Any]) -> FloatArray:
    """Sum of each row as logits of dtype `of` need it, shape (rows,); of long rows in fp64.

    The order depends on K alone. `x` is as before when this returns.
    """
    length = x.shape[1]
    if length <= FEW:
        return _sums_of_few(x)
    if length <= WHOLE[of]:
        return _row_by_row(x)
    if length > CHUNK:
        return np.concatenate([_sum_of_chunks(row, of) for row in x[:, np.newaxis]])
    piece = piece_of(length, PIECES[of])
    if of != FP64.dtype:
        return _row_by_row(_sums_of_pieces(x, piece))
    # Most of a sum may be one term, and every addition to it rounds: so it comes last.
    place = np.arange(len(x)), x.argmax(axis=1)
    largest = x[place]
    x[place] = 0
    sums = _sum_of_sums(_sums_of_pieces(x, piece))
    x[place] = largest
    sums += largest
    return sums


def plain_sums(x: FloatArray) -> FloatArray:
    """Sum of each row, for logarithms."""
    if x.shape[1] <= FEW:
        return _sums_of_few(x)
    if x.shape[1] <= SHORT:
        return _row_by_row(x)
    sums = _sums_of_pieces(x, piece_of(x.shape[1], SHORT))
    return _row_by_row(sums).astype(x.dtype, copy=False)


def _sum_of_chunks(row: FloatArray, of: np.dtype[Any]) -> FloatArray:
    starts = range(0, row.shape[1], CHUNK)
    return joined([row_sums(row[:, start : start + CHUNK], of) for start in starts])


def piece_of(length: int, piece: int) -> int:
    """Columns that are added up in one go: long pieces are fast, short ones are accurate."""
    return piece if length <= 8192 else 2 * piece


def _sums_of_pieces(x: FloatArray, piece: int) -> FloatArray:
    """Sums of so many columns at a time, shape (rows, pieces), in fp64."""
    rows, length = x.shape
    count, rest = divmod(length, piece)
    sums = np.empty((rows, count + bool(rest)))
    sums[:, :count] = np.einsum("ijk->ij", x[:, : count * piece].reshape(rows, count, piece))
    if rest:
        sums[:, count] = np.einsum("ij->i", x[:, count * piece :])
    return sums


def _row_by_row(x: FloatArray) -> FloatArray:
    sums: FloatArray = np.einsum("ij->i", x)
    return sums


def _sums_of_few(x: FloatArray) -> FloatArray:
    if len(x) == 1:
        # The same additions, number by number: array operations would cost more.
        return np.array([functools.reduce(operator.add, x[0])])
    return over_few(np.add, x)


def joined(sums: Sequence[FloatArray]) -> FloatArray:
    """The sum of the sums of a row's parts."""
    return sums[0] if len(sums) == 1 else _sum_of_sums(np.stack(sums, axis=1))


def _sum_of_sums(x: FloatArray) -> FloatArray:
    """The sum of a few non-negative fp64 numbers, rounded about once.

    Adding and subtracting twice the sum cuts each number in two: upper parts, multiples of one
    power of two with so few bits that their sum is exact, and lower parts, whose sum errs by far
    less than the last bit of the result.
    """
    above = 2 * _row_by_row(x)[:, np.newaxis]
    upper = x + above
    upper -= above
    result: FloatArray = _row_by_row(upper) + _row_by_row(x - upper)
    return result


def over_few(ufunc: np.ufunc, x: FloatArray) -> FloatArray:
    """Sum or maximum of short rows, column by column: an inner loop for each row costs more."""
    if x.shape[1] == 1:
        return x[:, 0].copy()
    result: FloatArray = ufunc(x[:, 0], x[:, 1])
    for column in range(2, x.shape[1]):
        ufunc(result, x[:, column], out=result)
    return result
