"""Numbers of a format by their places in order, and rows as runs of equal numbers."""

from __future__ import annotations

from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray, Format

Places: TypeAlias = npt.NDArray[np.int64]
Runs: TypeAlias = list[list[Any]]
"""A row as [number in hex, how often it comes] in order."""


def places(x: FloatArray) -> Places:
    """Where numbers stand in the order of their format: 0 is at 0, the next above it at 1.

    >>> places(np.array([0.0, -0.0, 2**-149, -(2**-149)], np.float32))
    array([ 0,  0,  1, -1])
    """
    bits = x.view(f"i{x.itemsize}").astype(np.int64)
    magnitude = bits & ((1 << (8 * x.itemsize - 1)) - 1)
    return np.where(bits < 0, -magnitude, magnitude)


def numbers(place: Places, format: Format) -> FloatArray:
    """The inverse; beyond the finite numbers, the largest one."""
    largest = place_of(format.largest, format)
    magnitude = np.minimum(np.abs(place), largest)
    found: FloatArray = magnitude.astype(f"i{format.dtype.itemsize}").view(format.dtype)
    return np.where(place < 0, -found, found)


def place_of(value: float, format: Format) -> int:
    """The place of one number, rounded to the format."""
    return int(places(np.array([value], format.dtype))[0])


def finite(x: FloatArray, format: Format) -> FloatArray:
    """What went beyond the finite numbers, put back to the last one."""
    return np.clip(x, format.dtype.type(-format.largest), format.dtype.type(format.largest))


def count_runs(x: FloatArray) -> npt.NDArray[np.intp]:
    """Of each row, how many runs of equal numbers it consists of."""
    changes: npt.NDArray[np.intp] = np.count_nonzero(x[:, 1:] != x[:, :-1], axis=1)
    return 1 + changes


def as_runs(row: FloatArray) -> Runs:
    """A row as a file has it.

    >>> as_runs(np.array([1.0, 1.0, -2.5]))
    [['0x1.0000000000000p+0', 2], ['-0x1.4000000000000p+1', 1]]
    """
    return [[text, len(list(group))] for text, group in groupby(float(v).hex() for v in row)]


def row_of(runs: Runs, format: Format) -> FloatArray:
    """The inverse; ValueError for what is no row of the format."""
    values = [float.fromhex(text) for text, _ in runs]
    counts = [int(count) for _, count in runs]
    row = np.repeat(np.array(values, format.dtype), counts)
    if not row.size or row.astype(np.float64).tolist() != np.repeat(values, counts).tolist():
        raise ValueError(f"no row of {format.name}")
    return row
