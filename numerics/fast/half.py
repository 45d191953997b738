"""fp16 to fp32 and back by integer operations on the bits, several times faster than casts.

NumPy converts one number at a time; shifts, masks and products work on whole vectors (docs/fast.md
has the times). Both formats hold sign, exponent and fraction in this order, so 13 more bits of
fraction and a product by 2^112, the difference of the exponents' biases, make one from the other.
Subnormal numbers come out right: a product by a power of two moves them in and out of their range.
"""

from __future__ import annotations

import numpy as np

from numerics.formats import FloatArray

FRACTION_BITS = np.int32(13)
HALF = np.int32(1 << 12)
BIAS, UNBIAS = np.float32(2.0**112), np.float32(2.0**-112)
SIGN_AND_MAGNITUDE = np.int32(-0x70002000)  # 0x8fffe000
SIGN = np.int16(-0x8000)
INFINITY, MINUS_INFINITY = 0x7C00, 0xFC00
OVERFLOW = np.float32(2.0**16)


def widen(x: FloatArray, out: FloatArray) -> FloatArray:
    """fp16 as fp32 in `out`, exactly, infinities and NaN included."""
    bits, wide = x.view(np.int16), out.view(np.int32)
    np.copyto(wide, bits)
    np.left_shift(wide, FRACTION_BITS, out=wide)
    # The sign was extended over three bits that belong to the exponent.
    np.bitwise_and(wide, SIGN_AND_MAGNITUDE, out=wide)
    np.multiply(out, BIAS, out=out)
    if bits.max() >= INFINITY or bits.view(np.uint16).max() >= MINUS_INFINITY:
        # The exponent of infinity and NaN has been taken for one more binade.
        np.copyto(out, x, where=~np.isfinite(x))
    return out


def narrow(x: FloatArray, out: FloatArray) -> None:
    """fp32 in [0, 65 520), rounded to fp16 in `out`; overwrites `x`.

    To nearest, and halves up instead of to even: `x` is a rounded number itself.
    """
    wide, bits = x.view(np.int32), out.view(np.int16)
    np.multiply(x, UNBIAS, out=x)
    np.add(wide, HALF, out=wide)
    np.right_shift(wide, FRACTION_BITS, out=wide)
    np.copyto(bits, wide, casting="unsafe")


def narrow_negated(x: FloatArray, out: FloatArray) -> None:
    """-x rounded to fp16 in `out`, for fp32 x >= 0, infinity included; overwrites `x`."""
    narrow(np.minimum(x, OVERFLOW, out=x), out)
    bits = out.view(np.int16)
    sign = x.reshape(-1).view(np.int16)[: bits.size].reshape(bits.shape)
    # -0 would be wrong for the 0 of a row of one: two's complement has the sign but for 0.
    np.bitwise_and(np.negative(bits, out=sign), SIGN, out=sign)
    np.bitwise_or(bits, sign, out=bits)
