"""Constants and tables of `exact`, from integer arithmetic alone: no libm decides a bit of them.

Made at the first use, in about 0.1 s, and never changed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from numerics.formats import FloatArray

BITS = 320
"""Fraction bits of the integers that tables are rounded from."""
ONE = 1 << BITS


@functools.cache
def integer_log2() -> int:
    """ln 2 in units of 2^-BITS, within 2^-300, by Machin's kind of formula of three terms."""
    return 18 * _atanh_inverse(26) - 2 * _atanh_inverse(4801) + 8 * _atanh_inverse(8749)


def _atanh_inverse(n: int) -> int:
    total, power, k = 0, ONE // n, 1
    while power:
        total += power // k
        power //= n * n
        k += 2
    return total


def integer_exp(x: int) -> int:
    """exp(x 2^-BITS) in units of 2^-BITS, for |x| <= ONE, within 2^-300."""
    total, term, k = 0, ONE, 0
    while term:
        total += term
        k += 1
        term = (term * x >> BITS) // k if term * x >= 0 else -((-term * x >> BITS) // k)
    return total


def rounded(x: int, bits: int = 53) -> float:
    """The number x 2^-BITS rounded to nearest with `bits` bits; no subnormal numbers."""
    surplus = max(x.bit_length() - bits, 0)
    if x < 0:
        return -rounded(-x, bits)
    whole, rest = divmod(x, 1 << surplus)
    half = (1 << surplus) >> 1
    whole += rest > half or (rest == half and bool(surplus) and whole & 1)
    return math.ldexp(whole, surplus - BITS)


def parts(x: int, *bits: int) -> tuple[float, ...]:
    """x 2^-BITS as a sum of floats with that many bits each, largest first."""
    found = []
    for count in bits:
        part = rounded(x, count)
        found.append(part)
        x -= _integer(part)
    return tuple(found)


def _integer(x: float) -> int:
    numerator, denominator = x.as_integer_ratio()
    return numerator * ONE // denominator


def _powers(ratio: int, count: int) -> Iterator[int]:
    power = ONE
    for _ in range(count):
        yield power
        power = power * ratio >> BITS


@functools.cache
def powers_of_two(n: int, *bits: int) -> tuple[FloatArray, ...]:
    """2^(j/n) for j = 0 .. n-1, each as a sum of floats with that many bits; one array a part."""
    root = integer_exp(integer_log2() // n)
    columns = zip(*(parts(power, *bits) for power in _powers(root, n)), strict=True)
    return tuple(np.array(column) for column in columns)


@functools.cache
def powers_of_e(steps: int, lowest: int) -> FloatArray:
    """exp(k/steps) for k = lowest .. 0, rounded, with a 0 before the first."""
    root = integer_exp(-ONE // steps)
    descending = [rounded(power) for power in _powers(root, 1 - lowest)]
    return np.array([0.0, *reversed(descending)])
