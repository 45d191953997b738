"""Whether rows of probabilities add up to 1, and whether NumPy's `Generator.choice` takes them.

It allows for the rounding of the array's own dtype. The same row as fp64, or as a list, is held to
what fp64 would do, and even the nearest numbers of fp32 may then be refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from numerics.formats import FloatArray


@dataclass(frozen=True)
class Sums:
    """Of so many rows: the largest |sum - 1|, and how many are refused as they are and as fp64."""

    rows: int = 0
    defect: float = 0.0
    refused: int = 0
    refused_as_fp64: int = 0


def of_rows(rows: FloatArray) -> Sums:
    """Of the rows that are finite; the others are failures, and counted as such.

    >>> of_rows(np.array([[0.25, 0.75], [0.5, 0.25], [np.nan, 1.0]]))
    Sums(rows=2, defect=0.25, refused=1, refused_as_fp64=1)
    """
    finite = [row for row in rows if np.isfinite(row).all()]
    wide = [row.astype(np.float64) for row in finite]
    return Sums(
        len(finite),
        max((abs(math.fsum([*row.tolist(), -1.0])) for row in wide), default=0.0),
        sum(not _taken(row) for row in finite),
        sum(not _taken(row) for row in wide),
    )


def together(found: Iterable[Sums]) -> Sums:
    """Of all rows."""
    found = list(found)
    return Sums(
        sum(one.rows for one in found),
        max((one.defect for one in found), default=0.0),
        sum(one.refused for one in found),
        sum(one.refused_as_fp64 for one in found),
    )


def _taken(row: FloatArray) -> bool:
    """Whether `choice` draws from it; it says ValueError of what adds up to something else."""
    try:
        np.random.default_rng(0).choice(row.size, p=row)
    except ValueError:
        return False
    return True
