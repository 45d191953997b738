"""Errors that docs/exact.md derives for the gradient at the label, against mpmath."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from numerics import FORMATS, FP16, FP32, FP64, METHODS, Format
from numerics.exact import decimals, double_double, extended, gradient, plain, undecided
from numerics.exact.values import Answer
from numerics.formats import FloatArray
from tests.numerics.test_exact_stages import relative
from tests.strategies import finite_rows, formats
from tests.truth import bits, correctly_rounded, mismatches

U = FP64.unit_roundoff
FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # `exact` runs in an errstate


def rows() -> Iterator[FloatArray]:
    """Confident, close, wide and long rows, numbers of fp32, so that every stage may see them."""
    rng = np.random.default_rng(21)
    for length, scale in ((2, 1.0), (5, 3.0), (5, 30.0), (41, 1.0), (700, 2.0)):
        x = rng.normal(scale=scale, size=(40, length))
        x[::2, 0] += rng.uniform(0, 60, 20)
        yield x.astype(np.float32).astype(np.float64)


def worst(answers: Iterator[Answer], x: FloatArray, labels: Any) -> float:
    """Largest relative error of what a stage finds at the labels: the answers by row and column."""
    errors = []
    for where, value in answers:
        found, at = value.enclosed(), where[0].tolist()
        low = np.broadcast_to(found.low, found.high.shape)
        pairs = zip(at, found.high.tolist(), low.tolist(), strict=True)
        with mp.workprec(300):
            errors += [
                relative(mpf(a) + mpf(b), _share_of_others(x[i].tobytes(), int(labels[i])))
                for i, a, b in pairs
            ]
    assert len(errors) == len(x)
    return max(errors)


@functools.cache
def _share_of_others(row: bytes, label: int) -> mpf:
    """p_y - 1, once for all stages."""
    logits = np.frombuffer(row)
    with mp.workprec(300):
        terms = [mp.exp(mpf(v) - mpf(logits.max())) for v in logits.tolist()]
        others = mp.fsum(terms[:label] + terms[label + 1 :])
        return -others / (others + terms[label])


@pytest.mark.parametrize("spread", [0, 1])
def test_shares_of_stage_1(spread: int) -> None:
    for x in rows():
        labels = spread * np.arange(len(x)) % x.shape[1]
        *_, found = plain.cross_entropy_gradient(x.astype(np.float32), labels)
        claimed = (96 + plain.additions(x.shape[1])) * U
        assert worst(iter([found]), x, labels) <= claimed <= (260 + plain.additions(x.shape[1])) * U


@pytest.mark.parametrize(
    ("stage", "claimed"), [(extended, 2.0**-75.2), (double_double, 218 * U**2)]
)
@pytest.mark.parametrize("spread", [0, 1])
def test_shares_of_pairs(stage: Any, claimed: float, spread: int) -> None:
    for x in rows():
        labels = spread * np.arange(len(x)) % x.shape[1]
        found = gradient.at_labels(stage, x, labels)
        assert worst(found, x, labels) <= claimed <= stage.ERROR


@FORMAT
def test_every_label_of_rows_near_1_and_next_to_powers_of_two(format: Format) -> None:
    rng, found = np.random.default_rng(22), []
    for gap in (*np.linspace(0, 120, 25), 640.0, 700.0, 745.0, 760.0, 771.0, 1e4):
        row = np.round(rng.normal(size=4) * 8) / 8
        row[rng.integers(4)] += gap
        found += mismatches(np.repeat([row], 4, axis=0).astype(format.dtype), format)
    assert found == []


@settings(max_examples=60)
@given(data=st.data(), format=formats)
def test_any_row_with_any_label(data: st.DataObject, format: Format) -> None:
    x = data.draw(finite_rows(format))
    label = data.draw(st.integers(0, x.shape[1] - 1))
    got = METHODS["exact"].cross_entropy_gradient(x, label)
    for row, mine in zip(x, got, strict=True):
        truth = correctly_rounded(row, label, format)["cross_entropy_gradient"]
        assert bits(mine) == bits(np.array(truth).astype(format.dtype)), row


def test_rows_tuned_to_a_midpoint_of_the_gradient() -> None:
    """But for half a place and 2^-40 of one: the first stage cannot tell."""
    for format, target in ((FP32, 0.6), (FP32, 1e-9), (FP64, 0.3), (FP64, 1e-12)):
        number = float(format.dtype.type(target))
        unit = Fraction(float(np.spacing(format.dtype.type(target))))
        for nudge in (-1, 1):
            middle = Fraction(number) + unit / 2 + nudge * unit / 2**40
            with mp.workprec(400):
                share = mpf(middle.numerator) / middle.denominator
                left, row = share / (1 - share), [0.0]
                while len(row) < 8 and left > share * mpf(2) ** -120:
                    tail = format.dtype.type(float(mp.log(left)))
                    while mp.exp(mpf(float(tail))) > left:
                        tail = np.nextafter(tail, format.dtype.type(-np.inf))
                    row.append(float(tail))
                    left -= mp.exp(mpf(float(tail)))
            x = np.array([row]).astype(format.dtype)
            assert mismatches(x, format) == []
            first = "plain" if format == FP32 else "extended"
            assert undecided("cross_entropy_gradient", x, [0])[first] == 1


def test_a_tie_goes_to_decimals_and_to_even() -> None:
    x = np.zeros((1, 2**12), np.float16)
    assert undecided("cross_entropy_gradient", x, [7]) == dict.fromkeys(
        ("plain", "extended", "double_double"), 1
    )
    row = decimals.Row(x[0])
    assert row.bits("cross_entropy_gradient", 7, 7) == bits(np.array([-1], np.float16))[0]
    assert row.bits("cross_entropy_gradient", 0, 7) == bits(np.array([2.0**-12], np.float16))[0]


def test_one_token_allowed_takes_no_decimals() -> None:
    x = np.full((3, 5), -1e9)
    x[:, 0] = [0.0, 3.5, -2.0]
    assert undecided("cross_entropy_gradient", x, 0)["double_double"] == 0
    assert bits(METHODS["exact"].cross_entropy_gradient(x, 0)[:, 0]) == bits(np.full(3, -0.0))


def test_a_subnormal_result_in_fp16() -> None:
    gaps = np.linspace(9, 18, 100)
    x = np.stack([gaps, np.zeros(100), np.zeros(100)], axis=1).astype(FP16.dtype)
    assert mismatches(x, FP16) == []
