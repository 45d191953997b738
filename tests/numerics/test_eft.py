"""The error-free transformations are error-free: sums and products checked as fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics import FORMATS, Format, base2, compensated, two_pass
from numerics.bounds import PAIR
from numerics.eft import fast_two_sum, split, two_prod, two_sum
from tests.strategies import formats


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Format, Any, Any]:
    """Two numbers of moderate exponent, so that nothing overflows and no product underflows."""
    format = draw(formats.filter(lambda format: format.name in FORMATS))
    reach = {"fp16": 3, "fp32": 30, "fp64": 200}[format.name]
    numbers = []
    for _ in range(2):
        significand = draw(st.integers(-(2**format.precision) + 1, 2**format.precision - 1))
        exponent = draw(st.integers(-reach, reach)) - format.precision
        numbers.append(np.array([np.ldexp(float(significand), exponent)]).astype(format.dtype))
    return format, numbers[0], numbers[1]


def fraction(*parts: Any) -> Fraction:
    return sum((Fraction(float(part[0])) for part in parts), Fraction(0))


@given(pairs())
def test_sums(drawn: tuple[Format, Any, Any]) -> None:
    _, a, b = drawn
    assert fraction(*two_sum(a, b)) == fraction(a, b)
    large, small = (a, b) if abs(a[0]) >= abs(b[0]) else (b, a)
    assert fraction(*fast_two_sum(large, small)) == fraction(a, b)


@pytest.mark.parametrize("largest", [65504.0, -65504.0, 65472.0, 1.0])
def test_sums_beside_the_largest_number_are_exact_or_no_number(largest: float) -> None:
    # With every number of fp16; b - which is s - a - overflows only where b is the largest of all.
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    a = every[np.isfinite(every)]
    b = np.full_like(a, largest)
    with np.errstate(over="ignore", invalid="ignore"):
        for first, second in ((a, b), (b, a)):
            s, e = two_sum(first, second)
            told = np.isfinite(s) & ~np.isnan(e)
            exact = first.astype(np.float64) + second.astype(np.float64)
            assert (s.astype(np.float64) + e.astype(np.float64) == exact)[told].all()
            assert np.isnan(e)[np.isfinite(s)].any() == (second is b and abs(largest) == 65504)


@given(pairs())
def test_split_and_products(drawn: tuple[Format, Any, Any]) -> None:
    format, a, b = drawn
    high, low = split(a)
    assert fraction(high, low) == fraction(a)
    if format.name != "fp16":  # errors of fp16 products reach below its subnormal numbers
        assert fraction(*two_prod(a, b)) == fraction(a) * fraction(b)


@pytest.mark.parametrize("name", ["fp32", "fp64"])
def test_parts_of_ln_2(name: str) -> None:
    precision = FORMATS[name].precision
    with mpmath.workprec(300):
        parts = [mpmath.mpf(float.fromhex(part)) for part in compensated.LN2[name]]
        count = int(abs(compensated.LOWEST[name]) / mpmath.ln2) + 1
        assert abs(mpmath.ln2 - sum(parts)) <= abs(parts[2]) * mpmath.mpf(2) ** -precision
    for part in parts[:2]:  # exact times any count
        assert int(part._mpf_[1]).bit_length() + count.bit_length() <= precision


@pytest.mark.parametrize("name", FORMATS)
def test_reduction_of_two_pass_is_exact_within_reach(name: str) -> None:
    precision = FORMATS[name].precision
    high, low = two_pass.LN2[name]
    with mpmath.workprec(300):
        count = int(2 * two_pass.REACH[name] / mpmath.ln2) + 1
        bits = int(mpmath.mpf(high)._mpf_[1]).bit_length()
        assert bits + count.bit_length() <= precision
        assert abs(mpmath.ln2 - high - low) <= abs(low) * mpmath.mpf(2) ** -precision


@pytest.mark.parametrize("name", ["fp32", "fp64"])
def test_exponential_pairs_are_as_close_as_the_bound_says(name: str) -> None:
    format = FORMATS[name]
    rng = np.random.default_rng(11)
    spread = np.repeat([1, 10, -compensated.LOWEST[name]], 1000)
    high = (-rng.uniform(0, 1, 3000) * spread).astype(format.dtype)[np.newaxis]
    low = (rng.uniform(-0.5, 0.5, high.shape) * np.spacing(high)).astype(format.dtype)
    a, b, n = compensated._exp(high, low)
    with mpmath.workprec(200):
        for i in range(high.size):
            exact = mpmath.exp(mpmath.mpf(float(high[0, i])) + float(low[0, i]))
            got = (mpmath.mpf(float(a[0, i])) + float(b[0, i])) * mpmath.mpf(2) ** int(n[0, i])
            assert abs(got - exact) <= PAIR * format.unit_roundoff * exact


@pytest.mark.parametrize("name", FORMATS)
def test_constants_of_base2_are_rounded_once(name: str) -> None:
    dtype = FORMATS[name].dtype
    one, two = np.ones(1, dtype), np.full(1, 2, dtype)
    with mpmath.workprec(100):
        log2_e, ln_2 = float(1 / mpmath.ln2), float(mpmath.ln2)
    assert base2._exp(one) == np.exp2(dtype.type(log2_e))
    assert base2._log(two) == dtype.type(ln_2)
