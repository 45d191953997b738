"""The rounding test: is every number within `error` of high + low rounded to the same one?

Knows formats and pairs, and no softmax. Uses integer operations for subnormal results, so that it
does not matter whether the processor flushes them to zero.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.eft import fast_two_sum, two_sum
from numerics.exact.pairs import Pair
from numerics.formats import BF16, FP16, FloatArray, Format

Flags: TypeAlias = npt.NDArray[np.bool_]
Rounded: TypeAlias = tuple[FloatArray, Flags]
"""What outputs are rounded to, and which of them are undecided."""
Bits: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]


SURPLUS = 53 - BF16.precision
"""Bits of fp64 that bf16 has not."""
BELOW_HALF = (1 << (SURPLUS - 1)) - 1


def nearest(
    high: FloatArray,
    low: FloatArray,
    error: Any,
    format: Format,
    *,
    lower: Any = 0.0,
    exponent: Any = 0,
) -> Rounded:
    """(high + low + lower +- error) 2^exponent rounded to nearest, and where that is two numbers.

    high + low is taken exactly, so that a tiny `lower` decides ties. |low| <= |high|; |lower| and
    the error are below a quarter of a place, or the result is undecided. An end of the interval
    that is a midpoint is undecided, too: this never breaks a tie. A zero has the sign of high.
    docs/exact.md has the lemma and its proof.
    """
    high, low = fast_two_sum(high, low)
    negative = np.signbit(high)
    below, above = lower - error, lower + error
    below, above = np.where(negative, -above, below), np.where(negative, -below, above)
    high, low = np.abs(high), np.where(negative, -low, low)
    # Everything in units of the last place of the result, 2^unit.
    lowest = lowest_unit(format)
    unit = np.maximum(np.frexp(high)[1] + exponent - format.precision, lowest)
    unit = np.where(high == 0, lowest, unit)
    shift = np.maximum(exponent - unit, -2000)
    high, low, below, above = (np.ldexp(part, shift) for part in (high, low, below, above))
    whole = np.rint(high)
    middle = two_sum(high - whole, low)
    # Below a power of two the next number is half as far away.
    hidden = 2.0 ** (format.precision - 1)
    narrow = (whole == hidden) & (unit > lowest)
    first = _step(middle, below, narrow, up=np.greater, down=np.less_equal)
    last = _step(middle, above, narrow, up=np.greater_equal, down=np.less)
    small = (np.abs(below) < 0.25) & (np.abs(above) < 0.25)
    rounded = _assembled(whole + last, unit, negative, format)
    return rounded, ~(small & (first == last))


def _step(
    middle: Pair, rest: FloatArray, narrow: Flags, up: np.ufunc, down: np.ufunc
) -> FloatArray:
    """Places to go from the nearest whole number: 1, 0, -1, or -1/2 below a power of two."""
    high, low = two_sum(middle[0], middle[1] + rest)
    half = np.where(narrow, 0.25, 0.5)
    rises = (high > 0.5) | ((high == 0.5) & up(low, 0))
    falls = (high < -half) | ((high == -half) & down(low, 0))
    step: FloatArray = rises - np.where(narrow, 0.5, 1.0) * falls
    return step


def nearest_fp64(high: FloatArray, low: FloatArray, error: Any) -> Rounded:
    """high + low +- error rounded to fp64, where the error is at least 2^-104 |high|.

    The addition of the processor is the rounding; that of low +- error is beneath the error.
    """
    above = low + error
    above += high
    low -= error
    low += high
    return low, np.not_equal(low, above)


def nearest_number(value: FloatArray, error: FloatArray, format: Format) -> Rounded:
    """value +- error rounded to fp16, bf16 or fp32: by casts, where they are beyond doubt.

    A processor may flush subnormal numbers of fp32 to 0, and knows none of fp16. A zero has the
    sign of the value, though the error may exceed it.
    """
    rounded = narrowed(value - error, format)
    undecided = np.not_equal(rounded, narrowed(value + error, format))
    small = np.abs(value) < 2 * format.smallest_normal
    if format != FP16 and small.any():
        found = nearest(value[small], np.zeros(1), error[small], format)
        rounded[small], undecided[small] = found
    # What is left of an infinite value when an infinite error is taken from it.
    infinite = np.isinf(value)
    rounded[infinite], undecided[infinite] = value[infinite], False
    return np.copysign(rounded, value.astype(format.dtype)), undecided


def narrowed(x: FloatArray, format: Format) -> FloatArray:
    """fp64 rounded once to fp16, bf16 or fp32, in which it is no subnormal number of the last two.

    ml_dtypes rounds to fp32 on the way to bf16, so a number of 8 bits is made of it before.
    """
    if format == BF16:
        bits = x.view(np.int64)
        to_even = (bits >> SURPLUS) & 1
        x = ((bits + (to_even + BELOW_HALF)) & -(1 << SURPLUS)).view(np.float64)
    found: FloatArray = x.astype(format.dtype)
    return found


def _assembled(whole: FloatArray, unit: FloatArray, negative: Flags, format: Format) -> FloatArray:
    """+-whole 2^unit, which the format has, as subnormal numbers or as infinity too.

    Multiples of the smallest number, up to the second binade, have the bits of an integer.
    """
    result: FloatArray = np.ldexp(whole, unit).astype(format.dtype)
    codes = codes_of(result)
    np.copyto(codes, whole.astype(codes.dtype), where=unit == lowest_unit(format))
    return np.asarray(np.where(negative, -result, result))


def lowest_unit(format: Format) -> int:
    """Exponent of the smallest subnormal number, the last place of all below 2^min_exponent."""
    return format.min_exponent - format.precision + 1


def codes_of(x: FloatArray) -> Bits:
    """The bits of an array, seen as integers: no mode of the processor changes them."""
    return x.view(f"u{x.itemsize}")


def magnitudes(x: FloatArray) -> Bits:
    """The bits without their sign; they grow as |x| does, and exceed those of inf for NaN."""
    codes = codes_of(x)
    found: Bits = codes & (codes_of(np.array(-0.0, x.dtype)) - codes.dtype.type(1))
    return found
