"""The definitions of the operations, at the working precision of mpmath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mpmath import mp

from numerics.formats import FloatArray
from numerics.method import OPERATIONS


def definitions(
    values: Sequence[Any], counts: Sequence[int], label_value: Any
) -> dict[str, list[Any]]:
    """The four operations on a row with `counts[i]` logits equal to `values[i]`, ascending.

    At the working precision of `mp`. The largest logit is left out of the sum and comes back
    through log1p, so that no difference of nearby numbers is taken, but in log_sum_exp itself.
    """
    largest = values[-1]
    exponentials = [mp.exp(x - largest) for x in values]
    others = mp.fsum(n * e for n, e in zip(counts, exponentials, strict=True) if e != 1)
    others += sum(n for n, e in zip(counts, exponentials, strict=True) if e == 1) - 1
    log_sum = mp.log1p(others)
    return {
        "softmax": [_share(e, others) for e in exponentials],
        "log_softmax": [-_sum(largest - x, log_sum) for x in values],
        "log_sum_exp": [_sum(largest, log_sum)],
        "cross_entropy": [_sum(largest - label_value, log_sum)],
    }


def _share(part: Any, others: Any) -> Any:
    """part / (1 + others); where others > 0 are lost beside 1, the next number below it.

    Below 1 ulps are half as large as above.
    """
    share = part / (1 + others)
    return 1 - mp.ldexp(1, -mp.prec) if share == 1 and others > 0 else share


def _sum(a: Any, b: Any) -> Any:
    """a + b for b >= 0; where b is lost in a, the next number above a.

    An `a` that is the midpoint of two floating-point numbers is rounded up by the smallest b.
    """
    total = a + b
    if total == a != 0 and b > 0:
        return a + mp.ldexp(1, mp.mag(a) - mp.prec)
    return total


def special_row(row: FloatArray) -> dict[str, Any] | None:
    """The policy for a row with NaN, +inf or only -inf, one value for each operation; else None."""
    count = mp.mpf(row.size)
    if np.isnan(row).any():
        return dict.fromkeys(OPERATIONS, mp.nan)
    if np.isposinf(row).any():
        return dict.fromkeys(OPERATIONS, mp.nan) | {"log_sum_exp": mp.inf}
    if np.isneginf(row).all():
        log_count = mp.log(count)
        return dict(zip(OPERATIONS, (1 / count, -log_count, -mp.inf, log_count), strict=True))
    return None
