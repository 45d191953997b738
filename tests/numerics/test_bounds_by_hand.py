"""Bounds are neither looser nor tighter than what is derived, for each row as if it were alone."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from bench.inputs.formats import FORMATS
from numerics import METHODS, OPERATIONS, Format, bounds
from numerics.facts import Bound, RowFacts
from numerics.formats import FloatArray
from numerics.online import BLOCK
from tests.numerics import by_hand

INF, NAN = math.inf, math.nan
CELLS = pytest.mark.parametrize(
    ("method", "format"),
    [
        pytest.param(method.name, FORMATS[name], id=f"{method.name}-{name}")
        for method in METHODS.values()
        for name in method.formats
        if name in FORMATS
    ],
)
COMPUTED_IN_FP64 = 2.0**-40
"""What a bound may be off by, relatively: a thousand roundings of fp64, and exp of 700."""


def rows(format: Format) -> dict[str, list[float]]:
    """Rows at which a term of some bound begins, ends or is largest."""
    below = -math.log(format.smallest_normal)  # beyond this gap an exponential is subnormal
    over, under = format.exp_overflow, format.exp_underflow
    long = [math.sin(i) for i in range(200)]
    return {
        "one": [1.5],
        "equal": [0.5, 0.5, 0.5],
        "a power of two": [0.0, 0.0],
        "spread": [3.0, -1.25, 0.5, 3.0, -INF],
        "masked first": [-INF, 2.0, 1.0],
        "largest last": [-4.0, -3.0, -2.5],
        "eight": [0.25 * i for i in range(8)],
        "nine": [0.25 * i for i in range(9)],
        "ascending over four blocks": sorted(long),
        "descending over four blocks": sorted(long, reverse=True),
        "sixty-four": long[:64],
        "sixty-five": long[:65],
        "subnormal terms": [0.0, -below - 1.0, -below - 1.5, -0.5, -INF],
        "barely normal terms": [0.0, 0.5 - below, -1.0 - below, -0.5],
        "all far below": [-1.5 * below, -1.5 * below - 1],
        "half of the sum underflows": [-below - 0.5, -below - 1.0],
        "below where fast shifts": [under - 2.0, -1.0],
        "the least where fast does not": [under, under + 2.0],
        "sum of a half": [-1.0, -1.5, -2.5],
        "sum above a half": [-1.25, -1.5, -2.5],
        "before overflow": [over - 1.0, 1.0],
        "overflow of a sum": [over - 0.125, over - 0.125, over - 0.125],
        "overflow of a term": [over + 1.0, 0.0],
        "beyond reach": [2.5 * over, 2.5 * over - 3, 0.0],
        "below reach": [-2.5 * over, -2.5 * over - 3],
        "r of 0.38": [0.0, math.log(0.38)],
        "r of 0.395": [0.0, math.log(0.395)],
        "r of 0.405": [0.0, math.log(0.405)],
        "r of 0.42": [0.0, math.log(0.42)],
        "confident": [0.0, -0.9 * below, -0.9 * below],
        "below a power of two": [0.0, -20.0],
        "at a power of two for fp64": [0.0, -25.0],
        "log-sum-exp near 0": [-math.log(2), -math.log(2)],
    }


def facts(x: Any, format: Format, labels: Any = 0) -> RowFacts:
    array: FloatArray = np.atleast_2d(np.asarray(x)).astype(format.dtype)
    return RowFacts(array, format, np.broadcast_to(np.intp(labels), len(array)))


@functools.cache
def row_by_hand(x: tuple[float, ...], label: int, format: Format) -> by_hand.Row:
    """Its exponentials and sums, once for all methods."""
    with mp.workprec(200):
        return by_hand.Row(list(x), label, format)


@CELLS
def test_bounds_are_those_recomputed_by_hand(method: str, format: Format) -> None:
    for name, x in rows(format).items():
        label = len(x) // 2
        given = facts(x, format, label)
        row = row_by_hand(tuple(given.original[0].tolist()), label, format)
        with mp.workprec(200):
            cancelled = abs(row.top) * 2.0**-51  # of y = m + log(sum), in fp64
            for operation, expected in by_hand.bounds(method, row).items():
                got = bounds.of(method)[operation](given).ravel().tolist()
                for one, other in zip(got, expected, strict=True):
                    allowed = COMPUTED_IN_FP64 * other + cancelled
                    assert one == other or abs(one - other) <= allowed, (operation, name)


@CELLS
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_bound_of_a_row_is_that_of_the_row_alone(
    method: str, format: Format, operation: str
) -> None:
    """In company of rows of every kind, some of which claim nothing or are special."""
    kinds = [x[:2] for x in rows(format).values() if len(x) > 1]
    kinds += [[INF, 0.0], [NAN, 0.0], [-INF, -INF]]
    rising = np.linspace(0.0, 3.0, 3 * BLOCK).tolist()
    for company in (kinds, [rising, rising[::-1], [1.0] * len(rising)]):
        _each_alone_as_together(company, bounds.of(method)[operation], format)


def _each_alone_as_together(kinds: list[list[float]], bound: Bound, format: Format) -> None:
    labels = np.arange(len(kinds)) % 2
    together = bound(facts(kinds, format, labels))
    assert len(together) == len(kinds)
    for x, label, of_row in zip(kinds, labels, together, strict=True):
        alone = bound(facts(x, format, label))[0]
        np.testing.assert_array_equal(of_row, alone, str(x))


@CELLS
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_special_row_has_the_bound_of_equal_logits_or_none(
    method: str, format: Format, operation: str
) -> None:
    bound = bounds.of(method)[operation]
    equal = bound(facts([0.0, 0.0, 0.0], format))
    for x in ([-INF] * 3, [INF, 0.0, 1.0], [0.0, NAN, 1.0]):
        got = bound(facts(x, format))
        assert (got == (np.inf if method == "naive" else equal)).all(), x


@CELLS
def test_a_bound_that_is_off_by_a_millionth_is_not_the_one_by_hand(
    method: str, format: Format
) -> None:
    """That the comparison can fail, for every method."""
    given = facts([0.0, 1.0, 2.0], format)
    got = bounds.of(method)["softmax"](given).ravel()
    with mp.workprec(200):
        row = by_hand.Row([0.0, 1.0, 2.0], 0, format)
        expected = by_hand.bounds(method, row)["softmax"]
        off = got * (1 + 1e-6)
        assert all(abs(a - b) > COMPUTED_IN_FP64 * b for a, b in zip(off, expected, strict=True))
