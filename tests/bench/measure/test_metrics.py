"""The definition of error, at its edges; and that no input makes a metric NaN or raise."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import metrics
from bench.measure.metrics import Errors, errors, exact_hex, sum_defect, summarize
from bench.runs import records
from bench.truth.exact import Exact
from numerics import FORMATS, Format
from tests.strategies import any_values, formats

FP16, FP32, FP64 = FORMATS.values()


def exact_of(values: Any, format: Format, fraction: float = 0.0) -> Exact:
    """Exact values that are numbers of the format, moved by a fraction of an ulp."""
    x = np.asarray(values, np.float64)
    finite = np.where(np.isfinite(x), x, 0.0)
    _, exponent = np.frexp(finite)
    lowest = format.min_exponent - format.precision + 1
    ulp = np.where(finite == 0, lowest, np.maximum(exponent - format.precision, lowest))
    significand = np.where(np.isfinite(x), np.ldexp(finite, -ulp), x)
    fractions = np.where(np.isfinite(x), fraction, 0.0)
    return Exact(significand, fractions, ulp.astype(np.int32))


def ulp_errors(got: Any, exact: Exact, format: Format) -> Any:
    array = np.asarray(got, format.dtype)
    return errors(array, exact, format, array.size).ulp


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_one_ulp_is_one_ulp_on_both_sides_of_a_power_of_two(format: Format) -> None:
    one = format.dtype.type(1)
    above, below = np.nextafter(one, one + one), np.nextafter(one, one - one)
    assert ulp_errors([above], exact_of([1.0], format), format) == 1.0
    # The binade of the exact value counts: below 1 the ulp is half as long.
    assert ulp_errors([below], exact_of([1.0], format), format) == 0.5
    assert ulp_errors([one], exact_of([below], format), format) == 1.0
    assert ulp_errors([above], exact_of([below], format), format) == 3.0


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_the_unrounded_value_is_what_counts(format: Format) -> None:
    assert ulp_errors([3.0], exact_of([3.0], format, 0.25), format) == 0.25
    assert ulp_errors([3.0], exact_of([3.0], format, -0.5), format) == 0.5
    quarter = errors(np.full(1, 3, format.dtype), exact_of([3.0], format, 0.25), format, 1)
    assert quarter.absolute[0] == format.unit_roundoff  # 3 has ulps of 4 u


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_subnormal_zero_and_overflow(format: Format) -> None:
    tiny, big = format.smallest_subnormal, format.largest
    assert ulp_errors([0.0], exact_of([3 * tiny], format), format) == 3.0
    assert ulp_errors([tiny], exact_of([0.0], format, 0.25), format) == 0.75
    half_above = Exact(np.array([2.0**format.precision]), np.array([0.0]), np.array([0]))
    top = dataclasses.replace(
        half_above, exponent=np.array([format.max_exponent + 1 - format.precision])
    )
    assert ulp_errors([np.inf], top, format) == 0.0
    assert ulp_errors([big], top, format) == 1.0


def test_nan_and_infinity_are_right_where_the_truth_is() -> None:
    exact = exact_of([np.nan, np.inf, -np.inf, np.nan, np.inf, 1.0, 1.0, 1.0], FP32)
    got = np.array([np.nan, np.inf, -np.inf, 1.0, -np.inf, np.nan, np.inf, 0.0], np.float32)
    found = errors(got, exact, FP32, got.size)
    assert found.ulp.tolist() == [0, 0, 0, math.inf, math.inf, math.inf, math.inf, 2.0**23]
    summary = summarize([found])
    assert (summary.missed_special, summary.nan_failures) == (2, 1)
    assert (summary.infinity_failures, summary.lost_to_zero) == (1, 1)
    assert summary.max_ulp == 2.0**23
    assert summary.failures == 5


def test_failures_are_never_averaged_away() -> None:
    exact = exact_of([1.0] * 100, FP64)
    got = np.ones(100)
    got[0] = np.nan
    summary = summarize([errors(got, exact, FP64, 100)])
    assert summary.mean_ulp == summary.p99_ulp == 0.0
    assert summary.nan_failures == 1
    assert summary.survival == [1] * len(records.SURVIVAL_THRESHOLDS)


def test_nothing_to_measure_is_none_and_not_a_number() -> None:
    summary = summarize([errors(np.array([np.nan]), exact_of([1.0], FP64), FP64, 1)])
    assert summary.max_ulp is None
    assert summary.mean_ulp is None
    assert summary.nan_failures == 1


def test_mean_percentile_relative_and_normwise() -> None:
    exact = exact_of(np.full(200, 1.0), FP64)
    got = np.ones(200)
    got[:3] = 1 + 2.0**-51
    summary = summarize([errors(got, exact, FP64, 200)])
    assert summary.max_ulp == 2.0
    assert summary.mean_ulp == pytest.approx(6 / 200, rel=2**-50)
    assert summary.p99_ulp == 2.0
    assert summary.max_relative == summary.normwise_relative == summary.max_absolute == 2.0**-51
    row = errors(np.array([1.0, 2.0**-60]), exact_of([1.0, 2.0**-61], FP64), FP64, 2)
    assert summarize([row]).max_relative == 1.0
    assert summarize([row]).normwise_relative == 2.0**-61


def test_sum_defect_is_the_worst_row_summed_without_rounding() -> None:
    rows = np.array([[0.5, 0.5], [0.1, 0.7], [np.nan, 1.0]])
    assert sum_defect(rows) == pytest.approx(0.2, rel=2**-50)
    assert sum_defect(np.array([[np.nan]])) is None
    assert sum_defect(np.array([[1e16, 1.0, -1e16]])) == 0.0
    assert sum_defect(np.array([[0.5, -0.25, -0.25], [0.5, -0.5, 0.125]]), 0.0) == 0.125


def test_hash_of_bits_sees_one_ulp_and_the_sign_of_zero_but_one_nan() -> None:
    one = metrics.bits([np.array([1.0, 0.0, np.nan])])
    assert one == metrics.bits([np.array([1.0, 0.0, -np.nan])])
    assert one != metrics.bits([np.array([1.0, -0.0, np.nan])])
    assert one != metrics.bits([np.array([np.nextafter(1.0, 2.0), 0.0, np.nan])])


@given(
    significand=st.integers(-(2**53), 2**53),
    fraction=st.floats(-0.5, 0.5),
    exponent=st.integers(-1074, 900),
)
def test_exact_hex_has_the_digits_that_an_oracle_promises_and_no_others(
    significand: int, fraction: float, exponent: int
) -> None:
    exact = Exact(np.array([float(significand)]), np.array([fraction]), np.array([exponent]))
    digits, _, power = exact_hex(exact, 0).replace("0x", "").partition("p")
    whole, _, after = digits.partition(".")
    printed = int(whole + after, 16) * Fraction(2) ** (int(power) - 4 * len(after))
    in_ulps = printed / Fraction(2) ** exponent
    assert abs(in_ulps - significand - Fraction(fraction)) <= Fraction(1, 2**21)
    assert (in_ulps * 2**20).denominator == 1
    assert float.fromhex(exact_hex(exact, 0)) == float(printed)


def test_of_a_value_that_is_lost_below_the_format_no_digit_is_printed() -> None:
    exact = Exact(np.array([0.0]), np.array([1.5 * 2.0**-474]), np.array([-24]))
    assert exact_hex(exact, 0) == "0x0p+0"


@given(data=st.data(), format=formats, fraction=st.floats(-0.5, 0.5))
def test_no_input_makes_a_metric_nan_or_raise(
    data: st.DataObject, format: Format, fraction: float
) -> None:
    got, truth = data.draw(any_values(format, 6)), data.draw(any_values(format, 6))
    exact = exact_of(truth, format, fraction)
    shift = data.draw(st.integers(-3000, 3000))
    exponent = np.clip(exact.exponent + shift, exact.exponent.min(), 1100).astype(np.int32)
    for candidate in (exact, dataclasses.replace(exact, exponent=exponent)):
        found: Errors = errors(got.reshape(2, 3), candidate, format, 3)
        summary = summarize([found])
        figures = [v for v in dataclasses.asdict(summary).values() if isinstance(v, float)]
        assert all(math.isfinite(figure) and figure >= 0 for figure in figures)
        assert not np.isnan(found.ulp).any()
        assert len(metrics.bits([got])) == 64
        defect = sum_defect(got.reshape(2, 3))
        assert defect is None or math.isfinite(defect)


@given(data=st.data(), format=formats)
def test_a_correctly_rounded_result_is_never_above_half_an_ulp(
    data: st.DataObject, format: Format
) -> None:
    exact = exact_of(data.draw(any_values(format, 4)), format, data.draw(st.floats(-0.5, 0.5)))
    assert (ulp_errors(exact.rounded(format), exact, format) <= 0.5).all()


def only(got: float, truth: float, format: Format = FP64) -> Errors:
    return errors(np.array([got], format.dtype), exact_of([truth], format), format, 1)


def test_each_failure_is_counted_as_what_it_is_and_as_nothing_else() -> None:
    """One output at a time, so that no kind can stand in for another."""
    inf, nan = math.inf, math.nan
    cases = {
        (nan, 1.0): "nan_failures",
        (inf, 1.0): "infinity_failures",
        (-inf, 1.0): "infinity_failures",
        (0.0, 1.0): "lost_to_zero",
        (-inf, inf): "missed_special",
        (1.0, inf): "missed_special",
        (inf, nan): "missed_special",
        (1.0, nan): "missed_special",
        (nan, inf): "missed_special",
    }
    kinds = set(cases.values())
    for (got, truth), kind in cases.items():
        summary = dataclasses.asdict(summarize([only(got, truth)]))
        assert {name for name in kinds if summary[name]} == {kind}, (got, truth)
    for right in (nan, inf, -inf, 1.0, 0.0):
        assert summarize([only(right, right)]).failures == 0


def test_an_error_beyond_counting_in_ulps_is_a_distance_on_either_side() -> None:
    for got in (1e300, -1e300):
        found = only(got, 0.0)
        assert found.ulp[0] == metrics.LARGEST
        assert found.absolute[0] == 1e300
        assert only(got, 1e-300).absolute[0] == 1e300


def test_survival_counts_what_is_above_a_threshold_and_not_what_is_at_it() -> None:
    for j, threshold in enumerate(records.SURVIVAL_THRESHOLDS[::2]):
        whole = Exact(np.array([0.0]), np.array([0.0]), np.array([0]))
        at = errors(np.array([threshold]), whole, FP64, 1)
        above = errors(np.nextafter([threshold], np.inf), whole, FP64, 1)
        assert len(summarize([at]).survival) == 2 * j
        assert len(summarize([above]).survival) == 2 * j + 1


def test_norms_are_taken_row_by_row() -> None:
    exact = exact_of([1.0, 4.0, 2.0, 0.5], FP64)
    got = np.array([1.0 + 2.0**-50, 4.0, 2.0, 0.5 - 2.0**-51])
    assert summarize([errors(got, exact, FP64, 2)]).normwise_relative == 2.0**-52
    assert summarize([errors(got, exact, FP64, 4)]).normwise_relative == 2.0**-52
    assert summarize([errors(got, exact, FP64, 1)]).normwise_relative == 2.0**-50
