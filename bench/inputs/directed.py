"""Directed rows: inputs made so that a correctly rounded result is as hard as it gets.

Random rows come within 2^-20 of a midpoint between two floating-point numbers once in a million.
These are tuned to it, one tail after the other, to 2^-20 ... 2^-130 of a place; others sit on the
thresholds of `numerics.exact`, cancel, or have logits at the ends of the format. Knows no subject.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from mpmath import mp, mpf

from bench.inputs.cases import Batch
from numerics.exact import double_double, extended, logs, plain
from numerics.formats import FloatArray, Format

BITS = 700
"""Working precision: enough for the smallest term beside the largest logit, and 2^-130 of it."""
CLOSEST, FARTHEST = 130, 20
"""Rows are tuned to within 2^-FARTHEST ... 2^-CLOSEST of a place of the midpoint."""
MOST_TAILS = 14
LONG = (513, 24_577, 65_537, 262_145)
"""One more than a power of two, and than the pieces of `exact`'s stages."""
THRESHOLDS = (
    *(extended.LOWEST, extended.LOWEST, extended.LOWEST, extended.ZERO, extended.NEAR),
    *(plain.LOWEST, plain.NORMAL, plain.NEAR, plain.FAR, plain.HALF_RANGE),
    *(double_double.LOWEST, -logs.VANISHING, logs.NEAR),
)
"""Where `numerics.exact` takes another way; most often where it was once wrong."""

Generator: TypeAlias = np.random.Generator


@dataclass(frozen=True)
class Row:
    """Logits with how often each is there; the label is the entry that the row is made for."""

    logits: list[float]
    counts: list[int]
    label: int = 0

    def written_out(self, format: Format) -> FloatArray:
        """All logits, one after the other."""
        return np.repeat(np.array(self.logits, format.dtype), self.counts)


@dataclass(frozen=True)
class Direction:
    """A kind of directed row, and why it is hard."""

    name: str
    reason: str
    build: Callable[[Format, Generator], Row]


# --- Midpoints -----------------------------------------------------------------------------------


def midpoint(format: Format, exponent: int, rng: Generator) -> Any:
    """A midpoint from 2^exponent to 2^(exponent + 1), most often the first or the last of them.

    Now and then a quarter of a place off: such numbers beside a power of two were once misrounded.
    """
    unit = max(exponent, format.min_exponent) - format.precision + 1
    first = 2 ** (exponent - unit)
    whole = (first, 2 * first - 1, int(rng.integers(first, 2 * first)))[rng.integers(3)]
    part = rng.choice([0.5, 0.5, 0.5, 0.25, 0.75])
    return mp.ldexp(whole + mpf(part), unit)


def _tuned(total: Any, row: Row, format: Format, rng: Generator, share: Any = 1) -> Row:
    """The row and tails that bring sum_j exp(x_j) beside `total`, at a distance that is drawn.

    That is in places of a `share` of the total.
    The distance is aimed at: n tails of fp64 by themselves leave 2^-48n of a place or so, and what
    only goes wrong between 2^-56 and 2^-74 is never met.
    """
    logits, counts = list(row.logits), list(row.counts)
    places = format.precision + int(rng.integers(FARTHEST, CLOSEST + 1))
    distance = mp.ldexp(total * share, -places)
    left = total + int(rng.choice([-1, 1])) * distance
    left -= mp.fsum(n * mp.exp(mpf(x)) for x, n in zip(logits, counts, strict=True))
    while left > distance / 8 and len(logits) < MOST_TAILS:
        tail = _at_most(mp.log(left), format)
        logits.append(tail)
        counts.append(1)
        left -= mp.exp(mpf(tail))
    return Row(logits, counts, row.label)


def _at_most(x: Any, format: Format) -> float:
    """The largest number of the format that does not exceed x."""
    found = _number(x, format)
    below = np.nextafter(format.dtype.type(found), format.dtype.type(-np.inf))
    return float(below) if mpf(found) > x else found


def _number(x: Any, format: Format) -> float:
    """A number of the format next to x."""
    with np.errstate(over="ignore"):
        return float(np.clip(np.array(float(x)), -format.largest, np.inf).astype(format.dtype))


def _offset(format: Format, rng: Generator) -> float:
    """Where a row lies: at 0, near it, or as far away as the thresholds of `exact`."""
    scale = rng.choice([0.0, 0.0, 1.0, 30.0, 300.0, 700.0, 2.0**12, 2.0**14])
    return _number(rng.choice([-1, 1]) * scale * rng.uniform(0.9, 1.1), format)


def _with_others(x: float, room: Any, format: Format, rng: Generator) -> Row:
    """x, and a few logits that together take less than `room`, relative to exp(x)."""
    row = Row([x], [1])
    for _ in range(rng.integers(3)):
        share = mp.log(room * mpf(rng.uniform(0.01, 0.3))) - mpf(rng.exponential(4))
        row.logits.append(_at_most(mpf(x) + share, format))
        row.counts.append(1)
    return row


def _softmax(format: Format, rng: Generator) -> Row:
    lowest = format.min_exponent - format.precision + 1
    exponent = int(rng.choice([-1, -int(rng.integers(1, 12)), int(rng.integers(lowest, 0))]))
    target = midpoint(format, exponent, rng)
    return _to_softmax(target, _offset(format, rng), format, rng)


def _to_softmax(target: Any, x: float, format: Format, rng: Generator) -> Row:
    """exp(x) / sum is `target`."""
    row = _with_others(x, 1 / target - 1, format, rng)
    return _tuned(mp.exp(mpf(x)) / target, row, format, rng)


def _gradient(format: Format, rng: Generator) -> Row:
    """1 - p_y is a midpoint, from next to 1 down to 2^-400."""
    lowest = max(format.min_exponent - format.precision + 1, -400)
    exponent = int(rng.choice([-1, -int(rng.integers(1, 12)), int(rng.integers(lowest, 0))]))
    target = midpoint(format, exponent, rng)
    x, odds = _offset(format, rng), target / (1 - target)  # d(1 - p) / p = d(sum) / sum
    row = _with_others(x, odds, format, rng)
    return _tuned(mp.exp(mpf(x)) / (1 - target), row, format, rng, odds)


def _log_softmax(format: Format, rng: Generator) -> Row:
    exponent = int(rng.choice([rng.integers(-20, 10), rng.integers(-60, 10)]))
    target = midpoint(format, max(exponent, format.min_exponent - 3), rng)
    return _to_softmax(mp.exp(-target), _offset(format, rng), format, rng)


def _log_sum_exp(format: Format, rng: Generator) -> Row:
    target = midpoint(format, int(rng.integers(-12, 10)), rng) * int(rng.choice([-1, 1]))
    log_of_others = mpf(rng.exponential(rng.choice([0.1, 3.0, 30.0])))
    x = _at_most(target - log_of_others, format)
    row = _with_others(x, mp.expm1(target - x) if target > x else mpf(1), format, rng)
    return _tuned(mp.exp(target), row, format, rng)


def _beside_the_largest(format: Format, rng: Generator) -> Row:
    """m + l, with an l of a few eighths of a place of m; every other m is +-2^k."""
    k = int(rng.integers(max(-30, format.min_exponent), 11))
    m = 2.0**k if rng.random() < 0.5 else _number(rng.uniform(1, 2) * 2.0**k, format)
    m *= float(rng.choice([-1, 1]))
    return _tuned(mp.exp(m + _eighths(k, format, rng)), Row([m], [1]), format, rng)


def _beside_the_gap(format: Format, rng: Generator) -> Row:
    """x_i - m - l between the gap and a power of two, or a few eighths of a place beyond."""
    k = int(rng.integers(max(-20, format.min_exponent), 11))
    m = _near(float(rng.choice([0.0, 0.0, 2.0**k, rng.uniform(-1, 1) * 2.0**k])), format, rng, 1)
    x = _near(m - 2.0**k, format, rng)
    surprise = mpf(m) - mpf(x) + _eighths(k, format, rng)
    below = mp.ldexp(1, k) - mp.ldexp(1, k - format.precision - 1)
    if mpf(m) - mpf(x) < below and rng.random() < 0.7:
        surprise = below
    return _tuned(mp.exp(x + surprise), Row([x, m], [1, 1]), format, rng)


def _eighths(k: int, format: Format, rng: Generator) -> Any:
    """1/8 to 3/2 places of a number in [2^k, 2^(k+1)]; often 1/4, half a place of those below."""
    eighths = (2, 2, 4, int(rng.integers(1, 13)))[rng.integers(4)]
    return mp.ldexp(eighths, k - format.precision - 2)


def _cancelling(format: Format, rng: Generator) -> Row:
    x = -float(format.dtype.type(rng.choice([format.smallest_subnormal, rng.uniform(0, 1), 2.0])))
    row = _with_others(x, mp.expm1(-mpf(x)), format, rng)
    return _tuned(mpf(1), row, format, rng)


# --- Powers of two, thresholds, ends of the format -----------------------------------------------


def _near(x: float, format: Format, rng: Generator, most: int = 4) -> float:
    """A number of the format, or one of its neighbours."""
    with np.errstate(over="ignore"):
        found = np.array(float(x)).astype(format.dtype)
        for _ in range(rng.integers(most + 1)):
            found = np.nextafter(found, format.dtype.type(rng.choice([-1, 1]) * np.inf))
    return float(np.clip(found, -format.largest, format.largest))


def _copies(format: Format, rng: Generator) -> Row:
    """m = +-2^k, and copies of a logit that bring m + l to eighths of a place from it."""
    k = int(rng.integers(-30, 11))
    largest, count = float(rng.choice([-1, 1]) * 2.0**k), int(2 ** rng.integers(0, 7))
    log = _eighths(max(k, format.min_exponent), format, rng)
    return Row([largest, _near(largest + mp.log(mp.expm1(log) / count), format, rng)], [1, count])


def _threshold(format: Format, rng: Generator) -> Row:
    """Gaps, or logits, that are a threshold, but for a few places; the label is on one of them."""
    threshold = float(rng.choice(THRESHOLDS))
    base = rng.choice([0.0, -threshold, 2.0 ** rng.integers(-3, 12), rng.uniform(-1100, 1100)])
    largest = _near(float(rng.choice([-1, 1]) * base), format, rng, 2)
    gap = -abs(threshold) if rng.random() < 0.8 else threshold
    below = [min(_near(largest + gap, format, rng), largest) for _ in range(rng.integers(1, 3))]
    between = [_near(largest + gap * rng.random(), format, rng) for _ in range(rng.integers(0, 3))]
    logits = [*below, largest, *(min(x, largest) for x in between)]
    return Row(logits, [1] * len(logits), int(rng.integers(len(logits))))


def _ends(format: Format, rng: Generator) -> Row:
    """The largest, the smallest and subnormal numbers, and what lies between them."""
    tiny, big = format.smallest_subnormal, format.largest
    ends = (tiny, format.smallest_normal, 1.0, big, big / 2, big * format.unit_roundoff, 0.0)
    logits = [
        float(rng.choice([-1, 1])) * _near(float(rng.choice(ends)), format, rng)
        for _ in range(rng.integers(2, 5))
    ]
    return Row(logits, [1] * len(logits), int(rng.integers(len(logits))))


def _long(format: Format, rng: Generator, length: int) -> Row:
    """A midpoint of any operation, in a row that is one longer than what `exact` takes at once."""
    row = DIRECTIONS[rng.integers(4)].build(format, rng)
    rest = length - sum(row.counts)
    largest = max(row.logits)
    counted = Row(
        [*row.logits, _near(largest - rng.exponential(5) - math.log(rest), format, rng)],
        [*row.counts, rest],
        row.label,
    )
    total = mp.fsum(mp.exp(mpf(x)) * n for x, n in zip(counted.logits, counted.counts, strict=True))
    own = mp.exp(mpf(row.logits[row.label]))
    exponent = int(mp.floor(mp.log(own / total, 2))) - 1
    if exponent < format.min_exponent - format.precision + 1:
        return counted
    return _tuned(own / midpoint(format, exponent, rng), counted, format, rng)


DIRECTIONS = (
    Direction("softmax", "exp(x_i) / sum tuned to a midpoint", _softmax),
    Direction("log-softmax", "x_i - log-sum-exp tuned to a midpoint", _log_softmax),
    Direction("log-sum-exp", "log-sum-exp tuned to a midpoint", _log_sum_exp),
    Direction("cancelling", "m + l tuned to 0", _cancelling),
    Direction("beside the largest", "m + l for an l of eighths of a place", _beside_the_largest),
    Direction("beside the gap", "x_i - m - l for an l of eighths of a place", _beside_the_gap),
    Direction("copies", "m = +-2^k, copies of a logit, and l eighths of a place", _copies),
    Direction("thresholds", "gaps where `exact` takes another way", _threshold),
    Direction("gradient", "1 - p_y tuned to a midpoint", _gradient),
    Direction("ends", "logits at both ends of the format", _ends),
)


# --- Batches -------------------------------------------------------------------------------------


def batches(format: Format, rng: Generator, count: int, long: int | None = None) -> list[Batch]:
    """So many rows of all directions in turn, and one of `long` logits.

    Most are among others of their length, so that several kinds meet in one block; four in ten are
    alone, so that nothing in its block hides what it does.
    """
    by_length: dict[tuple[int, int], list[tuple[FloatArray, int]]] = defaultdict(list)
    with mp.workprec(BITS):
        made = [DIRECTIONS[n % len(DIRECTIONS)].build(format, rng) for n in range(count)]
        if long is not None:
            made.append(_long(format, rng, long))
    for number, row in enumerate(made):
        logits = row.written_out(format)
        alone = number if rng.random() < 0.4 else -1
        by_length[logits.size, alone].append((logits, sum(row.counts[: row.label])))
    return [
        Batch(np.stack([x for x, _ in some]), np.array([label for _, label in some], np.intp))
        for some in by_length.values()
    ]
