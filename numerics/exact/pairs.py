"""Double-double arithmetic: a number as the unevaluated sum of two fp64 numbers, |low| <= ulp/2.

Relative errors, with u = 2^-53, after Joldes, Muller & Popescu, "Tight and rigorous error bounds
for basic building blocks of double-word arithmetic", ACM TOMS 44 (2017), doi:10.1145/3121432.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from numerics.eft import fast_two_sum, two_prod, two_sum
from numerics.formats import FloatArray

Pair: TypeAlias = tuple[FloatArray, FloatArray]


def add(a: Pair, b: Pair) -> Pair:
    """a + b; algorithm 6 there, 3 u^2."""
    s, e = two_sum(a[0], b[0])
    t, f = two_sum(a[1], b[1])
    s, e = fast_two_sum(s, e + t)
    return fast_two_sum(s, e + f)


def add_number(a: Pair, b: FloatArray) -> Pair:
    """a + b for one fp64 number; algorithm 4 there, 2 u^2."""
    s, e = two_sum(a[0], b)
    return fast_two_sum(s, e + a[1])


def multiply(a: Pair, b: Pair) -> Pair:
    """a b; algorithm 10 there, 7 u^2."""
    p, e = two_prod(a[0], b[0])
    return fast_two_sum(p, e + (a[0] * b[1] + a[1] * b[0]))


def reciprocal(a: Pair) -> Pair:
    """1 / a: the quotient of the high part, and its remainder; 8 u^2."""
    quotient = 1 / a[0]
    p, e = two_prod(a[0], quotient)
    return fast_two_sum(quotient, ((1 - p) - e - a[1] * quotient) * quotient)


def total(a: Pair, axis: int) -> Pair:
    """Sum of numbers of one sign along an axis, half added to half: 3 u^2 at each level."""
    high, low = (np.moveaxis(part, axis, 0) for part in a)
    while len(high) > 1:
        half, odd = divmod(len(high), 2)
        pair = add((high[:half], low[:half]), (high[half : 2 * half], low[half : 2 * half]))
        if odd:
            last = add((pair[0][0], pair[1][0]), (high[-1], low[-1]))
            pair[0][0], pair[1][0] = last
        high, low = pair
    return high[0], low[0]
