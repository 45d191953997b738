"""log1p of pairs, given an exponential of pairs; for one number a row, so not in a hurry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from numerics.eft import fast_two_sum, two_sum
from numerics.exact import pairs, tables
from numerics.exact.pairs import Pair
from numerics.formats import FloatArray

SMALL = 2.0**-4
"""Up to here by the series of atanh, above by Newton's method."""
TERMS, PAIRS = 11, 5
"""Terms of the series, and those in pairs: the next ones are below 2^-110 and 2^-53 of the sum."""
GUESSED = 2.0**-44
"""The first guess must be as good as this; np.log1p is not believed, but checked."""

Exponential: TypeAlias = Callable[[FloatArray], Pair]


def log1p(t: Pair, exponential: Exponential) -> tuple[Pair, FloatArray]:
    """log(1 + t) for t >= 0, and its error beside those of t and `exponential`: 0 or infinity.

    The error of `exponential` is that of the result, absolutely, where t > SMALL.
    """
    high, low = np.zeros_like(t[0]), np.zeros_like(t[0])
    failed = np.zeros_like(t[0])
    small = t[0] <= SMALL
    if small.any():
        high[small], low[small] = _by_series((t[0][small], t[1][small]))
    if not small.all():
        large = ~small
        found, correction = _by_newton((t[0][large], t[1][large]), exponential)
        high[large], low[large] = found
        failed[large] = np.where(np.abs(correction) < GUESSED, 0.0, np.inf)
    return (high, low), failed


def _by_series(t: Pair) -> Pair:
    """2 atanh(s) = 2 s (1 + s^2/3 + s^4/5 + ...) with s = t / (2 + t) <= 1/33."""
    s = pairs.multiply(t, pairs.reciprocal(_plus(2.0, t)))
    z = pairs.multiply(s, s)
    high, low = np.full_like(t[0], 1 / (2 * TERMS - 1)), np.zeros_like(t[0])
    for k in reversed(range(PAIRS, TERMS - 1)):
        high *= z[0]
        high += 1 / (2 * k + 1)
    for k in reversed(range(PAIRS)):
        product = pairs.multiply((high, low), z)
        high, low = pairs.add(product, _odd_reciprocal(k))
    high, low = pairs.multiply((high, low), s)
    return 2 * high, 2 * low


def _odd_reciprocal(k: int) -> Pair:
    high, low = tables.parts(tables.ONE // (2 * k + 1), 53, 53)
    return np.float64(high), np.float64(low)  # type: ignore[return-value]


def _plus(whole: float, t: Pair) -> Pair:
    s, e = two_sum(np.full_like(t[0], whole), t[0])
    return fast_two_sum(s, e + t[1])


def _by_newton(t: Pair, exponential: Exponential) -> tuple[Pair, FloatArray]:
    """y + log1p(c) with c = (1 + t) exp(-y) - 1, for a y near log(1 + t); and c."""
    y = np.log1p(t[0])
    # A guess that is no number, or far off, leaves a correction that `log1p` refuses.
    y = np.where((y >= 0) & (y < 64), y, 0.0)
    high, low = pairs.multiply(_plus(1.0, t), exponential(-y))
    c = (high - 1) + low
    return fast_two_sum(y, c - c * c / 2 + c * c * c / 3), c
