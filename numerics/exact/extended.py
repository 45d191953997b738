"""The second stage, and the first of fp64: about 75 bits, in pairs of fp64 numbers.

exp(r) is a number of 27 bits and one of 53 beside it, so that a product of two such heads is
exact and everything else may be rounded. docs/exact.md derives the error of every step, named
here as it is named there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from numerics.eft import fast_two_sum, split, two_sum
from numerics.exact import pairs, tables
from numerics.exact.blocks import Block, blocks
from numerics.exact.pairs import Pair
from numerics.exact.rounding import Answer, Flags, Rounded, nearest, nearest_fp64
from numerics.formats import FP64, FloatArray, Format, format_of

SIZE = 16384
"""Logits of a piece."""
KEPT = 2**17
"""Rows up to this length keep their exponentials until the sum is known, longer ones do not."""
STEPS = 8192
LOWEST = -680.0
"""Gaps x - m are evaluated down to here; exp is 2^-981 there."""
ZERO = -750.0
"""Below this gap softmax rounds to 0 in every format."""

ERROR = 1.5 * 2.0**-75
"""Relative error of a softmax."""
LOG_ERROR = 2.0**-72
"""Relative error of log1p(r)."""
LEFT_OUT = 2.0**-950
"""What gaps below LOWEST add to r at most."""

PER_STEP = STEPS / math.log(2)
STEP_BITS = STEPS.bit_length() - 1
TO_INTEGER = 1.5 * 2.0**52
TO_GRID = 1.5 * 2.0**12
TO_HEAD = 1.5 * 2.0**26
CUBIC = 1 / 6 + 0.8284 / 120 * (math.log(2) / STEPS / 2) ** 2
"""Coefficient of r^3 that makes up for r^5 / 120 as well as it can for |r| <= ln 2 / (2 STEPS)."""


@dataclass(frozen=True)
class Exponentials:
    """exp(x_i - m) = (head + tail) scale; head has 27 bits, tail is at most 2^-26, scale = 2^n."""

    head: FloatArray
    tail: FloatArray
    scale: FloatArray

    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """All three."""
        return self.head, self.tail, self.scale


def exponential(x: FloatArray) -> Pair:
    """exp(x) of numbers from LOWEST to 0 as normalised pairs."""
    found = exponentials(x, np.zeros_like(x))
    return fast_two_sum(found.head * found.scale, found.tail * found.scale)


def exponentials(high: FloatArray, low: FloatArray) -> Exponentials:
    """exp(high + low) for LOWEST <= high <= 0."""
    step_1, step_2, step_3 = _steps()
    heads, tails = tables.powers_of_two(STEPS, 27, 53)
    k = high * PER_STEP
    k += TO_INTEGER
    bits = k.view(np.int64)
    at = bits & (STEPS - 1)
    scale = bits >> STEP_BITS
    scale += 1023
    scale <<= 52
    k -= TO_INTEGER
    # r = high + low - k ln 2 / STEPS = r_1 + r_2
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
    r_2 += low
    r = np.add(r_1, r_2, out=middle)
    # p = exp(r) - 1 - r_1
    p = np.multiply(r, 1 / 24, out=k)
    p += CUBIC
    p *= r
    p += 0.5
    p *= r
    p *= r
    p += r_2
    # 2^(j/STEPS) exp(r) = head + head r_1 + (tail + tail (r_1 + p) + head p)
    head, tail = heads.take(at, mode="clip"), tails.take(at, mode="clip")
    np.add(r_1, p, out=r)
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
    return Exponentials(head, p, scale.view(np.float64))


@functools.cache
def _steps() -> tuple[float, ...]:
    return tables.parts(tables.integer_log2() // STEPS, 30, 30, 53)


def gaps(block: Block, columns: slice) -> tuple[FloatArray, FloatArray]:
    """x - m = high + low exactly, for a piece: two_sum, in as few arrays as it goes."""
    low, largest = block.piece(columns), block.spread(block.largest)
    high = low - largest
    part = high - low
    low -= high - part
    part += largest
    low -= part
    return high, low


def _piece(block: Block, columns: slice) -> Exponentials:
    """exp(x_i - m) of a piece; exp(LOWEST) below LOWEST, 0 for -inf."""
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


def _pieces(block: Block) -> Iterator[tuple[slice, Exponentials]]:
    for columns in block.columns():
        yield columns, _piece(block, columns)


def others(block: Block) -> Pair:
    """r = sum_j exp(x_j - m) without the largest term, which is 1."""
    return _sum_of_others(block, _pieces(block))


def _sum_of_others(block: Block, pieces: Iterable[tuple[slice, Exponentials]]) -> Pair:
    sums = [_sum(block, columns, found) for columns, found in pieces]
    if len(sums) == 1:
        return sums[0]
    return pairs.total((np.stack([s[0] for s in sums]), np.stack([s[1] for s in sums])), 0)


def _sum(block: Block, columns: slice, found: Exponentials) -> Pair:
    """Heads and tails are cut on a grid that depends on the largest, so that sums are exact."""
    heads = block.without_largest(found.head * found.scale, columns)
    tails = block.without_largest(found.tail * found.scale, columns)
    along = block.along
    _, exponent = np.frexp(heads.max(axis=along))
    room = heads.shape[along].bit_length() - 1
    grid = block.spread(np.ldexp(1.5, exponent + room))
    cut = heads + grid
    cut -= grid
    heads -= cut
    tails += heads
    high = np.add.reduce(cut, axis=along)
    grid = grid * 2.0**-25
    np.add(tails, grid, out=cut)
    cut -= grid
    tails -= cut
    low = np.add.reduce(cut, axis=along)
    high, rest = two_sum(high, low)
    return fast_two_sum(high, rest + np.add.reduce(tails, axis=along))


def softmax(x: FloatArray, wanted: Flags | None) -> Iterator[Answer]:
    """exp(x_i - m) / (1 + r), all or those wanted."""
    format = format_of(x.dtype)
    parts = blocks(x, SIZE)
    kept = [list(_pieces(block)) if x.shape[1] <= KEPT else None for _, block in parts]
    sums = [
        _sum_of_others(block, pieces or _pieces(block))
        for (_, block), pieces in zip(parts, kept, strict=True)
    ]
    r = np.concatenate([s[0] for s in sums]), np.concatenate([s[1] for s in sums])
    inverses = pairs.reciprocal(pairs.add((np.ones_like(r[0]), np.zeros_like(r[0])), r))
    for (rows, block), pieces in zip(parts, kept, strict=True):
        inverse = inverses[0][rows], inverses[1][rows]
        for columns, found in pieces or _pieces(block):
            if wanted is None:
                spread = block.spread(inverse[0]), block.spread(inverse[1])
                rounded, undecided = _quotient(found, spread, format)
                if block.smallest < block.top + LOWEST:
                    gap = block.piece(columns) - block.spread(block.largest)
                    _decide_far(gap, rounded, undecided)
                yield (rows, columns), block.back(rounded), block.back(undecided)
            else:
                at, row, column = block.asked(wanted[rows], columns)
                part = Exponentials(*(a.reshape(-1)[at] for a in found.arrays()))
                rounded, undecided = _quotient(part, (inverse[0][row], inverse[1][row]), format)
                _decide_far(block.x[row, column] - block.largest[row], rounded, undecided)
                yield (rows.start + row, column), rounded, undecided


def _quotient(found: Exponentials, inverse: Pair, format: Format) -> Rounded:
    """(head + tail) inverse: the product of the heads is exact. Overwrites the tail."""
    inverse_1, rest = split(inverse[0])
    high = found.head * inverse_1
    low = found.head * (rest + inverse[1])
    tail = np.multiply(found.tail, inverse[0], out=found.tail)
    low += tail
    error = np.multiply(high, ERROR, out=tail)
    if format != FP64:
        return nearest(high, low, error, format, exponent=np.frexp(found.scale)[1] - 1)
    rounded, undecided = nearest_fp64(high, low, error)
    rounded *= found.scale
    return rounded, undecided


def _decide_far(gap: FloatArray, rounded: FloatArray, undecided: Flags) -> None:
    """Gaps below LOWEST: 0 where it cannot be anything else, otherwise undecided."""
    undecided |= gap < LOWEST
    zero = gap < ZERO
    np.copyto(rounded, 0, where=zero)
    np.copyto(undecided, False, where=zero)
