"""What the rows of a verdict's own cases are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.builders import Batches, Generator
from numerics.formats import Format

Rows: TypeAlias = npt.NDArray[np.float64]
Builder: TypeAlias = Callable[[Format, Generator], Batches]
PRESENTED_ROWS = 24
PLACES = ("first", "middle", "last", "random")
LONG = (1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 8193, 16_384)
VOCABULARIES = (32_767, 32_768, 32_769, 50_257, 65_535, 65_536, 65_537, 100_003)
LONGEST = (131_073, 2**20)


def beyond_overflow(format: Format) -> float:
    """A logit whose exponential is infinite, and whose neighbours are near all the same."""
    return {"fp16": 400.0, "bf16": 200.0, "fp32": 200.0, "fp64": 1000.0}[format.name]


def presented(*lengths: int) -> Builder:
    """Ordinary and masked rows that any way of passing them has to bring through."""

    def build(format: Format, rng: Generator) -> Batches:
        return [_mixture(format, rng, K) for K in lengths]

    return build


def _mixture(format: Format, rng: Generator, K: int) -> Rows:
    rows = rng.normal(scale=3.0, size=(PRESENTED_ROWS, K))
    far = beyond_overflow(format)
    rows[8:12] += np.array([far, -far, far / 4, -far / 4])[:, np.newaxis]
    rows[12, 0] = rows[13, -1] = far
    rows[14] = np.linspace(-8, 8, K)
    rows[15] = rows[14, ::-1]
    rows[16] = 5.0
    rows[17, :2] = rows[17].max()
    if K > 1:
        masked = rng.random((4, K)) < 0.4
        masked[:, rng.integers(0, K)] = False
        rows[18:22][masked] = -np.inf
    return rows


def presented_special(*lengths: int) -> Builder:
    """Rows of every kind side by side: a special row must not touch its neighbours."""

    def build(format: Format, rng: Generator) -> Batches:
        return [_all_kinds(rng, K) for K in lengths]

    return build


def _all_kinds(rng: Generator, K: int) -> Rows:
    rows = rng.normal(scale=3.0, size=(PRESENTED_ROWS, K))
    rows[[1, 8, 15]] = -np.inf
    for row, place in zip((3, 5, 10), (0, K // 2, K - 1), strict=True):
        rows[row, place] = np.inf
    rows[12, [0, K - 1]] = np.inf
    for row, place in zip((14, 17, 19), (0, K // 2, K - 1), strict=True):
        rows[row, place] = np.nan
    rows[20] = np.nan
    rows[21, [0, 1]] = np.inf, np.nan
    rows[22, 0] = -np.inf
    return rows


def presented_long(format: Format, rng: Generator) -> Batches:
    """Rows of a vocabulary, which a sum over another axis than the last adds one by one."""
    rows: Rows = rng.normal(scale=2.0, size=(4, 50_257))
    rows[2] = 1.0
    return [rows]


def two_logits(format: Format, rng: Generator) -> Batches:
    """[0, gap] and [gap, 0], [-gap, 0] and [0, -gap], through every gap that a format has."""
    near = np.linspace(0, 120, 961)
    far = np.geomspace(120, format.largest, 120)
    tiny = np.geomspace(format.smallest_subnormal, 1 / 16, 160)
    gaps = np.concatenate([near, far, tiny])
    zero = np.zeros_like(gaps)
    sides = [(zero, gaps), (gaps, zero), (-gaps, zero), (zero, -gaps)]
    return [np.stack(side, axis=1) for side in sides]


def three_with_a_gap(format: Format, rng: Generator) -> Batches:
    """One logit above two near ones, by every gap, at each place."""
    gaps = np.linspace(0.0, 120.0, 241)
    rows = np.stack([gaps, np.zeros_like(gaps), np.full_like(gaps, -0.75)], axis=1)
    return [rows, np.roll(rows, 1, axis=1), np.roll(rows, 2, axis=1)]


def widths(format: Format, rng: Generator) -> Batches:
    """Every K to 300, and then every remainder of 128 up to 4000."""
    lengths = [*range(1, 301), *range(301, 301 + 29 * 128, 29)]
    return [rng.normal(scale=3.0, size=(1, K)) for K in lengths]


def lengths(*several: int) -> Builder:
    """A row of each length."""
    return lambda format, rng: [rng.normal(size=(1, K)) for K in several]


def equal_lengths(*several: int) -> Builder:
    """Equal rows, of which sums stall or overflow."""
    return lambda format, rng: [np.full((1, K), 2.0) for K in several]


def _at(place: str, K: int, width: int, rng: Generator) -> int:
    starts = {"first": 0, "middle": (K - width) // 2, "last": K - width}
    return starts.get(place, int(rng.integers(0, K - width + 1)))


def places_of_the_largest(format: Format, rng: Generator) -> Batches:
    """The largest logit, alone and tied, far above and a little above, at each place."""
    batches = []
    for K in (5, 16, 33, 70, 1030, 8192):
        rows = rng.normal(size=(16, K)) if K < 8000 else np.zeros((16, K))
        for index, place in enumerate(PLACES):
            for times, height in enumerate((beyond_overflow(format) / 2, 9.0)):
                row = rows[4 * index + 2 * times : 4 * index + 2 * times + 2]
                at = _at(place, K, 3, rng)
                row[0, at if place != "last" else K - 1] = height
                row[1, at : at + 3] = height
        batches.append(rows)
    return batches


def every_place(format: Format, rng: Generator) -> Batches:
    """The largest logit, its tie with the first and with the last, and a mask, at every place."""
    batches = []
    for K in (2, 3, 7, 17, 33):
        rows = rng.normal(size=(K, 4, K))
        each = np.arange(K)
        rows[each, 0, each] = 12.0
        rows[:, 1, 0], rows[:, 2, K - 1] = 12.0, 12.0
        rows[each, 1, each] = rows[each, 2, each] = 12.0
        rows[each, 3, each] = -np.inf
        batches.append(rows.reshape(-1, K))
    return batches


def special_at_every_place(format: Format, rng: Generator) -> Batches:
    """NaN, +inf, and a number among -inf, at every place of short rows."""
    batches = []
    for K in (2, 3, 7, 17, 33):
        rows = rng.normal(size=(K, 3, K))
        each = np.arange(K)
        rows[each, 0, each], rows[each, 1, each] = np.nan, np.inf
        rows[:, 2], rows[each, 2, each] = -np.inf, 1.5
        batches.append(rows.reshape(-1, K))
    return batches


def masked_blocks(format: Format, rng: Generator) -> Batches:
    """Blocks of -inf at each place, and rows of which one block alone is left."""
    batches = []
    for K, block in ((16, 4), (40, 16), (300, 128), (1030, 300), (8192, 2048)):
        rows = rng.normal(scale=3.0, size=(8, K))
        for index, place in enumerate(PLACES):
            at = _at(place, K, block, rng)
            rows[index, at : at + block] = -np.inf
            kept = rows[index + 4, at : at + 1].copy()
            rows[index + 4] = -np.inf
            rows[index + 4, at : at + 1] = kept
        batches.append(rows)
    return batches


def places_of_special_logits(format: Format, rng: Generator) -> Batches:
    """NaN, +inf, both and two of each at each place of short and long rows."""
    batches = []
    for K in (2, 3, 5, 16, 17, 70, 515, 1030, 8192):
        rows = rng.normal(size=(20, K)) if K % 2 else np.zeros((20, K))
        for index, place in enumerate(PLACES):
            at = _at(place, K, 2, rng) + (place == "last")
            beside = at - 1 if at else 1
            for kind, value in enumerate((np.nan, np.inf)):
                rows[index + 4 * kind, at] = value
                rows[index + 8 + 4 * kind, [at, beside]] = value
            rows[index + 16, at], rows[index + 16, beside] = np.inf, np.nan
        batches.append(rows)
    return batches


def empty_rows(format: Format, rng: Generator) -> Batches:
    """Rows of -inf alone, of many lengths, alone and among others."""
    several = (1, 2, 3, 16, 100, 127, 128, 129, 1000, 8192)
    alone = [np.full((1, K), -np.inf) for K in several]
    among = [rng.normal(size=(3, K)) for K in several]
    for rows in among:
        rows[1] = -np.inf
    return [*alone, *among]


def offsets(format: Format, rng: Generator) -> Batches:
    """Near logits, ever further from 0, on both sides."""
    far = [f for f in (10.0, 100.0, 1e3, 1e4, 1e6, 1e9) if f <= format.largest / 2]
    rows = rng.normal(size=(4, 12))
    return [rows + sign * f for f in far for sign in (1, -1)]
