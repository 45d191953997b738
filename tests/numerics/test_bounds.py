"""The constants that the bounds rest on, measured: NumPy's exp and log, and its summation."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from numerics import FORMATS, Format
from numerics.facts import (
    ELEMENTARY,
    LARGEST_FACTOR,
    compounded,
    on_a_logarithm,
    summation_depth,
)


def relative_error_in_u(got: Any, arguments: Any, function: Any, format: Format) -> float:
    """Largest |got - exact| / (u max(|exact|, smallest normal)), against mpmath."""
    worst = 0.0
    with mpmath.workprec(120):
        for value, x in zip(got.tolist(), arguments.tolist(), strict=True):
            exact = function(mpmath.mpf(x))
            scale = max(abs(exact), format.smallest_normal) * mpmath.mpf(format.unit_roundoff)
            worst = max(worst, float(abs(mpmath.mpf(value) - exact) / scale))
    return worst


def exp_arguments(format: Format) -> Any:
    """All numbers of fp16; in wider formats a dense sample, and the worst point NumPy names."""
    if format.name == "fp16":
        every = np.arange(65_536, dtype=np.uint16).view(np.float16)
        return every[np.isfinite(every) & (every <= format.exp_overflow) & (every > -20)]
    low = math.log(format.smallest_subnormal)
    sample = np.random.default_rng(7).uniform(low, format.exp_overflow, 20_000)
    near_zero = np.random.default_rng(8).uniform(-1, 1, 5_000)
    hard = np.array([0xC2781E37], np.uint32).view(np.float32).astype(np.float64)
    return np.concatenate([sample, near_zero, hard]).astype(format.dtype)


def log_arguments(format: Format) -> Any:
    if format.name == "fp16":
        every = np.arange(65_536, dtype=np.uint16).view(np.float16)
        return every[np.isfinite(every) & (every > 0)]
    sample = np.exp(np.random.default_rng(9).uniform(-80, 80, 15_000))
    near_one = np.random.default_rng(10).uniform(0.5, 2.0, 10_000)
    hard = np.array([0x3F486945], np.uint32).view(np.float32).astype(np.float64)
    return np.concatenate([sample, near_one, hard]).astype(format.dtype)


def exponents_of_two(format: Format) -> Any:
    x = exp_arguments(format) * format.dtype.type(1.4)
    return x[x < format.exp_overflow]


def non_negative(format: Format) -> Any:
    every = log_arguments(format)
    return every if format.name == "fp16" else every[every < 1e6]


FUNCTIONS: dict[str, tuple[Any, Any, Any]] = {
    "exp": (np.exp, mpmath.exp, exp_arguments),
    "log": (np.log, mpmath.log, log_arguments),
    "log1p": (np.log1p, mpmath.log1p, non_negative),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x, exponents_of_two),
    "log2": (np.log2, lambda x: mpmath.log(x, 2), log_arguments),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_errs_by_no_more_than_the_bounds_assume_in_fp64(name: str) -> None:
    function, exact, arguments = FUNCTIONS[name]
    x = arguments(FORMATS["fp64"])[::2]  # mpmath is slow
    with np.errstate(under="ignore"):
        got = function(x)
    allowed = getattr(ELEMENTARY["fp64"], name)
    assert relative_error_in_u(got, x, exact, FORMATS["fp64"]) <= allowed


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("format_name", ["fp16", "fp32"])
def test_numpy_errs_by_no_more_than_the_bounds_assume(format_name: str, name: str) -> None:
    """Against fp64, which errs by 2^-27 of what is asserted; that is allowed for."""
    format, (function, _, arguments) = FORMATS[format_name], FUNCTIONS[name]
    x = arguments(format)
    with np.errstate(under="ignore"):
        got = function(x).astype(np.float64)
    exact = function(x.astype(np.float64))
    scale = np.maximum(np.abs(exact), format.smallest_normal) * format.unit_roundoff
    allowed = getattr(ELEMENTARY[format_name], name) * (1 + 2.0**-20)
    assert (np.abs(got - exact) / scale).max() <= allowed


def test_what_is_taken_of_libraries_is_in_whole_ulps() -> None:
    """An ulp is 2 u. What was measured instead, or is NumPy's own figure, is held to that above."""
    one, two = 2.0, 4.0
    assert set(vars(ELEMENTARY["fp16"]).values()) == {one}
    for format_name, measured in (("fp32", {"exp", "log"}), ("fp64", {"exp"})):
        taken = vars(ELEMENTARY[format_name])
        assert {u for name, u in taken.items() if name not in measured} == {two}


FP32_SPANS = {"exp": (-1.0, 1.0), "log": (0.5, 2.0), "log1p": (0.25, 1.0), "log2": (0.5, 2.0)}


@pytest.mark.parametrize("name", FP32_SPANS)
def test_fp32_where_it_is_worst_against_fp64(name: str) -> None:
    """log and log1p on all 2^24 numbers of two binades; the others on 2^22 points of their span.

    The fp64 function errs by 2^-27 of what is asserted, which is allowed for.
    """
    low, high = FP32_SPANS[name]
    function, *_ = FUNCTIONS[name]
    if name in ("log", "log1p"):
        first, last = (np.float32(end).view(np.uint32) for end in (low, high))
        x = np.arange(first, last, dtype=np.uint32).view(np.float32)
    else:
        x = np.random.default_rng(12).uniform(low, high, 2**22).astype(np.float32)
    x = x[x != 1] if name in ("log", "log2") else x[x != 0]
    exact = function(x.astype(np.float64))
    keep = exact != 0
    error = np.abs(function(x).astype(np.float64) - exact)[keep] / np.abs(exact[keep])
    allowed = getattr(ELEMENTARY["fp32"], name) * 2.0**-24 * (1 + 2.0**-20)
    assert error.max() <= allowed


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_what_a_product_of_factors_does_to_a_logarithm(format: Format) -> None:
    # The worst there is: every factor as far below 1 as is allowed.
    count, u = 1000, mpmath.mpf(format.unit_roundoff)
    roundings = np.array([LARGEST_FACTOR * float(count)])
    with mpmath.workprec(200):
        moved = count * -mpmath.log1p(-LARGEST_FACTOR * u) / u
        assert roundings[0] < moved <= on_a_logarithm(roundings, format)[0]
        assert compounded(roundings, format)[0] >= mpmath.expm1(moved * u) / u


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_numpy_exp_of_zero_is_exactly_one(format: Format) -> None:
    for function in (np.exp, np.exp2):
        assert (function(np.zeros(100, format.dtype)) == 1).all()


@pytest.mark.parametrize("format_name", ["fp32", "fp64"])
@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 127, 128, 129, 600, 1000, 4096, 50_257])
def test_sums_of_positive_numbers_err_by_at_most_their_depth(format_name: str, length: int) -> None:
    format = FORMATS[format_name]
    x = np.random.default_rng(length).uniform(0.5, 1.0, length).astype(format.dtype)
    exact = sum(map(Fraction, x.tolist()))
    error = abs(Fraction(float(x[np.newaxis].sum(axis=1)[0])) - exact) / exact
    depth = summation_depth(length)
    # (1 + u)^depth - 1, the bound before it is cut to first order.
    assert error <= (1 + Fraction(format.unit_roundoff)) ** depth - 1


def additions(depths: list[int]) -> int:
    """Those on the longest way through NumPy's `pairwise_sum`, which adds so deep terms up."""
    n = len(depths)
    if n < 8:
        total, rest = depths[0], depths[1:]
    elif n <= 128:
        eight = depths[:8]
        for i in range(8, n - n % 8):
            eight[i % 8] = max(eight[i % 8], depths[i]) + 1
        total, rest = max(eight) + 3, depths[n - n % 8 :]
    else:
        half = n // 2 // 8 * 8
        return 1 + max(additions(depths[:half]), additions(depths[half:]))
    for depth in rest:
        total = max(total, depth) + 1
    return total


def test_depth_is_that_of_numpys_loop() -> None:
    """With the first number in it, or added last."""
    for n in (*range(2, 300), 600, 1000, 4096, 50_257):
        in_one, apart = additions([0] * n), 1 + additions([0] * (n - 1))
        assert summation_depth(n) == max(in_one, apart), n


def test_depth_is_far_below_sequential_and_never_below_logarithmic() -> None:
    for length in range(1, 2000):
        assert math.ceil(math.log2(length)) <= summation_depth(length) <= max(length - 1, 0)
    assert summation_depth(50_257) < 50
