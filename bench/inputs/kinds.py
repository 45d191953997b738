"""What kind of row a row is, whatever rows stand beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray
from numerics.rows import at_least_fp32

ORDINARY, MASKED, EMPTY, PLUS_INF, WITH_NAN = "ordinary", "masked", "empty", "+inf", "NaN"
KINDS = (ORDINARY, MASKED, EMPTY, PLUS_INF, WITH_NAN)
SPECIAL = (EMPTY, PLUS_INF, WITH_NAN)
"""Kinds whose rows have a policy instead of a value."""


def kinds_of(x: FloatArray) -> npt.NDArray[np.intp]:
    """The place in `KINDS` of the kind of each row: some -inf, all -inf, a +inf, a NaN.

    >>> inf = np.inf
    >>> rows = np.array([[0, 1], [0, -inf], [-inf, -inf], [inf, -inf], [inf, np.nan]])
    >>> [KINDS[kind] for kind in kinds_of(rows)]
    ['ordinary', 'masked', 'empty', '+inf', 'NaN']
    """
    x = at_least_fp32(x)  # ml_dtypes warns of NaN
    largest = x.max(axis=1)  # NaN where there is one
    masked = np.isneginf(x.min(axis=1))
    ends = [np.isnan(largest), np.isposinf(largest), np.isneginf(largest), masked]
    return np.select(ends, [KINDS.index(k) for k in (WITH_NAN, PLUS_INF, EMPTY, MASKED)], 0)
