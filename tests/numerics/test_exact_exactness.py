"""What docs/exact.md says is exact (E1 to E9, L4, O1), checked in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from numerics.exact import extended
from numerics.exact.blocks import Block
from numerics.formats import FloatArray
from tests.numerics.test_exact_stages import gaps_to_measure


def fractions(x: FloatArray) -> list[Fraction]:
    return [Fraction(float(v)) for v in x]


def assert_difference(got: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """That a - b was not rounded."""
    for d, v, w in zip(fractions(got), fractions(a), fractions(b), strict=True):
        assert d == v - w


def test_steps_of_an_argument() -> None:
    d = np.concatenate([gaps_to_measure(extended.LOWEST), -gaps_to_measure(-extended.NEAR)])
    step_1, step_2, _ = extended._steps()
    k = np.rint(d * extended.PER_STEP)
    for step in (step_1, step_2):
        assert fractions(k * step) == [n * Fraction(step) for n in fractions(k)]
    rest = d - k * step_1
    assert_difference(rest, d, k * step_1)  # E3
    s_1, _ = extended._rest(d, None, k.copy())
    assert (s_1 * 2.0**40 % 1 == 0).all()
    assert (np.abs(s_1) < 2.0**-14).all()  # E4: 26 bits
    without = rest - s_1
    assert_difference(without, rest, s_1)  # E5
    assert_difference(without - k * step_2, without, k * step_2)


@pytest.mark.parametrize("length", [2, 3, 40, 24_576])
def test_sums_of_cuts_do_not_depend_on_the_order(length: int) -> None:
    x = np.random.default_rng(length).normal(scale=3, size=(1, length))
    ((_, found),) = extended._pieces(Block(x, max(length, 41)))
    heads, tails = (part.reshape(-1) for part in (found.head, found.tail))
    grid = np.ldexp(1.5, np.frexp(heads.max())[1] + length.bit_length() - 1)
    rests = assert_sums_are_exact(heads, grid) + tails
    assert_sums_are_exact(rests, grid * 2.0**-25)


def assert_sums_are_exact(values: FloatArray, grid: float) -> FloatArray:
    """Cut, and add up in four orders; what was cut off."""
    cut = (values + grid) - grid
    assert_difference(values - cut, values, cut)  # L4
    exact = sum(fractions(cut), Fraction(0))
    for order in (cut, cut[::-1], np.sort(cut), np.sort(cut)[::-1]):
        assert Fraction(float(np.add.accumulate(order)[-1])) == exact  # E9
    assert Fraction(float(np.einsum("i->", cut))) == exact
    return values - cut


def test_cutting_by_a_number_a_bit_too_small_is_seen() -> None:
    # The same with a grid that is too fine for so many terms depends on the order.
    cut = np.array([1.0, 2.0**-52, 2.0**-53, 2.0**-53])
    sums = {float(np.add.accumulate(np.array(order))[-1]) for order in permutations(cut)}
    assert len(sums) > 1
