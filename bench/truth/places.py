"""Enclosures as places of a format: significand, fraction and exponent, or not sure.

An enclosure tells the three numbers of `Exact` if it is narrow enough, if no number that is rounded
elsewhere is in it, and if all of it is on one side of a power of two, where ulps change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.truth.exact import NARROW, Exact
from numerics.eft import fast_two_sum, two_sum
from numerics.exact.blocks import SHORT
from numerics.exact.rounding import lowest_unit
from numerics.exact.values import Enclosure
from numerics.formats import FloatArray, Format

SURE, UNSURE, AT_POWER = range(3)
"""What is known: all; too little; all but whether it is below the power of two that it is next to.

The latter stands there as if it were above.
"""
TINY = -1000
"""Numbers below 2^TINY ulps are taken for as large as that, errors too."""


@dataclass(frozen=True)
class Places:
    """Arrays of one shape: the numbers of `Exact`, and what is known of them."""

    significand: FloatArray
    fraction: FloatArray
    exponent: npt.NDArray[np.int32]
    knowledge: npt.NDArray[np.uint8]

    @staticmethod
    def empty(shape: tuple[int, ...]) -> Places:
        """Of that shape, and nothing in it."""
        dtypes = (np.float64, np.float64, np.int32, np.uint8)
        return Places(*(np.empty(shape, dtype) for dtype in dtypes))

    def __getitem__(self, at: Any) -> Places:
        """Some of them; a view where NumPy gives views."""
        return Places(*(part[at] for part in vars(self).values()))

    def exact(self) -> Exact:
        """The numbers alone, flat."""
        significand = self.significand.ravel().astype(np.float64, copy=False)
        fraction = self.fraction.ravel().astype(np.float64, copy=False)
        return Exact(significand, fraction, self.exponent.ravel())

    def put(self, at: Any, found: Places, wanted: npt.NDArray[np.bool_] | None = None) -> None:
        """Write some of them, all or those wanted."""
        for name, mine in vars(self).items():
            new = getattr(found, name)
            if wanted is None:
                _copy(mine, at, new)
            else:
                mine[at] = np.where(wanted, new, mine[at])


def _copy(target: npt.NDArray[Any], at: Any, new: npt.NDArray[Any]) -> None:
    """Short rows, which lie turned, column by column: NumPy would go along the rows."""
    turned = new.ndim == 2 and new.flags.f_contiguous and new.shape[1] <= SHORT
    if turned and isinstance(at, tuple):
        rows, columns = at
        for column in range(new.shape[1]):
            target[rows, columns.start + column] = new[:, column]
    else:
        target[at] = new


def places(found: Enclosure, format: Format) -> Places:
    """Where the outputs are, as far as the enclosure tells."""
    with np.errstate(all="ignore"):
        scaled = _Scaled(found, format)
        whole, rest, tail = _nearest(scaled)
        knowledge = _knowledge(rest, tail, scaled.error)
        fraction = rest if np.ndim(tail) == 0 else rest + tail
        exponent = scaled.unit.astype(np.int32)
        result = Places(whole, fraction, exponent, knowledge)
        _beside_powers(result, scaled, format)
        _signed(result, scaled.normalised, format)
    return result


class _Scaled:
    """|high + low|, the rest with its sign, and the error, in ulps of the binade of `high`."""

    def __init__(self, found: Enclosure, format: Format) -> None:
        high, low = found.high, found.low
        paired = bool(np.ndim(low))
        if paired:
            high, low = fast_two_sum(high, low)
        self.normalised = high
        magnitude = np.abs(high)
        exponent = found.exponent
        unit = magnitude.view(np.int64) >> 52
        unit -= 1023 + format.precision - 1
        if exponent is not None:
            unit += exponent
        self.unit = np.maximum(unit, lowest_unit(format), out=unit)
        shift = -unit if exponent is None else np.maximum(exponent - unit, TINY)
        scale = _power(shift, format)
        sign = np.copysign(1.0, high) if paired else 1.0
        self.high = _times(magnitude, shift, scale)
        self.low = _times(low * sign, shift, scale) if paired else None
        self.lower: Any = 0.0 if found.lower is None else _times(found.lower * sign, shift, scale)
        self.error = _times(found.error, shift, scale)


def _power(shift: npt.NDArray[np.int64], format: Format) -> FloatArray | None:
    """2^shift, unless that is beyond fp64."""
    if lowest_unit(format) < -1023 and shift.size and shift.max() > 1023:
        return None
    bits = shift + 1023
    bits <<= 52
    return bits.view(np.float64)


def _times(part: Any, shift: npt.NDArray[np.int64], scale: FloatArray | None) -> FloatArray:
    return np.asarray(np.ldexp(part, shift) if scale is None else part * scale)


def _nearest(scaled: _Scaled) -> tuple[FloatArray, FloatArray, Any]:
    """A whole number, what is left, and the tail of that, which decides ties."""
    whole = np.rint(scaled.high)
    rest = np.subtract(scaled.high, whole, out=scaled.high)
    if scaled.low is None:
        return whole, rest, scaled.lower
    rest, tail = two_sum(rest, scaled.low)
    tail += scaled.lower
    size = np.abs(rest)
    beyond = (size > 0.5) | ((size == 0.5) & (rest * tail > 0))
    step = np.copysign(beyond.astype(np.float64), rest)
    whole += step
    rest -= step
    return whole, rest, tail


def _knowledge(rest: FloatArray, tail: Any, error: FloatArray) -> npt.NDArray[np.uint8]:
    """Whether the error is small, and no midpoint within it; an exact tie has no error."""
    room = np.abs(rest)
    np.subtract(0.5, room, out=room)
    if np.ndim(tail):
        room -= np.copysign(1.0, rest) * tail
    unsure = ~(room > error)
    if not (error.size and error.max() <= NARROW):
        unsure |= ~(error <= NARROW)
    if unsure.any():
        unsure &= error != 0
    return unsure.view(np.uint8)


def _beside_powers(result: Places, scaled: _Scaled, format: Format) -> None:
    """Ulps are half as large below a power of two: on which side of it are those beside one?"""
    hidden, whole = 2.0 ** (format.precision - 1), result.significand
    beside = whole == hidden
    beside |= whole == 2 * hidden
    at = np.nonzero(beside)
    if not at[0].size:
        return
    of_upper = whole[at] == hidden  # of the numbers between two powers, the first or the end
    at = tuple(along[~of_upper | (scaled.unit[at] > lowest_unit(format))] for along in at)
    of_upper = whole[at] == hidden
    ulps = np.where(of_upper, 1.0, 0.5)
    fraction, error = (
        ulps * result.fraction[at],
        ulps * np.broadcast_to(scaled.error, whole.shape)[at],
    )
    unit = scaled.unit[at] + np.where(of_upper, 0, 1)
    doubtful = (np.abs(fraction) <= error) & (error > 0)
    below = ~doubtful & (fraction < 0)
    result.significand[at] = np.where(below, 2 * hidden, hidden)
    result.fraction[at] = np.where(below, 2 * fraction, fraction)
    result.exponent[at] = np.where(below, unit - 1, unit)
    # Half of an ulp above is a whole one below: such a number is left to those that come after.
    far = below & (2 * np.abs(fraction) + 2 * error >= 0.5)
    known = np.where(doubtful, np.uint8(AT_POWER), result.knowledge[at])
    narrow = (2 * error <= NARROW) & ~far
    result.knowledge[at] = np.where(narrow, known, np.uint8(UNSURE))


def _signed(result: Places, high: FloatArray, format: Format) -> None:
    """The sign of the outputs, and infinities as they are."""
    negative = np.signbit(high)  # of zeros, too
    if negative.any():
        for part in (result.significand, result.fraction):
            np.negative(part, out=part, where=negative)
    infinite = np.isinf(high)
    if infinite.any():
        result.significand[infinite] = high[infinite]
        result.fraction[infinite] = 0.0
        result.exponent[infinite] = lowest_unit(format)
        result.knowledge[infinite] = SURE
