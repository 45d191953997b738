"""What the rows of cases are made of, where that takes more than a line.

Each builder takes a format and a stream of random numbers, and returns batches of rows in fp64,
which are then rounded to the format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import Format

Generator: TypeAlias = np.random.Generator
Batches: TypeAlias = Sequence[npt.ArrayLike]


def fixed(*rows: npt.ArrayLike) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: rows


def largest_finite(format: Format, rng: Generator) -> Batches:
    big = format.largest
    return [[[big, -big, 0.0], [big, big, big], [-big, -big, -big], [-big, 0.0, 1.0]]]


def subnormal_inputs(format: Format, rng: Generator) -> Batches:
    tiny = format.smallest_subnormal
    return [np.array([[1.0, -2.0, 3.0, 0.0], [7.0, 7.0, 7.0, 7.0]]) * tiny, [[-tiny], [tiny]]]


def subnormal_outputs(format: Format, rng: Generator) -> Batches:
    normal, subnormal = np.log(format.smallest_normal), np.log(format.smallest_subnormal)
    tails = np.linspace(normal + 1, subnormal - 1, 64)
    return [np.stack([np.zeros(64), tails], axis=1)]


def near_overflow(format: Format, rng: Generator) -> Batches:
    under = format.dtype.type(format.exp_overflow)
    over = np.nextafter(under, format.dtype.type(np.inf))
    return [[[under, 0.0, -1.0], [over, 0.0, -1.0], [under, under, under], [-over, -under, -over]]]


def near_underflow(format: Format, rng: Generator) -> Batches:
    edge = format.exp_underflow
    steps = np.linspace(edge - 5, edge + 5, 21)
    return [np.stack([steps, steps - 0.25, steps - 1.0], axis=1)]


def vanishing(format: Format, rng: Generator) -> Batches:
    edge = np.log(format.smallest_subnormal)
    tops = np.linspace(edge - 6, edge + 2, 33)
    return [np.stack([tops, tops - 0.125, tops - 2.5], axis=1), tops[:, np.newaxis]]


def near_tie(format: Format, rng: Generator) -> Batches:
    x = np.linspace(-8, 8, 33).astype(format.dtype)
    up = np.nextafter(x, format.dtype.type(np.inf))
    return [np.stack([x, up, x], axis=1)]


def confident(format: Format, rng: Generator) -> Batches:
    gaps = np.arange(10, 41)
    rows = np.tile([0.0, 0.125, -0.25, 0.3, -0.4], (gaps.size, 1))
    at_its_label = rows.copy()
    at_its_label[np.arange(gaps.size), np.arange(gaps.size) % 5] = gaps + 0.3
    return [at_its_label, np.roll(at_its_label, 1, axis=1)]


def equal(format: Format, rng: Generator) -> Batches:
    return [np.full((1, length), 5.0) for length in (1, 2, 3, 10, 1000, 4096)] + [
        np.zeros((1, 65_536))
    ]


def ascending(format: Format, rng: Generator) -> Batches:
    return [np.linspace(-span, span, 1000) for span in (1.0, 8.0, 40.0)]


def attention_sink(format: Format, rng: Generator) -> Batches:
    rows = rng.normal(scale=2.0, size=(8, 1024))
    rows[:, 0] += np.linspace(5, 60, 8)
    return [rows]


def masked(value: Callable[[Format], float]) -> Callable[[Format, Generator], Batches]:
    def build(format: Format, rng: Generator) -> Batches:
        rows = rng.normal(scale=3.0, size=(16, 16))
        return [np.where(np.arange(16) <= np.arange(16)[:, np.newaxis], rows, value(format))]

    return build


def left_padded(format: Format, rng: Generator) -> Batches:
    rows = rng.normal(scale=3.0, size=(6, 300))
    rows[np.arange(300) < np.array([0, 1, 63, 64, 200, 299])[:, np.newaxis]] = -np.inf
    return [rows, rows[:, ::-1]]


def confident_and_long(format: Format, rng: Generator) -> Batches:
    gaps = -np.log(format.smallest_normal) * np.array([0.5, 0.9, 0.98, 1.0, 1.02, 1.05])
    rows = np.repeat(-gaps[:, np.newaxis], 2000, axis=1) + rng.integers(-8, 8, (6, 2000)) / 16
    rows[np.arange(6), np.arange(6)] = 0.0
    return [rows]


def far_beyond_overflow(format: Format, rng: Generator) -> Batches:
    tops = format.exp_overflow * np.linspace(1.2, 4.5, 67)
    rows = np.stack([tops, tops - 0.5, tops - 3.0, tops - 7.0], axis=1)
    return [rows, rows - 2 * tops[:, np.newaxis]]


def log_sum_exp_near_zero(format: Format, rng: Generator) -> Batches:
    # math.log, since NumPy's logarithm has other bits in other versions.
    lengths = (2, 3, 7, 100, 1000)
    nudges = np.array([-2, -1, 0, 1, 2]) * format.unit_roundoff
    return [np.repeat((-math.log(n) * (1 + nudges))[:, np.newaxis], n, axis=1) for n in lengths]


def offset(format: Format, rng: Generator) -> Batches:
    offset = {"fp16": 1e3, "bf16": 100.0, "fp32": 1e5, "fp64": 1e12}[format.name]
    rows = rng.normal(scale=3.0, size=(8, 100))
    return [rows + offset, rows - offset]


def normal(scale: float, *shape: int) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: [rng.normal(scale=scale, size=shape)]


def language_model(format: Format, rng: Generator) -> Batches:
    # Unigram log-frequencies by Zipf's law, a context that moves every logit, and a few favourites.
    rows = -np.log(np.arange(50_257) + 10.0) + rng.normal(scale=2.5, size=(2, 50_257))
    rows[:, rng.integers(0, 50_257, 20)] += rng.uniform(5, 12, size=20)
    return [rows]


def every_number(format: Format, rng: Generator) -> Batches:
    every = np.arange(2**16, dtype=np.uint16).view(format.dtype)
    return [np.stack([every, np.zeros_like(every)], axis=1)]


def every_width(first: int, last: int) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: [
        rng.normal(scale=3.0, size=(1, length)) for length in range(first, last + 1)
    ]


def beside_powers_of_two(format: Format, rng: Generator) -> Batches:
    k, places = np.arange(1, 11), np.arange(-4, 5) * format.unit_roundoff
    powers = (2.0 ** k[:, np.newaxis] * (1 + places)).ravel()
    zeros, few = np.zeros_like(powers), format.unit_roundoff * powers
    # Softmax 2^-k; log-softmax -2^k; log-sum-exp +-2^k, with an l of a place or of four copies.
    logs = [math.log(p - 1) if p > 1 else 0.0 for p in powers.tolist()]
    tails = [math.log(x) for x in few.tolist()]
    copies = np.repeat(np.concatenate([powers, -powers])[:, np.newaxis] - math.log(4), 4, axis=1)
    return [
        np.stack([zeros, logs], axis=1),
        np.stack([zeros, -powers], axis=1),
        *(np.stack([m, m + tails], axis=1) for m in (powers, -powers)),
        copies,
    ]


def _at_labels(rows: npt.NDArray[np.float64], values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Rows with other logits at their labels, which run through the columns."""
    at = np.arange(len(rows))
    rows[at, at % rows.shape[1]] = values
    return rows


def label_likeliest(format: Format, rng: Generator) -> Batches:
    gaps = np.linspace(0.5, 4 - math.log(format.smallest_subnormal), 120)
    several = rng.normal(scale=0.5, size=(gaps.size, 5))
    return [_at_labels(np.zeros((gaps.size, 2)), gaps), _at_labels(several, gaps + 1)]


def label_as_likely_as_not(format: Format, rng: Generator) -> Batches:
    nudges = np.arange(-8, 9) * format.unit_roundoff
    two = _at_labels(np.full((nudges.size, 2), 0.5), 0.5 + nudges)
    # Two others with half of it each, then many that are less and less.
    three = _at_labels(np.full((nudges.size, 3), -math.log(2)), nudges)
    many = _at_labels(rng.normal(scale=3.0, size=(16, 100)), -np.inf)
    others = [math.log(math.fsum(map(math.exp, row))) for row in many.tolist()]
    return [two, three, _at_labels(many, others)]


def label_masked(format: Format, rng: Generator) -> Batches:
    rows = rng.normal(scale=3.0, size=(16, 16))
    alone = np.full((4, 4), -np.inf)
    alone[np.arange(4), (np.arange(4) + 1) % 4] = [0.0, 3.5, -2.0, 1e-3]
    return [_at_labels(rows, -np.inf), _at_labels(rows.copy(), -1e9), alone, alone[:, ::-1]]


def label_least_likely(format: Format, rng: Generator) -> Batches:
    lowest = 4 - math.log(format.smallest_subnormal)
    rows = rng.normal(size=(60, 7))
    return [_at_labels(rows, rows.min(axis=1) - np.linspace(0, lowest, 60))]


def gradient_without_rounding(format: Format, rng: Generator) -> Batches:
    equal = [np.full((min(n, 8), n), 1.5) for n in (2, 4, 8, 64, 1024)]
    few = [[2.0, 2.0, -np.inf, -np.inf], [-np.inf, 0.5, -np.inf, 0.5], [1.0, -np.inf, 1.0, -np.inf]]
    return [*equal, few]
