"""What docs/exact.md says is exact (E1 to E9, D1, L4, O1), checked in fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations
from types import ModuleType

import numpy as np
import pytest

from numerics.exact import double_double, extended
from numerics.exact.blocks import Block, row_sums
from numerics.formats import FloatArray
from tests.numerics.test_exact_stages import gaps_to_measure


def fractions(x: FloatArray) -> list[Fraction]:
    return [Fraction(float(v)) for v in x]


def exact_sum(x: FloatArray) -> Fraction:
    """In integers of a common unit: fractions add up far more slowly."""
    ratios = [v.as_integer_ratio() for v in x.tolist()]
    unit = max(denominator for _, denominator in ratios)
    return Fraction(sum(n * (unit // denominator) for n, denominator in ratios), unit)


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


@pytest.mark.parametrize("length", [2, 3, 40, 16_385, 24_576])
@pytest.mark.parametrize("flat", [False, True])
def test_sums_of_cuts_do_not_depend_on_the_order(
    monkeypatch: pytest.MonkeyPatch, length: int, flat: bool
) -> None:
    summed: list[FloatArray] = []

    def kept(values: FloatArray, along: int) -> FloatArray:
        summed.append(values.copy())
        return row_sums(values, along)

    monkeypatch.setattr(extended, "row_sums", kept)
    x = np.random.default_rng(length).normal(scale=3, size=(1, length))
    if flat:  # as large a sum as there is, with small terms in it
        x = np.where(np.arange(length) % 50 == 1, np.minimum(x, 0) - 9, 0.69)
    block = Block(x, max(length, 41))
    ((_, found),) = extended._pieces(block)
    exact = exact_sum(np.concatenate([found.head.ravel(), found.tail.ravel()]))
    extended._sum(found, block.along)
    cut, cut_rests, last = (part.ravel() for part in summed)
    for values in (cut, cut_rests):  # E9
        assert exact_sum(abs(values)) <= 2**53 * common_unit(values)
        in_order = (values, values[::-1], np.sort(values), np.sort(values)[::-1])
        sums = {float(np.add.accumulate(order)[-1]) for order in in_order}
        assert sums == {float(exact_sum(values))}
    rounded = exact_sum(np.concatenate([cut, cut_rests, last]))
    # Q3: what making the rests has rounded is all that is missing.
    assert abs(rounded - exact) <= Fraction(1.13 * 2.0**-79 + 2.0**-76.4) * exact


def common_unit(values: FloatArray) -> Fraction:
    """The largest power of two that all are multiples of."""
    ratios = [v.as_integer_ratio() for v in values.tolist() if v]
    return min(Fraction(abs(n) & -abs(n), d) for n, d in ratios)


def test_cutting_by_a_number_a_bit_too_small_is_seen() -> None:
    # The same with a grid that is too fine for so many terms depends on the order.
    cut = np.array([1.0, 2.0**-52, 2.0**-53, 2.0**-53])
    sums = {float(np.add.accumulate(np.array(order))[-1]) for order in permutations(cut)}
    assert len(sums) > 1


@pytest.mark.parametrize(("stage", "exact"), [(extended, 2), (double_double, 3)])
def test_products_with_steps_are_exact(stage: ModuleType, exact: int) -> None:
    farthest = math.ceil(-stage.LOWEST * stage.STEPS / math.log(2)) + 1
    for step in stage._steps()[:exact]:
        numerator, _ = step.as_integer_ratio()
        odd = abs(numerator) // (numerator & -numerator)
        assert farthest * odd < 2**53
    assert (stage._steps()[1] * 2.0**75).is_integer()
