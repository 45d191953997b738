"""The Mann-Whitney test: do two samples of times come from one distribution?

Ranks alone count, so one interrupted round weighs no more than any slow one, and nothing is assumed
of the distribution, which for times is never normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np

EXACT = 400
"""Up to this product of sample sizes the distribution is counted, beyond it is nearly normal."""


def p_value(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p-value, at most 1; 1 where either sample is empty.

    >>> p_value([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0])  # 2 of 70 orders are as extreme
    0.02857142857142857
    """
    n, m = len(one), len(other)
    if not n * m:
        return 1.0
    ordered = np.sort(other)
    pairs = np.searchsorted(ordered, one, "left") + np.searchsorted(ordered, one, "right")
    smaller = min(pairs.sum() / 2, n * m - pairs.sum() / 2)
    _, repeats = np.unique([*one, *other], return_counts=True)
    if n * m <= EXACT and repeats.max() == 1:
        orders = sum(_orders(n, m)[: int(smaller) + 1])
        return min(1.0, 2 * orders / math.comb(n + m, n))
    total = n + m
    ties = float((repeats**3 - repeats).sum()) / (total * (total - 1))
    deviation = math.sqrt(n * m / 12 * (total + 1 - ties))
    if deviation == 0:
        return 1.0
    return min(1.0, 2 * NormalDist().cdf((smaller - n * m / 2 + 0.5) / deviation))


@lru_cache
def _orders(n: int, m: int) -> list[int]:
    """In how many orders of n and m values U pairs are the wrong way round, for every U.

    The coefficients of the Gaussian binomial, prod (1 - q^(m + i)) / (1 - q^i).
    """
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):
            counts[u] += counts[u - i]
    return counts
