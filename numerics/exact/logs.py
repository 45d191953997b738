"""The three operations that need the logarithm of a sum, on any stage that works with pairs.

With r, the sum of exp(x_j - m) without its largest term, and l = log1p(r):

    log_softmax(x)_i = (x_i - m) - l,    log_sum_exp(x) = m + l,    cross_entropy = l - (x_y - m)

The difference x_i - m is exact as a pair, and nothing cancels in the first and the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from numerics.eft import fast_two_sum, two_sum
from numerics.exact.blocks import Block, blocks
from numerics.exact.extended import gaps
from numerics.exact.logarithm import SMALL, log1p
from numerics.exact.pairs import Pair
from numerics.exact.rounding import Flags
from numerics.exact.values import Answer, Doubtful, Enclosure, Known, Turned, Value, nothing_but
from numerics.formats import FP64, FloatArray
from numerics.rows import Labels, at_label

VANISHING = 770.0
"""exp of a gap below minus this is beneath half the smallest number, 2^24 times over."""
NEAR, NEAR_ERROR = 2.0**10, 2.0**-91
"""Logits up to this magnitude are added in pairs, which errs by no more than this."""

NOTHING = np.float64(-np.inf)
"""Logarithm of how far an infinite output is from what it is."""


class Stage(Protocol):
    """What `extended` and `double_double` have in common."""

    SIZE: int
    LOG_ERROR: float
    NEWTON_ERROR: float
    LEFT_OUT: float

    @property
    def others(self) -> Callable[[Block, npt.NDArray[np.intp]], Pair]:
        """Sums of a block, one a row, without the column given for it."""

    @property
    def exponential(self) -> Callable[[FloatArray], Pair]:
        """exp(x) for -64 < x <= 0."""


def _log_of_sums(
    stage: Stage, parts: list[tuple[slice, Block]]
) -> tuple[Pair, FloatArray, npt.NDArray[np.intp]]:
    """l and its absolute error, one a row, exactly 0 where no other logit is finite; and lost rows.

    An l that is all but lost in what was left out is set to 8 LEFT_OUT, and the error to almost
    that: what matters of it is that it is positive (docs/exact.md, "Ties").
    """
    sums = [stage.others(block, block.largest_at) for _, block in parts]
    r = (np.concatenate([r[0] for r in sums]), np.concatenate([r[1] for r in sums]))
    (high, low), failed = log1p(r, stage.exponential)
    besides = np.where(r[0] > SMALL, stage.NEWTON_ERROR, stage.LEFT_OUT) + failed
    error = high * stage.LOG_ERROR + besides
    lost = (r[0] > 0) & (high < 8 * stage.LEFT_OUT)
    high[lost], low[lost], error[lost] = 8 * stage.LEFT_OUT, 0, (8 - 2.0**-20) * stage.LEFT_OUT
    return (high, low), np.where(r[0] > 0, error, 0.0), np.flatnonzero(lost)


def vanishing(x: FloatArray, lost: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Those rows whose r rounds to 0 in every format: masked by -1e9, with one token allowed."""
    if not lost.size:
        return lost
    rows = x[lost]
    rows.partition(-2, axis=1)
    second, largest = rows[:, -2:].T.astype(np.float64)
    found: npt.NDArray[np.intp] = lost[largest - second > VANISHING]
    return found


def vanished(x: FloatArray, lost: npt.NDArray[np.intp]) -> FloatArray:
    """Logarithm of what the r of a lost row is at most: K - 1 exponentials of -VANISHING."""
    return np.full(lost.size, math.log(x.shape[1]) - VANISHING)


def _sum(a: Pair, b: Pair, error: FloatArray, dtype: np.dtype[Any]) -> Enclosure:
    """a + b, where a is exact and b errs by `error`."""
    high, middle = two_sum(a[0], b[0])
    if high.size == 0:
        return Enclosure(high, middle, 0.0)
    slack = float(np.abs(high).max() + np.abs(b[0]).max()) * 2.0**-103
    if dtype == FP64.dtype and slack <= error.min():
        return Enclosure(high, middle + (a[1] + b[1]), error + slack)
    middle, lower = two_sum(middle, a[1])
    error = error + 2.0**-52 * (np.abs(lower) + np.abs(b[1]))
    # Where a and b cancel, the low part of b counts as much as what is left.
    middle, lower = two_sum(middle, lower + b[1])
    high, middle = two_sum(high, middle)
    return Enclosure(high, middle, error, lower)


def log_softmax(stage: Stage, x: FloatArray, wanted: Flags | None) -> Iterator[Answer]:
    """(x_i - m) - l, all or those wanted."""
    parts = blocks(x, stage.SIZE)
    log, errors, lost = _log_of_sums(stage, parts)
    for rows, block in parts:
        l_high, l_low, error = log[0][rows], log[1][rows], errors[rows]
        if wanted is None and x.dtype == FP64.dtype and block.farthest <= NEAR:
            yield from _near(rows, block, (l_high, l_low), error)
            continue
        for columns in block.columns():
            if wanted is None:
                spread = (block.spread(-l_high), block.spread(-l_low)), block.spread(error)
                gap = gaps(block, columns)
                yield (rows, columns), Turned(block, _difference(gap, *spread, x.dtype))
            else:
                _, row, column = block.asked(wanted[rows], columns)
                gap = two_sum(block.x[row, column].astype(np.float64), -block.largest[row])
                log_of_row = -l_high[row], -l_low[row]
                yield (rows.start + row, column), _difference(gap, log_of_row, error[row], x.dtype)
    lost = vanishing(x, lost)
    if lost.size:
        yield (lost, x[lost].argmax(axis=1)), nothing_but(-0.0, vanished(x, lost))


def _near(rows: slice, block: Block, log: Pair, error: FloatArray) -> Iterator[Answer]:
    """x_i - (m + l), all of them -log 2 or below but that of the largest logit, which is -l."""
    total, rest = two_sum(block.largest, log[0])
    total, rest = fast_two_sum(total, rest + log[1])
    for columns in block.columns():
        yield (rows, columns), Turned(block, _from_pair(block, columns, (total, rest), error))
    at = np.arange(rows.start, rows.start + block.height), block.largest_at
    yield at, Enclosure(0.0 - log[0], 0.0 - log[1], error)


def _from_pair(block: Block, columns: slice, total: Pair, error: FloatArray) -> Enclosure:
    """x_i - total of a piece."""
    high, low = gaps(block, columns, total[0])
    low -= block.spread(total[1])
    return Enclosure(high, low, block.spread(error + NEAR_ERROR))


def _difference(gap: Pair, log: Pair, error: FloatArray, dtype: np.dtype[Any]) -> Value:
    """gap + log; -inf for a gap of -inf."""
    high, low = gap
    if high.size == 0 or high.min() > -np.inf:
        return _sum(gap, log, error, dtype)
    beyond = np.isneginf(high)
    at = np.flatnonzero(beyond)
    high.reshape(-1)[at], low.reshape(-1)[at] = 0.0, 0.0
    return Known(_sum((high, low), log, error, dtype), beyond, -np.inf, NOTHING)


def log_sum_exp(stage: Stage, x: FloatArray) -> Iterator[Answer]:
    """m + l."""
    parts = blocks(x, stage.SIZE)
    log, error, _ = _log_of_sums(stage, parts)
    largest = np.concatenate([block.largest for _, block in parts])
    total = _sum((largest, np.zeros_like(largest)), log, error, x.dtype)
    # Where m and l cancel, the sign of a 0 may be in doubt.
    value = np.abs((largest + log[0]) + log[1])
    doubtful = (value <= 2 * error) & (largest != 0) & (error > 0)
    yield slice(None), Doubtful(total, doubtful)


def cross_entropy(stage: Stage, x: FloatArray, labels: Labels) -> Iterator[Answer]:
    """l - (x_y - m)."""
    parts = blocks(x, stage.SIZE)
    log, error, lost = _log_of_sums(stage, parts)
    largest = np.concatenate([block.largest for _, block in parts])
    high, low = two_sum(largest, -at_label(x, labels).astype(np.float64))
    beyond = np.isposinf(high)
    high[beyond], low[beyond] = 0.0, 0.0
    total = _sum((high, low), log, error, x.dtype)
    yield slice(None), Known(total, beyond, np.inf, NOTHING)
    lost = vanishing(x, lost)
    lost = lost[(high[lost] == 0) & ~beyond[lost]]
    if lost.size:
        yield lost, nothing_but(0.0, vanished(x, lost))
