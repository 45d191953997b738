"""What a stage knows of its outputs, in two readings: rounded, or enclosed with a proved error.

`exact` reads numbers of the format, and which of them are undecided. An oracle reads enclosures:
unrounded values, with the error that the stage proves. A value is read once: reading it may use up
its arrays. Knows formats and blocks, and no softmax.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.exact.blocks import Block
from numerics.exact.halves import negative_of, small_of
from numerics.exact.rounding import Flags, Rounded, nearest, nearest_fp64, nearest_number
from numerics.formats import BF16, FP32, FP64, FloatArray, Format

U = FP64.unit_roundoff
HALVES = 2.0**-22
"""The error taken for fp16 and bf16 when they are rounded by way of fp32 first."""
LOST = 2.0**-200
"""What the smallest results of the first stage may be off by, besides."""


class Value(Protocol):
    """Some outputs as a stage knows them."""

    def rounded(self, format: Format) -> Rounded:
        """The numbers of the format, and which of them are undecided."""

    def enclosed(self) -> Enclosure:
        """The same outputs, unrounded."""


Answer: TypeAlias = tuple[Any, Value]
"""Where outputs belong, and what is known of them."""


@dataclass(frozen=True)
class Enclosure:
    """Outputs within (high + low + lower +- error) 2^exponent, in which high + low is exact.

    |low| <= |high|, and `lower` is small beside both: it decides ties. An infinite error says that
    nothing is known. Infinities in `high` are the outputs themselves.
    """

    high: FloatArray
    low: Any
    error: Any
    lower: Any = None
    exponent: Any = None

    def rounded(self, format: Format) -> Rounded:
        """By the processor's addition in fp64, where that will do."""
        if format == FP64 and self.lower is None and self.exponent is None:
            return nearest_fp64(self.high, self.low, self.error)
        lower = 0.0 if self.lower is None else self.lower
        exponent = 0 if self.exponent is None else self.exponent
        return nearest(self.high, self.low, self.error, format, lower=lower, exponent=exponent)

    def enclosed(self) -> Enclosure:
        """Itself."""
        return self


@dataclass(frozen=True)
class Known:
    """Like `others`, but for outputs that round to `value` and are within exp(gap) of it."""

    others: Value
    where: Flags
    value: float
    gap: Any

    def rounded(self, format: Format) -> Rounded:
        """With nothing undecided where the outputs are known."""
        numbers, undecided = self.others.rounded(format)
        np.copyto(numbers, self.value, where=self.where)
        np.copyto(undecided, False, where=self.where)
        return numbers, undecided

    def enclosed(self) -> Enclosure:
        """With an error that is a power of two, since it may be beneath all numbers."""
        found = self.others.enclosed()
        # exp(gap) = 2^(1.4427 gap), and gaps are negative; what is further away is nothing.
        size = np.floor(np.maximum(self.gap, -3000.0) * 1.44).astype(np.int64)
        exponent = np.where(self.where, size, 0 if found.exponent is None else found.exponent)
        return Enclosure(
            np.where(self.where, self.value, found.high),
            np.where(self.where, math.copysign(0.0, self.value), found.low),
            np.where(self.where, 1.0, found.error),
            None if found.lower is None else np.where(self.where, 0.0, found.lower),
            exponent,
        )


@dataclass(frozen=True)
class Doubtful:
    """Like `others`, but not decided in some places, whatever the rounding test says."""

    others: Value
    where: Flags

    def rounded(self, format: Format) -> Rounded:
        """With more that is undecided."""
        numbers, undecided = self.others.rounded(format)
        return numbers, undecided | self.where

    def enclosed(self) -> Enclosure:
        """As if there were no doubt: an enclosure has the sign of a zero in it."""
        return self.others.enclosed()


@dataclass(frozen=True)
class Turned:
    """A piece of a block, as it lies in the block."""

    block: Block
    piece: Value

    def rounded(self, format: Format) -> Rounded:
        """Turned back."""
        numbers, undecided = self.piece.rounded(format)
        return self.block.back(numbers), self.block.back(undecided)

    def enclosed(self) -> Enclosure:
        """Turned back."""
        found = self.piece.enclosed()
        parts = (found.high, found.low, found.error, found.lower, found.exponent)
        high, *others = (p if np.ndim(p) < 2 else self.block.back(p) for p in parts)
        return Enclosure(high, *others)


# --- Of the first stage --------------------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """Numbers of fp64, each with its absolute error."""

    value: FloatArray
    error: FloatArray

    def rounded(self, format: Format) -> Rounded:
        """By casts, where they are beyond doubt."""
        return nearest_number(self.value, self.error, format)

    def enclosed(self) -> Enclosure:
        """The numbers."""
        return Enclosure(self.value, 0.0, self.error)


@dataclass(frozen=True)
class Quotients:
    """A piece of exponentials times one factor for each row: softmax, within `proved` of itself."""

    piece: FloatArray
    factor: FloatArray
    proved: float
    may_be_subnormal: bool

    def rounded(self, format: Format) -> Rounded:
        """Rounds both ends of the interval."""
        error = self.proved if format == FP32 else HALVES
        below, above = self.factor * (1 - error), self.factor * (1 + error)
        low = (self.piece * below).astype(np.float32)
        high_64 = np.multiply(self.piece, above, out=self.piece)
        high = high_64.astype(np.float32)
        if format != FP32:
            return self._halves(low, high, high_64, format)
        undecided = np.not_equal(low, high)
        if self.may_be_subnormal:
            _settle_subnormal(low, undecided, high_64, self.proved)
        return low, undecided

    def _halves(
        self, low: FloatArray, high: FloatArray, high_64: FloatArray, format: Format
    ) -> Rounded:
        """Where fp32 leaves doubt, in fp64; there is no room in its subnormal numbers."""
        rounded = small_of(low, format)
        undecided = np.not_equal(rounded.view(np.int16), small_of(high, format).view(np.int16))
        if format == BF16 and self.may_be_subnormal:
            undecided |= high_64 < 2 * format.smallest_normal
        at = np.flatnonzero(undecided)
        value = high_64.reshape(-1)[at] / (1 + HALVES)
        error = value * (2 * self.proved) + LOST
        _replace(rounded, undecided, at, nearest_number(value, error, format))
        return rounded, undecided

    def enclosed(self) -> Enclosure:
        """Allows subnormal numbers of fp32 twice the error, as rounding does."""
        value = np.multiply(self.piece, self.factor, out=self.piece)
        error = value * self.proved
        if self.may_be_subnormal:
            np.multiply(error, 2, out=error, where=value < FP32.smallest_normal)
            error += LOST
        return Enclosure(value, 0.0, error)


def _settle_subnormal(
    rounded: FloatArray, undecided: Flags, value: FloatArray, proved: float
) -> None:
    """fp32 results that may be subnormal, again: the processor may flush them to 0."""
    at = np.flatnonzero(value < FP32.smallest_normal)
    small = value.reshape(-1)[at]
    if at.size:
        error = small * (2 * proved) + LOST
        _replace(rounded, undecided, at, nearest(small, np.zeros(1), error, FP32))


def _replace(
    rounded: FloatArray, undecided: Flags, at: npt.NDArray[np.intp], found: Rounded
) -> None:
    """Some outputs of a piece have been rounded again, from fp64."""
    rounded.reshape(-1)[at], undecided.reshape(-1)[at] = found


@dataclass(frozen=True)
class Surprises:
    """-((m - x_i) + l) of some columns of a block: log-softmax, with the absolute error of l."""

    block: Block
    columns: slice
    log: FloatArray
    error: FloatArray

    def rounded(self, format: Format) -> Rounded:
        """Rounds both ends of the interval."""
        return self._singles() if format == FP32 else self._halves(format)

    def enclosed(self) -> Enclosure:
        """Two roundings of fp64 beside the error of l."""
        value = self._surprises()
        error = value * (6 * U)
        error += self.block.spread(self.error)
        return Enclosure(np.subtract(0.0, value, out=value), 0.0, error)

    def _surprises(self) -> FloatArray:
        spread = self.block.spread
        surprises = np.subtract(spread(self.block.largest), self.block.piece(self.columns))
        surprises += spread(self.log)
        return np.asarray(surprises)

    def _singles(self) -> Rounded:
        error, surprise = self.block.spread(self.error), self._surprises()
        low = surprise * (1 - 6 * U)
        low -= error
        surprise *= 1 + 6 * U
        surprise += error
        rounded = low.astype(np.float32)
        undecided = np.not_equal(rounded, surprise.astype(np.float32))
        return np.negative(rounded, out=rounded), undecided

    def _halves(self, format: Format) -> Rounded:
        """In fp32, where that leaves doubt in fp64."""
        block, spread = self.block, self.block.spread
        x = block.piece(self.columns, np.float32, copy=False)
        surprise = spread(block.largest.astype(np.float32)) - x
        surprise += spread(self.log.astype(np.float32))
        rounded = negative_of(surprise * np.float32(1 - 2 * HALVES), format)
        surprise *= np.float32(1 + 2 * HALVES)
        above = negative_of(surprise, format)
        undecided = np.not_equal(rounded.view(np.int16), above.view(np.int16))
        if not np.isfinite(self.error).all():
            undecided |= spread(np.isinf(self.error))
        at = np.flatnonzero(undecided)
        row, _ = block.places(at, self.columns)
        value = (block.largest[row] - x.reshape(-1)[at]) + self.log[row]
        error = self.error[row] + 6 * U * value
        _replace(rounded, undecided, at, nearest_number(-value, error, format))
        return rounded, undecided


def nothing_but(value: float, gap: FloatArray) -> Known:
    """Outputs that all round to one value, and are within exp(gap) of it."""
    zeros = np.zeros(gap.shape)
    return Known(Enclosure(zeros, zeros, math.inf), np.ones(gap.shape, np.bool_), value, gap)
