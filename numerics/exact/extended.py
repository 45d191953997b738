"""The second stage, and the first of fp64: about 75 bits, in pairs of fp64 numbers.

exp(r) is a number of 27 bits and one of 53 beside it, so that a product of two such heads is
exact and everything else may be rounded. docs/exact.md derives the error of every step, named
here as it is named there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.eft import fast_two_sum, split, two_sum
from numerics.exact import pairs, tables
from numerics.exact.blocks import Block, blocks, row_sums
from numerics.exact.pairs import Pair
from numerics.exact.rounding import Flags
from numerics.exact.values import Answer, Enclosure, Known, Turned, Value
from numerics.formats import FloatArray

SIZE = 24576
"""Logits of a piece."""
KEPT = 2**17
"""Rows up to this length keep their exponentials until the sum is known, longer ones do not."""
STEPS = 8192
LOWEST = -620.0
"""Gaps x - m are evaluated down to here; exp is 2^-895 there, and its tail a normal number."""
ZERO = -750.0
"""Below this gap softmax rounds to 0 in every format."""
NEAR = -LOWEST / 2
"""Logits up to this magnitude need no gap: exp(x) 2^-n will do, with one n for each row."""

ERROR = 1.5 * 2.0**-75
"""Relative error of a softmax."""
LOG_ERROR = 2.0**-75
"""Relative error of log1p(r)."""
NEWTON_ERROR = 2.0**-77
"""Absolute error of log1p(r) besides, where it takes Newton's method."""
LEFT_OUT = 2.0**-862
"""What 2^32 gaps below LOWEST add to r at most."""

PER_STEP = STEPS / math.log(2)
STEP_BITS = STEPS.bit_length() - 1
TO_INTEGER = 1.5 * 2.0**52
TO_GRID = 1.5 * 2.0**12
TO_HEAD = 1.5 * 2.0**26
CUBIC = 1 / 6 + 0.8284 / 120 * (math.log(2) / STEPS / 2) ** 2
"""Coefficient of r^3 that makes up for most of r^5 / 120, for |r| <= ln 2 / (2 STEPS)."""


@dataclass(frozen=True)
class Exponentials:
    """exp(x_i) times what is the same for a row: head + tail, |tail| <= 1.13 2^-26 head.

    A head has 27 bits.
    """

    head: FloatArray
    tail: FloatArray


def exponential(x: FloatArray, low: FloatArray | None = None) -> Pair:
    """exp(x + low) of numbers from LOWEST to 0 as normalised pairs."""
    found = exponentials(x, low)
    return fast_two_sum(found.head, found.tail)


def exponentials(high: FloatArray, low: FloatArray | None = None, shift: Any = 0) -> Exponentials:
    """exp(high + low) 2^-shift for |high| <= -LOWEST; high + low is a sum of two_sum's."""
    k = high * PER_STEP
    k += TO_INTEGER
    bits = k.view(np.int64)
    at = bits & (STEPS - 1)
    exponent = bits >> STEP_BITS
    exponent += 1023 - shift
    exponent <<= 52
    scale = exponent.view(np.float64)
    k -= TO_INTEGER
    r_1, r_2 = _rest(high, low, k)
    head, tail = _product(at, r_1, _expm1(r_1, r_2))
    head *= scale
    tail *= scale
    return Exponentials(head, tail)


def _rest(high: FloatArray, low: FloatArray | None, k: FloatArray) -> Pair:
    """high + low - k ln 2 / STEPS = r_1 + r_2, where r_1 is a multiple of 2^-40. Overwrites k."""
    step_1, step_2, step_3 = _steps()
    r_2 = k * step_1
    np.subtract(high, r_2, out=r_2)
    middle = k * step_2
    r_1 = r_2 - middle
    r_1 += TO_GRID
    r_1 -= TO_GRID
    r_2 -= r_1
    r_2 -= middle
    k *= step_3
    r_2 -= k
    if low is not None:
        r_2 += low
    return r_1, r_2


def _expm1(r_1: FloatArray, r_2: FloatArray) -> FloatArray:
    """exp(r_1 + r_2) - 1 - r_1."""
    r = r_1 + r_2
    p = r * (1 / 24)
    p += CUBIC
    p *= r
    p += 0.5
    p *= r
    p *= r
    p += r_2
    return p


def _product(at: npt.NDArray[np.int64], r_1: FloatArray, p: FloatArray) -> Pair:
    """2^(at/STEPS) (1 + r_1 + p) = head + head r_1 + (tail + tail (r_1 + p) + head p)."""
    heads, tails = tables.powers_of_two(STEPS, 27, 53)
    head, tail = heads.take(at, mode="clip"), tails.take(at, mode="clip")
    r = r_1 + p
    r *= tail
    p *= head
    p += r
    p += tail
    r_1 *= head
    whole = np.add(head, r_1, out=tail)
    head -= whole
    r_1 += head
    p += r_1
    head = np.add(whole, TO_HEAD, out=r_1)
    head -= TO_HEAD
    whole -= head
    p += whole
    return head, p


@functools.cache
def _steps() -> tuple[float, ...]:
    return tables.parts(tables.integer_log2() // STEPS, 30, 30, 53)


def gaps(block: Block, columns: slice, by: FloatArray | None = None) -> Pair:
    """x - m = high + low exactly, for a piece; or less another number for each row than m.

    It is two_sum, in as few arrays as it goes.
    """
    subtracted = block.spread(block.largest if by is None else by)
    low = block.piece(columns)
    high = low - subtracted
    part = high - low
    low -= high - part
    part += subtracted
    low -= part
    return high, low


def _pieces(block: Block) -> Iterator[tuple[slice, Exponentials]]:
    """exp(x_i) of a block, for each row times what brings its largest next to 1."""
    evaluate = _unshifted if block.farthest <= NEAR else _shifted
    for columns in block.columns():
        yield columns, evaluate(block, columns)


def _unshifted(block: Block, columns: slice) -> Exponentials:
    """exp(x_i) 2^-n, where 2^n is next to exp(m)."""
    x = block.piece(columns)
    # One row at most is longer than a piece.
    largest = x.max(axis=block.along) if block.height > 1 else np.array([block.top])
    shift = block.spread(np.floor(largest * (1 / math.log(2))))
    return exponentials(x, shift=shift.astype(np.int64))


def _shifted(block: Block, columns: slice) -> Exponentials:
    """exp(x_i - m); exp(LOWEST) below LOWEST, 0 for -inf."""
    high, low = gaps(block, columns)
    if not high.min() >= LOWEST:
        beyond = ~(high >= LOWEST)
        np.copyto(high, LOWEST, where=beyond)
        np.copyto(low, 0.0, where=beyond)
    found = exponentials(high, low)
    if block.masked:
        masked = np.isneginf(block.piece(columns))
        np.copyto(found.head, 0.0, where=masked)
        np.copyto(found.tail, 0.0, where=masked)
    return found


# --- Sums ----------------------------------------------------------------------------------------


def others(block: Block, left_out: npt.NDArray[np.intp]) -> Pair:
    """sum_j exp(x_j - m) without the term of one column of each row: r without the largest."""
    sums = []
    for columns in block.columns():
        found = _shifted(block, columns)
        block.clear(left_out, columns, found.head, found.tail)
        sums.append(_sum(found, block.along))
    return _total(sums)


def _total(sums: list[Pair]) -> Pair:
    if len(sums) == 1:
        return sums[0]
    return pairs.total((np.stack([s[0] for s in sums]), np.stack([s[1] for s in sums])), 0)


def _sum(found: Exponentials, along: int) -> Pair:
    """Heads and tails are cut on a grid that depends on the largest, so that sums are exact."""
    heads = found.head
    _, exponent = np.frexp(heads.max(axis=along, keepdims=True))
    grid = np.ldexp(1.5, exponent + (heads.shape[along].bit_length() - 1))
    cut = heads + grid
    cut -= grid
    rest = heads - cut
    rest += found.tail
    high = row_sums(cut, along)
    grid *= 2.0**-25
    np.add(rest, grid, out=cut)
    cut -= grid
    rest -= cut
    low = row_sums(cut, along)
    high, last = two_sum(high, low)
    return fast_two_sum(high, last + row_sums(rest, along))


# --- Softmax -------------------------------------------------------------------------------------


def softmax(x: FloatArray, wanted: Flags | None) -> Iterator[Answer]:
    """exp(x_i - m) / (1 + r), all or those wanted."""
    for rows, block in blocks(x, SIZE):
        kept = list(_pieces(block)) if x.shape[1] <= KEPT else None
        inverse = pairs.reciprocal(
            _total([_sum(found, block.along) for _, found in kept or _pieces(block)])
        )
        spread = block.spread(inverse[0]), block.spread(inverse[1])
        for columns, found in kept or _pieces(block):
            if wanted is None:
                yield (rows, columns), Turned(block, _quotients(block, columns, found, spread))
            else:
                at, row, column = block.asked(wanted[rows], columns)
                part = Exponentials(found.head.reshape(-1)[at], found.tail.reshape(-1)[at])
                some = _quotient(part, (inverse[0][row], inverse[1][row]))
                gap = block.x[row, column] - block.largest[row]
                yield (rows.start + row, column), _but_far(some, gap)


def _quotients(block: Block, columns: slice, found: Exponentials, inverse: Pair) -> Value:
    """Those of a piece."""
    quotients = _quotient(found, inverse)
    if not block.lowest_gap < LOWEST:
        return quotients
    return _but_far(quotients, block.piece(columns) - block.spread(block.largest))


def _quotient(found: Exponentials, inverse: Pair) -> Enclosure:
    """(head + tail) inverse: the product of the heads is exact. Overwrites the tail."""
    inverse_1, rest = split(inverse[0])
    high = found.head * inverse_1
    low = found.head * (rest + inverse[1])
    tail = np.multiply(found.tail, inverse[0], out=found.tail)
    low += tail
    return Enclosure(high, low, np.multiply(high, ERROR, out=tail))


def _but_far(quotients: Enclosure, gap: FloatArray) -> Known:
    """Gaps below LOWEST: 0 where it cannot be anything else, otherwise undecided."""
    np.copyto(quotients.error, np.inf, where=gap < LOWEST)
    return Known(quotients, gap < ZERO, 0.0, gap)
