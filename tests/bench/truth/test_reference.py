"""The truth must be true: definitions, rounding, precision, and a cache that cannot lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

from bench.inputs.cases import Batch
from bench.truth import reference
from bench.truth.exact import Exact, split
from bench.truth.reference import Cache, compute, lookup, references
from numerics import FORMATS, LABELLED, OPERATIONS, Format
from tests.strategies import formats

FP16, FP32, FP64 = FORMATS.values()


def batch(*rows: list[float], format: Format = FP64, labels: list[int] | None = None) -> Batch:
    return Batch(np.array(rows, format.dtype), np.array(labels or [0] * len(rows)))


def as_numbers(values: Sequence[Fraction], format: Format) -> list[float]:
    """Round by way of `split`, which must be the IEEE rounding."""
    with mp.workprec(200):
        parts = [split(mp.mpf(value.numerator) / value.denominator, format) for value in values]
    exact = Exact(*map(np.array, zip(*parts, strict=True)))
    return exact.rounded(format).astype(float).tolist()


def all_positive_fp16() -> list[Fraction]:
    bits = np.arange(1, 0x7C00, dtype=np.uint16)
    return [Fraction(float(x)) for x in bits.view(np.float16)]


def test_every_fp16_number_is_its_own_rounding_with_no_fraction() -> None:
    numbers = all_positive_fp16()
    for x in numbers:
        with mp.workprec(60):
            significand, fraction, exponent = split(mp.mpf(x.numerator) / x.denominator, FP16)
        assert fraction == 0
        assert significand * Fraction(2) ** exponent == x
    negative = [-x for x in numbers]
    assert as_numbers(negative, FP16) == negative


def test_every_fp16_midpoint_goes_to_even_and_its_neighbours_to_the_nearest() -> None:
    numbers = [Fraction(0), *all_positive_fp16(), Fraction(65_536)]
    bits = {x: i for i, x in enumerate(numbers)}
    nudge, given, expected = Fraction(1, 2**60), [], []
    for low, high in itertools.pairwise(numbers):
        middle = (low + high) / 2
        even = low if bits[low] % 2 == 0 else high
        given += [middle, middle - nudge, middle + nudge]
        expected += [math.inf if x == 65_536 else float(x) for x in (even, low, high)]
    assert as_numbers(given, FP16) == expected


@given(value=st.floats(allow_nan=False, allow_infinity=False).filter(bool), format=formats)
def test_rounding_a_double_is_the_cast_of_numpy(value: float, format: Format) -> None:
    with np.errstate(over="ignore", under="ignore"):
        expected = float(np.float64(value).astype(format.dtype))
    assert as_numbers([Fraction(value)], format) == [expected]


@settings(max_examples=50)
@given(
    significand=st.integers(2**52, 2**53 - 1),
    fraction=st.floats(-0.5, 0.5),
    exponent=st.integers(-1074, 900),
)
def test_parts_carry_the_unrounded_value(significand: int, fraction: float, exponent: int) -> None:
    value = (significand + Fraction(fraction)) * Fraction(2) ** exponent
    with mp.workprec(4000):
        parts = split(mp.mpf(value.numerator) / value.denominator, FP64)
    again = (parts[0] + Fraction(parts[1])) * Fraction(2) ** parts[2]
    assert abs(again - value) <= Fraction(2) ** (parts[2] - 53)
    assert abs(parts[1]) <= 0.5


def test_far_below_half_an_ulp_the_fraction_says_how_far() -> None:
    with mp.workprec(100):
        significand, fraction, exponent = split(mp.exp(-800), FP64)
        expected = float(mp.exp(-800) / mp.ldexp(1, -1074))
    assert (significand, exponent) == (0, -1074)
    assert fraction == pytest.approx(expected, rel=2**-50)
    assert split(-mp.exp(mp.mpf(-10) ** 9), FP64) == (0, 0.0, -1074)


def test_values_agree_with_another_arithmetic() -> None:
    exact = compute([batch([0.0, 0.0]), batch([1.0, 2.0, 3.0], labels=[2])], FP64)
    assert exact["softmax"].rounded(FP64)[:2].tolist() == [0.5, 0.5]
    assert exact["log_softmax"].rounded(FP64)[0] == -math.log(2)
    with localcontext(prec=50):
        total = sum(Decimal(x).exp() for x in (1, 2, 3))
        assert exact["softmax"].rounded(FP64)[2] == float(Decimal(1).exp() / total)
        assert exact["log_sum_exp"].rounded(FP64)[1] == float(total.ln())
        assert exact["cross_entropy"].rounded(FP64)[1] == float(total.ln() - 3)


def test_definitions_agree_with_the_textbook_formula_at_high_precision() -> None:
    row = [0.25, -3.0, 7.5, 7.5, -40.0]
    with mp.workprec(500):
        total = mp.fsum(mp.exp(x) for x in row)
        textbook = {
            "softmax": [mp.exp(x) / total for x in row],
            "log_softmax": [mp.log(mp.exp(x) / total) for x in row],
            "log_sum_exp": [mp.log(total)],
            "cross_entropy": [-mp.log(mp.exp(row[1]) / total)],
            "cross_entropy_gradient": [mp.exp(x) / total - (i == 1) for i, x in enumerate(row)],
        }
        exact = compute([batch(row, labels=[1])], FP64)
        for operation, values in textbook.items():
            for index, value in enumerate(values):
                significand, fraction, exponent = split(value, FP64)
                assert exact[operation].significand[index] == significand
                assert exact[operation].exponent[index] == exponent
                assert abs(exact[operation].fraction[index] - fraction) <= 2.0**-40


def test_confident_rows_keep_their_digits() -> None:
    exact = compute([batch([700.0, 0.0], labels=[0])], FP64)
    assert exact["log_softmax"].rounded(FP64)[0] == -math.exp(-700)
    assert exact["cross_entropy"].rounded(FP64)[0] == math.exp(-700)
    tail = math.exp(-700)
    assert exact["cross_entropy_gradient"].rounded(FP64).tolist() == [-tail, tail]


def test_special_rows_follow_the_policy() -> None:
    inf, nan = math.inf, math.nan
    exact = compute([batch([-inf] * 3, [nan, 0, 0], [inf, 0, 0], [-inf, 1, 1])], FP32)
    third = np.float32(1 / 3)
    softmax = exact["softmax"].rounded(FP32).reshape(4, 3)
    assert (softmax[0] == third).all()
    assert np.isnan(softmax[1:3]).all()
    assert softmax[3].tolist() == [0, 0.5, 0.5]
    assert np.isneginf(exact["log_softmax"].rounded(FP32)[9])
    assert exact["log_sum_exp"].rounded(FP32)[[0, 2]].tolist() == [-inf, inf]
    assert exact["cross_entropy"].rounded(FP32)[0] == np.float32(math.log(3))
    assert exact["cross_entropy"].rounded(FP32)[3] == inf
    gradient = exact["cross_entropy_gradient"].rounded(FP32).reshape(4, 3)
    assert gradient[0].tolist() == [np.float32(-2 / 3), third, third]
    assert np.isnan(gradient[1:3]).all()
    assert gradient[3].tolist() == [-1, 0.5, 0.5]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_a_zero_and_what_is_no_number_have_the_smallest_ulp(format: Format) -> None:
    """In which an error beside them is told."""
    rows = [batch([3.0], format=format), batch([math.inf, 0.0], format=format)]
    exact = compute(rows, format)["log_softmax"]
    assert exact.significand[0] == exact.fraction[0] == 0
    assert (np.ldexp(1.0, exact.exponent) == format.smallest_subnormal).all()


def test_labels_out_of_range_leave_out_what_takes_labels() -> None:
    assert set(compute([batch([1.0], labels=[1])], FP64)) == set(OPERATIONS) - set(LABELLED)


def test_precision_is_doubled_until_it_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = batch([0.1, 0.7, -33.0, 12.0])
    expected = compute([rows], FP64)
    monkeypatch.setattr(reference, "PRECISION", 4)
    coarse = compute([rows], FP64)
    for operation in OPERATIONS:
        assert (coarse[operation].significand == expected[operation].significand).all()
        error = abs(coarse[operation].fraction - expected[operation].fraction)
        assert (error <= 2.0**-reference.AGREEMENT).all()


@pytest.mark.parametrize("format", [FP16, FP32, FP64], ids=["fp16", "fp32", "fp64"])
def test_two_evaluations_agree_within_a_part_of_an_ulp_on_either_side(format: Format) -> None:
    with mp.workprec(200):
        for value in (mp.mpf(1), mp.mpf(-3), mp.mpf(format.smallest_normal) / 8):
            exponent = max(mp.mag(value) - 1, format.min_exponent) - format.precision + 1
            near = mp.ldexp(1, int(exponent) - reference.AGREEMENT)
            for side in (-1, 1):
                assert reference._agree(value + side * near, value, format)
                assert not reference._agree(value + side * near * 1.01, value, format)
                assert not reference._agree(value + side, value, format)
        assert not reference._agree(mp.mpf(1), mp.mpf(2), format)
        assert not reference._agree(mp.mpf(2), mp.mpf(1), format)
        specials = [mp.nan, mp.inf, -mp.inf, mp.mpf(0)]
        for i, one in enumerate(specials):
            for j, other in enumerate(specials):
                assert reference._agree(one, other, format) == (i == j)


# --- The cache -----------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


JOB = ([batch([0.5, 1.5, -2.0], [1.0, 1.0, 3.0], format=FP32)], "fp32")


def fill(cache: Cache) -> dict[str, Exact]:
    ((index, exact),) = references([JOB], cache, workers=1)
    assert index == 0
    return exact


def same(a: dict[str, Exact], b: dict[str, Exact] | None) -> bool:
    names = ("significand", "fraction", "exponent")
    return b is not None and all(
        (getattr(a[op], name) == getattr(b[op], name)).all() for op in a for name in names
    )


def test_what_was_stored_comes_back(cache: Cache) -> None:
    assert lookup(JOB, cache) is None
    exact = fill(cache)
    assert same(exact, lookup(JOB, cache))
    assert same(exact, fill(cache))


@pytest.mark.parametrize("damage", ["delete", "truncate", "flip", "swap", "empty", "lengthen"])
def test_a_damaged_file_costs_a_recomputation_and_never_a_figure(cache: Cache, damage: str) -> None:
    exact = fill(cache)
    files = sorted(cache.directory.iterdir())
    assert len(files) == len(OPERATIONS)
    for file, other in zip(files, files[1:] + files[:1], strict=True):
        data = bytearray(file.read_bytes())
        if damage == "delete":
            file.unlink()
            continue
        if damage == "truncate":
            del data[-1:]
        elif damage == "flip":
            data[-3] ^= 1
        elif damage == "swap":
            data = bytearray(other.read_bytes())
        elif damage == "empty":
            data.clear()
        else:
            data += bytes(20)
        file.write_bytes(data)
        if damage == "swap":
            break
    assert lookup(JOB, cache) is None
    assert same(exact, fill(cache))
    assert same(exact, lookup(JOB, cache))


def test_the_key_depends_on_everything_the_values_depend_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {reference.cache_key("a", "softmax", FP32), reference.cache_key("b", "softmax", FP32)}
    keys |= {
        reference.cache_key("a", "log_softmax", FP32),
        reference.cache_key("a", "softmax", FP16),
    }
    monkeypatch.setattr(reference, "PRECISION", 200)
    keys.add(reference.cache_key("a", "softmax", FP32))
    monkeypatch.setattr(mpmath, "__version__", "0")
    keys.add(reference.cache_key("a", "softmax", FP32))
    assert len(keys) == 6


def test_a_cache_that_cannot_be_written_still_gives_values(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert set(fill(Cache(blocked / "cache"))) == set(OPERATIONS)
