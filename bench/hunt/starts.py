"""Rows to begin with: kinds that theory and experience point to, and what others have found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.hunt.domains import FREE
from bench.hunt.moves import Rng
from bench.hunt.numbers import finite, numbers, place_of
from numerics.formats import FloatArray, Format

VALUES = 8
"""Different logits of a row that is longer than FREE, at most."""


@dataclass(frozen=True)
class Start:
    """Rows of one kind, of shape (rows, K), in fp64 and not rounded yet."""

    name: str
    draw: Callable[[Rng, tuple[int, int], Format], FloatArray]


def _spread(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Normal logits of every scale, 2^-8 to a third of exp's range."""
    most = np.log2(-format.exp_underflow / 3)
    return rng.normal(size=shape) * 2.0 ** rng.uniform(-8, most, (shape[0], 1))


def _confident(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """One logit above the others, by up to the end of exp's range."""
    x = rng.normal(size=shape)
    at = rng.integers(0, shape[1], shape[0])
    gap = rng.uniform(0, -1.1 * format.exp_underflow, shape[0])
    x[np.arange(shape[0]), at] = x.max(axis=1) + gap
    return x


def _tied(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Several largest logits, and the others together below."""
    tied = rng.random(shape) < rng.random((shape[0], 1))
    gap = -format.exp_underflow * 2.0 ** rng.uniform(-12, 0, (shape[0], 1))
    return np.where(tied, 0.0, -gap)


def _far(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Logits far from 0, as far as half of the largest number."""
    most = np.log2(format.largest) - 1
    offset = rng.choice([-1.0, 1.0], (shape[0], 1)) * 2.0 ** rng.uniform(0, most, (shape[0], 1))
    return offset + rng.normal(size=shape) * 2.0 ** rng.uniform(-4, 4, (shape[0], 1))


def _edges(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Logits at the ends of exp's range, where it overflows or loses digits."""
    at = rng.choice([format.exp_overflow, format.exp_underflow, 0.0], shape)
    return at + rng.normal(size=shape)


def _in_ulps(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Every finite number alike."""
    most = place_of(format.largest, format)
    return numbers(rng.integers(-most, most, shape), format).astype(np.float64)


STARTS = (
    Start("spread", _spread),
    Start("confident", _confident),
    Start("tied", _tied),
    Start("far from 0", _far),
    Start("at the ends of exp", _edges),
    Start("uniform in ulps", _in_ulps),
)


def fresh(rng: Rng, shape: tuple[int, int], format: Format) -> FloatArray:
    """Rows of all kinds in turn; long ones of few runs."""
    rows, width = shape
    drawn = (rows, width if width <= FREE else VALUES)
    parts = [start.draw(rng, drawn, format)[k :: len(STARTS)] for k, start in enumerate(STARTS)]
    with np.errstate(over="ignore", under="ignore"):
        x = finite(np.concatenate(parts), format).astype(format.dtype)
    return x if width <= FREE else np.take_along_axis(x, runs(rng, shape), axis=1)


def runs(rng: Rng, shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Which of VALUES numbers each logit has: runs of all lengths, in order."""
    ends = np.sort(shape[1] * rng.random((shape[0], VALUES - 1)) ** 3, axis=1)
    at = np.arange(shape[1])
    number: npt.NDArray[np.intp] = (at >= ends[:, :, np.newaxis]).sum(axis=1)
    return number
