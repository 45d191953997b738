"""Which rows are searched: their lengths, and for which of them a largest error is told apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray, Format

WIDTHS = (1, 2, 3, 5, 8, 16, 64, 600, 4096)
"""Lengths of the rows that are searched."""
FREE = 64
"""Longer rows consist of few runs of equal logits,"""
RUNS = 64
"""at most so many."""
ROOM = 16.0
"""By what factor a sum stays below the largest number where nothing has to be shifted."""

NOT_SEARCHED = (
    f"rows of other lengths than {', '.join(map(str, WIDTHS))}",
    f"rows of more than {FREE} logits with more than {RUNS} runs of equal ones",
    "rows with -inf, +inf or NaN",
    "most rows that the first stage of the oracle leaves open, such as those with the logarithm of "
    "a softmax below 2^-850 in fp64",
    "rows that are not contiguous, and other axes than the last",
)
"""What no hunt has looked at, in words."""


@dataclass(frozen=True)
class Domain:
    """Rows that a largest error is known of."""

    name: str
    says: str
    holds: Callable[[FloatArray, Format], npt.NDArray[np.bool_]]


def _any(x: FloatArray, format: Format) -> npt.NDArray[np.bool_]:
    return np.ones(len(x), np.bool_)


def _in_range(x: FloatArray, format: Format) -> npt.NDArray[np.bool_]:
    largest = x.max(axis=1).astype(np.float64)
    inside = (x.min(axis=1) >= format.exp_underflow) & (largest <= format.exp_overflow)
    gaps = x.astype(np.float64) - largest[:, np.newaxis]
    with np.errstate(under="ignore", over="ignore"):
        log_sum_exp = largest + np.log(np.exp(gaps).sum(axis=1))
    result: npt.NDArray[np.bool_] = inside & (log_sum_exp < math.log(format.largest / ROOM))
    return result


DOMAINS = (
    Domain("any", "any finite logits", _any),
    Domain(
        "in range",
        "exponentials are normal numbers, their sum is 16 times below the largest: no shift needed",
        _in_range,
    ),
)
