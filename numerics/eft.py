"""Error-free transformations: a floating-point operation and its exact rounding error.

For arrays of one format, with rounding to nearest and no overflow; elementwise. Sources: Knuth
(TAOCP 2, theorem 4.2.2B), Dekker (1971), Veltkamp (1968); collected in Ogita, Rump & Oishi,
"Accurate sum and dot product", SIAM J. Sci. Comput. 26 (2005), doi:10.1137/030601818.
"""

from __future__ import annotations

from numerics.formats import FloatArray, format_of


def two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """s = fl(a + b) and e with s + e = a + b exactly, for any order of magnitudes (Knuth).

    >>> import numpy as np
    >>> s, e = two_sum(np.array([1.0]), np.array([2.0**-60]))
    >>> (s[0], e[0]) == (1.0, 2.0**-60)
    True
    """
    s = a + b
    b_part = s - a
    return s, (a - (s - b_part)) + (b - b_part)


def fast_two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """s = fl(a + b) and e with s + e = a + b exactly, for |a| >= |b| or a = 0 (Dekker)."""
    s = a + b
    return s, b - (s - a)


def split(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a = high + low exactly, each with at most half of the significand's bits (Veltkamp).

    With p bits and the constant 2^ceil(p/2) + 1; |a| must be below the largest number times 2^-p.
    """
    precision = format_of(a.dtype).precision
    scaled = a * a.dtype.type(2 ** ((precision + 1) // 2) + 1)
    high = scaled - (scaled - a)
    return high, a - high


def two_prod(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """p = fl(a b) and e with p + e = a b exactly, when no part underflows (Dekker).

    >>> import numpy as np
    >>> p, e = two_prod(np.array([1 + 2.0**-30]), np.array([1 - 2.0**-30]))
    >>> (p[0], e[0]) == (1.0, -(2.0**-60))
    True
    """
    p = a * b
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low
