"""Intervals of bit patterns, split where the worst rows were found (Zimmermann's way).

A box has an interval of places for the largest logit and for each gap below it. Some rows of every
box are tried, the best boxes are kept, and each of them is halved along one of its coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.hunt.domains import FREE
from bench.hunt.moves import Rng
from bench.hunt.numbers import Places, finite, numbers, place_of
from bench.hunt.starts import VALUES, runs
from numerics.formats import FloatArray, Format

KEPT = 20
"""Boxes that are split."""
NEW = 24
"""Boxes that are added each time."""


@dataclass(frozen=True)
class Boxes:
    """Ends of shape (boxes, coordinates), and which coordinate each logit has, (boxes, K)."""

    low: Places
    high: Places
    pattern: npt.NDArray[np.intp]
    score: npt.NDArray[np.float64]

    def __getitem__(self, at: npt.NDArray[np.intp]) -> Boxes:
        """Some of them."""
        return Boxes(self.low[at], self.high[at], self.pattern[at], self.score[at])


def drawn(rng: Rng, count: int, width: int, format: Format) -> Boxes:
    """Boxes one binade wide along each coordinate; the largest logit may have either sign."""
    coordinates = min(width, VALUES)
    far = np.log2(-format.exp_underflow)
    binade = 2.0 ** rng.integers(-format.precision, int(far) + 1, (count, coordinates))
    ends = [_places(binade * factor, format) for factor in (1, 2)]
    low, high = (end.copy() for end in ends)
    negative = rng.random(count) < 0.5
    low[negative, 0], high[negative, 0] = -ends[1][negative, 0], -ends[0][negative, 0]
    if width > FREE:
        pattern = runs(rng, (count, width))
    else:
        pattern = rng.integers(0, coordinates, (count, width))
    pattern[np.arange(count), rng.integers(0, width, count)] = 0
    return Boxes(low, high, pattern, np.full(count, -1.0))


def _places(value: FloatArray, format: Format) -> Places:
    ends = {float(v): place_of(float(v), format) for v in np.unique(value)}
    return np.array([[ends[float(v)] for v in row] for row in value], np.int64)


def rows(rng: Rng, boxes: Boxes, each: int, format: Format) -> FloatArray:
    """So many rows of each box."""
    low, high = (end.repeat(each, axis=0) for end in (boxes.low, boxes.high))
    value = numbers(rng.integers(low, high, endpoint=True), format)
    with np.errstate(over="ignore"):
        value[:, 1:] = finite(value[:, :1] - np.abs(value[:, 1:]), format)
    return np.take_along_axis(value, boxes.pattern.repeat(each, axis=0), axis=1)


def split(rng: Rng, boxes: Boxes, width: int, format: Format) -> Boxes:
    """Halves of the best boxes, along one coordinate each, and new ones."""
    best = boxes[np.argsort(-boxes.score, kind="stable")[:KEPT]]
    at = np.arange(len(best.low)), rng.integers(0, best.low.shape[1], len(best.low))
    middle = best.low[at] + (best.high[at] - best.low[at]) // 2
    lower, upper = best.high.copy(), best.low.copy()
    lower[at], upper[at] = middle, middle
    new = drawn(rng, NEW, width, format)
    return Boxes(
        np.concatenate([best.low, upper, new.low]),
        np.concatenate([lower, best.high, new.high]),
        np.concatenate([best.pattern, best.pattern, new.pattern]),
        np.full(2 * len(best.low) + NEW, -1.0),
    )
