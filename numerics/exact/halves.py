"""fp32 to 16 bits, to fp16 by integer operations: no subnormal fp32 on the way.

NumPy's cast to fp16 takes one number at a time; that of ml_dtypes to bf16 rounds the bits, whole
vectors of them. `numerics.fast.half` is quicker still, and trusts the processor with subnormal
numbers. Rounding fp64 to fp32 and then to 16 bits is rounding twice, which is wrong only beside the
midpoint of two of their numbers, within 2^-24 of it: the rounding test has to leave more room than
that. Below the smallest normal number of fp32, which is that of bf16, it cannot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from numerics.formats import FP16, FloatArray, Format

FRACTION_BITS = np.int32(13)
ROUND_AND_REBIAS = np.int32((1 << 12) - (112 << 23))
NORMAL = np.float32(2.0**-13)
"""From 2^-14 to 2^-13 fp16 numbers are as far apart as subnormal ones."""
UNIT = np.float32(0.5)
"""fp32 numbers from here to 1 are as far apart as subnormal fp16 numbers."""
INFINITY = np.int32(0x7C00)
SIGN = np.int16(-0x8000)


def small_of(x: FloatArray, format: Format) -> FloatArray:
    """Non-negative fp32 up to 1 rounded to 16 bits; to subnormal numbers of fp16 only."""
    found: FloatArray = small_halves(x) if format == FP16 else x.astype(format.dtype)
    return found


def negative_of(x: FloatArray, format: Format) -> FloatArray:
    """-x for normal fp32 x, at least 2^-14 for fp16, rounded to 16 bits, to -inf as well."""
    found: FloatArray = (
        negative_halves(x) if format == FP16 else np.negative(x).astype(format.dtype)
    )
    return found


def small_halves(x: FloatArray) -> FloatArray:
    """Non-negative fp32 up to 1 rounded to fp16, subnormal numbers too."""
    subnormal = np.minimum(x, NORMAL)
    subnormal += UNIT
    counted = subnormal.view(np.int32)
    counted -= UNIT.view(np.int32)
    return _halves(np.maximum(_normal(x), counted, out=counted))


def negative_halves(x: FloatArray) -> FloatArray:
    """-x for fp32 x >= 2^-14, rounded to fp16, to -inf as well."""
    bits = _halves(np.minimum(_normal(x), INFINITY)).view(np.int16)
    bits |= SIGN
    halves: FloatArray = bits.view(np.float16)
    return halves


def _normal(x: FloatArray) -> npt.NDArray[np.int32]:
    bits: npt.NDArray[np.int32] = x.view(np.int32) + ROUND_AND_REBIAS
    bits >>= FRACTION_BITS
    return bits


def _halves(bits: npt.NDArray[np.int32]) -> FloatArray:
    halves: FloatArray = bits.astype(np.int16).view(np.float16)
    return halves
