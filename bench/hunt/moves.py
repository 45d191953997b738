"""How a row becomes another one, a step away: each move changes one thing that errors depend on.

A move takes parents of shape (rows, K) and returns as many children; equal logits that are moved
together stay equal. All arithmetic is that of the format, so a child is a row of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.hunt.numbers import finite, numbers, places
from numerics.formats import FloatArray, Format

Rng: TypeAlias = np.random.Generator
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Move:
    """What it changes, and how."""

    name: str
    apply: Callable[[Rng, FloatArray, Format], FloatArray]


def _column(rng: Rng, x: FloatArray) -> npt.NDArray[np.intp]:
    return rng.integers(0, x.shape[1], (len(x), 1))


def _signs(rng: Rng, count: int) -> npt.NDArray[np.int64]:
    return rng.choice(np.array([-1, 1]), (count, 1))


def _of_ulps(rng: Rng, count: int, format: Format) -> npt.NDArray[np.int64]:
    """A step of 1 to 2^(precision + 2) ulps, small ones as often as large ones."""
    sizes = 2.0 ** rng.uniform(0, format.precision + 2, (count, 1))
    return _signs(rng, count) * sizes.astype(np.int64)


def _amount(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """For each row an amount from an ulp of its largest logit to as much as that, and 8."""
    size = np.maximum(np.abs(x).max(axis=1, keepdims=True).astype(np.float64), 1.0)
    factor = 2.0 ** rng.uniform(-format.precision, 3, (len(x), 1))
    with np.errstate(over="ignore"):
        moved = finite(_signs(rng, len(x)) * np.minimum(size, 64.0) * factor, format)
    return moved.astype(format.dtype)


def _some(rng: Rng, x: FloatArray) -> Mask:
    """Of each row one logit, all that are equal to it, those from it to another, or any of them."""
    column, other = _column(rng, x), _column(rng, x)
    at = np.arange(x.shape[1])
    kind = rng.integers(0, 4, (len(x), 1))
    equal = x == np.take_along_axis(x, column, axis=1)
    between = (at >= np.minimum(column, other)) & (at <= np.maximum(column, other))
    each = rng.random(x.shape) < rng.random((len(x), 1)) if x.shape[1] <= 64 else equal
    chosen: Mask = np.select(
        [kind == 0, kind == 1, kind == 2], [at == column, equal, between], each
    )
    return chosen


def _together(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """Some logits by the same number of ulps."""
    step = np.where(_some(rng, x), _of_ulps(rng, len(x), format), 0)
    return numbers(places(x) + step, format)


def _apart(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """Each logit by ulps of its own; equal ones alike."""
    most = 2.0 ** rng.uniform(0, format.precision, (len(x), 1))
    place = places(x)
    # A number's own place decides, so that equal logits stay equal.
    key = rng.integers(1, 2**31, (len(x), 1))
    noise = ((place * 2654435761 + key) * 40503 % 65521) / 65521 * 2 - 1
    return numbers(place + np.rint(noise * most).astype(np.int64), format)


def _all_alike(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """All logits by the same amount: the offset."""
    return _added(x, _amount(rng, x, format), format)


def _to_the_largest(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """The largest logits by an amount: their gap to all others."""
    largest = x == x.max(axis=1, keepdims=True)
    return _added(x, np.where(largest, _amount(rng, x, format), 0), format)


def _second_gap(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """Some logits to a distance from the largest one between an ulp and the end of exp's range."""
    top = x.max(axis=1, keepdims=True)
    far = -1.2 * format.exp_underflow
    distance = far * 2.0 ** rng.uniform(-format.precision, 0, (len(x), 1))
    some = _some(rng, x) & (x < top)
    moved = _added(top, -distance.astype(format.dtype), format)
    return np.where(some, moved, x)


def _scaled(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """All logits by a factor: the scale."""
    factor = 1 + _signs(rng, len(x)) * 2.0 ** rng.uniform(-format.precision, -0.5, (len(x), 1))
    with np.errstate(over="ignore", under="ignore"):
        return finite(x * factor.astype(format.dtype), format)


def _ties(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """Some logits become equal to another one, to the largest half of the time."""
    of_largest = x.argmax(axis=1)[:, np.newaxis]
    source = np.where(rng.random((len(x), 1)) < 0.5, of_largest, _column(rng, x))
    return np.where(_some(rng, x), np.take_along_axis(x, source, axis=1), x)


def _order(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """The row from another logit on, half of the time from its end."""
    at = (np.arange(x.shape[1]) + _column(rng, x)) % x.shape[1]
    at = np.where(rng.random((len(x), 1)) < 0.5, at, at[:, ::-1])
    return np.take_along_axis(x, at, axis=1)


def _cancelled(rng: Rng, x: FloatArray, format: Format) -> FloatArray:
    """The offset at which the log-sum-exp is nearly 0."""
    top = x.max(axis=1, keepdims=True).astype(np.float64)
    with np.errstate(under="ignore", over="ignore"):
        log_sum = np.log(np.exp(x.astype(np.float64) - top).sum(axis=1, keepdims=True))
        return finite((x.astype(np.float64) - top - log_sum), format).astype(format.dtype)


def _added(x: FloatArray, amount: FloatArray, format: Format) -> FloatArray:
    with np.errstate(over="ignore", under="ignore"):
        return finite(x + amount.astype(format.dtype), format)


MOVES = (
    Move("ulps, together", _together),
    Move("ulps, apart", _apart),
    Move("offset", _all_alike),
    Move("gap to the largest", _to_the_largest),
    Move("second gap", _second_gap),
    Move("scale", _scaled),
    Move("ties", _ties),
    Move("order", _order),
    Move("cancellation", _cancelled),
)


def children(rng: Rng, parents: FloatArray, format: Format) -> FloatArray:
    """A child of each parent, by one move or by several."""
    result = parents.copy()
    for _ in range(int(rng.integers(1, 4))):
        kinds = rng.integers(0, len(MOVES), len(parents))
        for number, move in enumerate(MOVES):
            at = np.flatnonzero(kinds == number)
            if at.size:
                result[at] = move.apply(rng, result[at], format)
    return result


def crossed(rng: Rng, x: FloatArray, others: FloatArray) -> FloatArray:
    """Rows that begin as one parent and end as another."""
    at = np.arange(x.shape[1]) < rng.integers(0, x.shape[1] + 1, (len(x), 1))
    return np.where(at, x, others)
