"""How a stage sees rows: in pieces that stay in the cache, short rows upright.

Along short rows NumPy's loops are short, and cost more than what they do. So rows of up to SHORT
logits are turned: a piece then has shape (K, rows), and a row is a column.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray

SHORT = 40
"""Rows up to this length are turned."""


def blocks(
    given: npt.NDArray[Any], size: int, values: FloatArray | None = None
) -> list[tuple[slice, Block]]:
    """Rows in blocks of up to `size` logits, and which rows they are."""
    height = max(1, size // given.shape[1])
    parts = [slice(start, start + height) for start in range(0, len(given), height)]
    return [(rows, Block(given[rows], size, values)) for rows in parts]


def row_sums(values: FloatArray, along: int) -> FloatArray:
    """Sums of the rows of a piece, added up in any order."""
    if along == 0:
        return np.asarray(np.add.reduce(values, axis=0))
    return np.asarray(np.einsum("ij->i", values))


@dataclass(frozen=True)
class Block:
    """Rows of one format, shape (rows, K); one row alone may have more than `size` logits."""

    given: npt.NDArray[Any]
    """Logits."""
    size: int
    values: FloatArray | None = None
    """Of a format of 16 bits: what every pattern of bits stands for."""

    @functools.cached_property
    def x(self) -> FloatArray:
        """The logits, those of 16 bits as fp32."""
        if self.values is None:
            return self.given
        logits = np.empty(self.given.shape, self.values.dtype)
        for columns in self.columns():  # places take four times as much room as bits
            logits[:, columns] = self.values.take(self.codes[:, columns], mode="clip")
        return logits

    @property
    def codes(self) -> npt.NDArray[np.uint16]:
        """The bits of logits of 16 bits."""
        return self.given.view(np.uint16)

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self.given)

    @property
    def length(self) -> int:
        """K."""
        return int(self.given.shape[1])

    @functools.cached_property
    def turned(self) -> bool:
        """Whether a piece has the rows as its columns."""
        return self.length <= SHORT

    @property
    def along(self) -> int:
        """The axis of a piece that runs along a row."""
        return 0 if self.turned else 1

    @functools.cached_property
    def largest_at(self) -> npt.NDArray[np.intp]:
        """Where the (first) largest logit of each row is, shape (rows,)."""
        at: npt.NDArray[np.intp] = self.x.argmax(axis=1)
        return at

    @functools.cached_property
    def largest(self) -> FloatArray:
        """m, the largest logit of each row, shape (rows,)."""
        return self.at(self.largest_at)

    def at(self, columns: npt.NDArray[np.intp]) -> FloatArray:
        """The logit of each row in the column given for it, shape (rows,)."""
        return self.x[np.arange(self.height), columns].astype(np.float64)

    def spread(self, values: FloatArray) -> FloatArray:
        """One value a row, to be met by a piece."""
        return values[np.newaxis, :] if self.turned else values[:, np.newaxis]

    def columns(self) -> Iterator[slice]:
        """The columns of each piece."""
        for start in range(0, self.length, max(self.size, SHORT)):
            yield slice(start, min(start + max(self.size, SHORT), self.length))

    @functools.cached_property
    def smallest(self) -> float:
        """The smallest logit of all rows."""
        return float(self.x.min())

    @functools.cached_property
    def top(self) -> float:
        """The largest logit of all rows."""
        return float(self.x.max())

    @property
    def lowest_gap(self) -> float:
        """The smallest logit of all rows less the largest, rounded.

        Rounding is monotone, so this is no larger than any x_i - m of a row, rounded.
        """
        return self.smallest - self.top

    @functools.cached_property
    def farthest(self) -> float:
        """The largest magnitude of a logit."""
        if self.values is None:
            return max(-self.smallest, self.top)
        return float(self.values[(self.codes & np.uint16(0x7FFF)).max()])

    @property
    def masked(self) -> bool:
        """Whether any logit is -inf."""
        return self.smallest == -math.inf

    def piece(
        self, columns: slice, dtype: npt.DTypeLike = np.float64, copy: bool = True
    ) -> FloatArray:
        """Some columns, turned if the rows are short; a copy unless told that none is needed."""
        return self.back(self.x[:, columns]).astype(dtype, order="C", copy=copy)

    def looked_up(self, table: FloatArray, columns: slice) -> FloatArray:
        """What a table says of the bits of a piece."""
        return table.take(self.back(self.codes[:, columns]).astype(np.intp), mode="clip")

    def places(
        self, at: npt.NDArray[np.intp], columns: slice
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Rows and columns of the places of a flattened piece."""
        count = self.height if self.turned else columns.stop - columns.start
        slow, fast = np.divmod(at, count)
        row, column = (fast, slow) if self.turned else (slow, fast)
        return row, column + columns.start

    def asked(
        self, wanted: npt.NDArray[np.bool_], columns: slice
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Where a flattened piece is wanted, and the rows and columns of these places."""
        at = np.flatnonzero(self.back(wanted[:, columns]))
        return at, *self.places(at, columns)

    def back(self, piece: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A piece as it lies in the block, or the other way round."""
        return piece.T if self.turned else piece

    def places_of(
        self, column: npt.NDArray[np.intp], columns: slice
    ) -> tuple[npt.NDArray[np.intp], Any, Any]:
        """Which rows have the column given for them in a piece, and its place there."""
        at = column - columns.start
        rows = np.flatnonzero((at >= 0) & (at < columns.stop - columns.start))
        return rows, *((at[rows], rows) if self.turned else (rows, at[rows]))

    def clear(self, column: npt.NDArray[np.intp], columns: slice, *parts: FloatArray) -> None:
        """Put a 0 where a piece has the column given for each row."""
        _, *place = self.places_of(column, columns)
        for part in parts:
            part[tuple(place)] = 0
