"""The third stage: about 95 bits, in double-double arithmetic throughout.

For the rows that `extended` leaves open: a few of a million in fp64, and softmax results that are
subnormal. Ten times slower, and written for reading. docs/exact.md derives the errors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from numerics.eft import two_sum
from numerics.exact import pairs, tables
from numerics.exact.blocks import Block, blocks
from numerics.exact.extended import gaps
from numerics.exact.pairs import Pair
from numerics.exact.rounding import Flags
from numerics.exact.values import Answer, Enclosure, Known
from numerics.formats import FP64, FloatArray

SIZE = 8192
"""Logits of a piece."""
KEPT = 2**16
"""Rows up to this length keep their exponentials until the sum is known."""
STEPS = 8192
LOWEST = -750.0
"""Gaps are evaluated down to here: what is further away rounds to 0 in softmax."""

ERROR = 2.0**-95
"""Relative error of a softmax."""
LOG_ERROR = 2.0**-97
"""Relative error of log1p(r)."""
NEWTON_ERROR = 2.0**-96
"""Absolute error of log1p(r) besides, where it takes Newton's method."""
LEFT_OUT = 2.0**-990
"""What gaps below LOWEST and underflow add to r, or take from it, at most."""


@dataclass(frozen=True)
class Exponentials:
    """exp(x_i - m) = (high + low) 2^exponent of a piece, with 1/2 < high < 4."""

    pair: Pair
    exponent: npt.NDArray[np.int64]

    def scaled(self) -> Pair:
        """The numbers themselves, at least the smallest normal number where they are not 0."""
        high, low = (np.ldexp(part, self.exponent) for part in self.pair)
        lost = (high < FP64.smallest_normal) & (self.pair[0] > 0)
        return np.where(lost, FP64.smallest_normal, high), np.where(lost, 0.0, low)


def exponential(x: FloatArray, low: FloatArray | None = None) -> Pair:
    """exp(x + low) of numbers from LOWEST to 0, as pairs."""
    return exponentials(x, np.zeros_like(x) if low is None else low).scaled()


def exponentials(high: FloatArray, low: FloatArray) -> Exponentials:
    """exp(high + low) for LOWEST <= high <= 0."""
    k = np.rint(high * (STEPS / math.log(2)))
    whole = k.astype(np.int64)
    at = whole & (STEPS - 1)
    # The first three products are exact, and so is the first difference.
    step_1, step_2, step_3, step_4 = _steps()
    r = two_sum(high - k * step_1, -k * step_2)
    for part in (-k * step_3, low, -k * step_4):
        r = pairs.add_number(r, part)
    power = _power(at)
    product = pairs.multiply(power, _expm1(r))
    return Exponentials(pairs.add(power, product), whole >> (STEPS.bit_length() - 1))


def _expm1(r: Pair) -> Pair:
    """r + r^2/2 + ... + r^6/720 for |r| <= ln 2 / (2 STEPS): r + r^2 (1/2 + r (1/6 + r s))."""
    s = 1 / 24 + r[0] * (1 / 120 + r[0] / 720)
    sixth, half = tables.parts(tables.ONE // 6, 53, 53), np.full_like(r[0], 0.5)
    inner = pairs.add_number((np.full_like(s, sixth[0]), np.full_like(s, sixth[1])), r[0] * s)
    inner = pairs.add_number(pairs.multiply(inner, r), half)
    return pairs.add(r, pairs.multiply(inner, pairs.multiply(r, r)))


def _power(at: npt.NDArray[np.int64]) -> Pair:
    """2^(j/STEPS) as pairs."""
    high, low = tables.powers_of_two(STEPS, 53, 53)
    return high[at], low[at]


@functools.cache
def _steps() -> tuple[float, ...]:
    return tables.parts(tables.integer_log2() // STEPS, 30, 30, 30, 53)


def _pieces(block: Block) -> Iterator[tuple[slice, Exponentials]]:
    """exp(x_i - m); exp(LOWEST) below LOWEST, 0 for -inf."""
    for columns in block.columns():
        high, low = gaps(block, columns)
        beyond = ~(high >= LOWEST)
        high, low = np.where(beyond, LOWEST, high), np.where(beyond, 0.0, low)
        found = exponentials(high, low)
        if block.masked:
            for part in found.pair:
                part[np.isneginf(block.piece(columns))] = 0.0
        yield columns, found


def others(block: Block, left_out: npt.NDArray[np.intp]) -> Pair:
    """sum_j exp(x_j - m) without the term of one column of each row: r without the largest."""
    return _sum_without(block, left_out, _pieces(block))


def _sum_without(
    block: Block, left_out: npt.NDArray[np.intp], pieces: Iterable[tuple[slice, Exponentials]]
) -> Pair:
    sums = []
    for columns, found in pieces:
        high, low = found.scaled()
        block.clear(left_out, columns, high, low)
        sums.append(pairs.total((high, low), block.along))
    return pairs.total((np.stack([s[0] for s in sums]), np.stack([s[1] for s in sums])), 0)


def softmax(x: FloatArray, wanted: Flags | None) -> Iterator[Answer]:
    """exp(x_i - m) / (1 + r), those wanted."""
    wanted = np.ones(x.shape, np.bool_) if wanted is None else wanted
    for rows, block in blocks(x, SIZE):
        kept = list(_pieces(block)) if x.shape[1] <= KEPT else None
        r = _sum_without(block, block.largest_at, kept or _pieces(block))
        inverse = pairs.reciprocal(pairs.add((np.ones_like(r[0]), np.zeros_like(r[0])), r))
        for columns, found in kept or _pieces(block):
            at, row, column = block.asked(wanted[rows], columns)
            of_x = found.pair[0].reshape(-1)[at], found.pair[1].reshape(-1)[at]
            high, low = pairs.multiply(of_x, (inverse[0][row], inverse[1][row]))
            exponent = found.exponent.reshape(-1)[at]
            gap = block.x[row, column] - block.largest[row]
            value = Enclosure(high, low, high * ERROR, exponent=exponent)
            yield (rows.start + row, column), Known(value, gap < LOWEST, 0.0, gap)
