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
    """The operations on a row with `counts[i]` logits equal to `values[i]`, ascending.

    At the working precision of `mp`. The largest logit is left out of the sum and comes back
    through log1p, so that no difference of nearby numbers is taken, but in log_sum_exp itself.
    The gradient is that at the label, -t / (t + e_y) with t the sum without e_y; elsewhere it is
    softmax.
    """
    largest = values[-1]
    exponentials = [mp.exp(x - largest) for x in values]
    tied = sum(n for n, e in zip(counts, exponentials, strict=True) if e == 1)
    rest = mp.fsum(n * e for n, e in zip(counts, exponentials, strict=True) if e != 1)
    log_sum = mp.log1p(rest + (tied - 1))
    of_label = mp.exp(label_value - largest)
    others = mp.fsum(
        (n - (x == label_value)) * e for x, n, e in zip(values, counts, exponentials, strict=True)
    )
    return {
        "softmax": [_share(e, tied, rest) for e in exponentials],
        "log_softmax": [-_sum(largest - x, log_sum) for x in values],
        "log_sum_exp": [_sum(largest, log_sum)],
        "cross_entropy": [_sum(largest - label_value, log_sum)],
        "cross_entropy_gradient": [-_share(others, others, of_label)],
    }


def _share(part: Any, most: Any, rest: Any) -> Any:
    """part / (most + rest); where rest > 0 is lost in that, a number next below.

    If that is a power of two, ulps are half as large below.
    """
    share = part / (most + rest)
    lost = rest > 0 and most + rest == most
    return share * (1 - mp.ldexp(1, -mp.prec)) if lost else share


def _sum(a: Any, b: Any) -> Any:
    """a + b for b >= 0; where b is lost in a, the next number above a.

    An `a` that is the midpoint of two floating-point numbers is rounded up by the smallest b.
    """
    total = a + b
    if total == a != 0 and b > 0:
        return a + mp.ldexp(1, mp.mag(a) - mp.prec)
    return total


def special_row(row: FloatArray) -> dict[str, Any] | None:
    """The policy for a row with NaN, +inf or only -inf, one value for each operation; else None.

    That of the gradient is at the label.
    """
    count = mp.mpf(row.size)
    if np.isnan(row).any():
        return dict.fromkeys(OPERATIONS, mp.nan)
    if np.isposinf(row).any():
        return dict.fromkeys(OPERATIONS, mp.nan) | {"log_sum_exp": mp.inf}
    if np.isneginf(row).all():
        log_count = mp.log(count)
        found = (1 / count, -log_count, -mp.inf, log_count, (1 - count) / count)
        return dict(zip(OPERATIONS, found, strict=True))
    return None
