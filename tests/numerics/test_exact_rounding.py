"""The rounding test of `exact`: no decided case may be wrong.

First against integers. Values are N + f places of a format with f in eighths, so that midpoints,
powers of two from both sides, subnormal numbers, the smallest normal and the largest number are all
met, with a `lower` and an error of every size from 2^-100 of a place to what is refused. Then
against mpmath; and the roundings of fp16 and of `decimals`. docs/exact.md proves the lemma.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from bench.inputs.formats import FORMATS
from numerics import FP16, Format
from numerics.exact import decimals, halves, rounding, values
from numerics.exact.rounding import lowest_unit, nearest, nearest_fp64, nearest_number
from numerics.formats import FloatArray
from tests.strategies import formats
from tests.truth import bits
from tests.truth import nearest as true_nearest

CASES = 120_000
NARROW = [format for format in FORMATS.values() if format.bits < 64]
SCALE = 1600
"""Numbers are compared as integers, in units of 2^-SCALE."""

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # `exact` runs in an errstate


def _numerators(format: Format, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """N as an integer of the format, and the exponent of its last place."""
    hidden, lowest = 2 ** (format.precision - 1), lowest_unit(format)
    highest = format.max_exponent - format.precision + 1
    near_powers = hidden + np.array([-2, -1, 0, 0, 0, 0, 1, 2])
    numbers = np.concatenate([near_powers, [2 * hidden - 1, 2 * hidden, 1, 0, 2, 3, hidden // 2]])
    whole = rng.choice(numbers, CASES)
    anything = rng.random(CASES) < 0.25
    whole[anything] = rng.integers(0, 2 * hidden, int(anything.sum()))
    edges = np.array([lowest, lowest, lowest, lowest + 1, lowest + 2, -10, highest - 1, highest])
    unit = rng.choice(edges, CASES)
    below = rng.random(CASES) < 0.05  # a small part of the smallest number
    unit[below] = lowest - rng.integers(1, 2 * format.precision, int(below.sum()))
    return whole.astype(np.float64), unit


def _sizes(rng: np.random.Generator) -> FloatArray:
    """From 2^-100 to 2^-1 of a place; powers of two and others."""
    return np.ldexp(rng.choice([1.0, 1.25, 1.999], CASES), rng.integers(-100, -1, CASES))


def _integers(x: FloatArray, exponent: FloatArray) -> list[int]:
    """x 2^exponent in units of 2^-SCALE."""
    significand, own = np.frexp(x)
    whole = np.ldexp(significand, 53).astype(np.int64).tolist()
    shifts = (own + exponent - 53 + SCALE).tolist()
    assert min(shifts) >= 0
    return [n << shift for n, shift in zip(whole, shifts, strict=True)]


def _place(x: int, format: Format) -> int:
    """The last place of x 2^-SCALE in the format, as a power of two in the same units."""
    return max(abs(x).bit_length() - format.precision, lowest_unit(format) + SCALE)


def _to_nearest(x: int, format: Format) -> tuple[int, bool]:
    """Bits of |x| 2^-SCALE to nearest, as if there were no infinity; and whether it ties."""
    place = _place(x, format)
    whole, rest = divmod(abs(x), 1 << place)
    half = 1 << (place - 1)
    whole += rest > half or (rest == half and whole & 1)
    code = whole + ((place - lowest_unit(format) - SCALE) << (format.precision - 1))
    return code, rest == half


def _decided(ends: tuple[int, int], format: Format) -> int | None:
    """What all numbers between two ends are rounded to; None for two, or if an end is a tie."""
    (low, low_ties), (high, high_ties) = (_to_nearest(end, format) for end in ends)
    return None if low != high or low_ties or high_ties else low


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_no_decided_case_is_wrong(format: Format) -> None:
    rng = np.random.default_rng([2021, *format.name.encode()])
    whole, unit = _numerators(format, rng)
    eighths = rng.integers(-8, 9, CASES) / 8
    sign, scale = rng.choice([-1.0, 1.0], CASES), rng.integers(-40, 40, CASES)
    high = np.maximum(whole + eighths, 0)
    low = np.where(high > 0, (whole - high) + eighths, 0)
    beyond = rng.random(CASES) < 0.3
    low[beyond] += np.ldexp(high[beyond], -54 - rng.integers(0, 40, int(beyond.sum())))
    lower = _sizes(rng) * rng.choice([-1, 0, 1], CASES)
    error = _sizes(rng) * rng.choice([0, 1, 1, 1], CASES)
    given = [np.ldexp(part, scale) for part in (sign * high, sign * low, error, sign * lower)]
    rounded, undecided = nearest(*given[:3], format, lower=given[3], exponent=unit - scale)
    assert (np.signbit(rounded) == (sign < 0))[~undecided].all()
    wrong, timid = [], []
    infinity = (2 * format.max_exponent + 1) << (format.precision - 1)
    found = np.where(undecided, -1, rounding.magnitudes(rounded).astype(np.int64)).tolist()
    parts = zip(*(_integers(part, unit) for part in (high, low, lower, error)), strict=True)
    for i, (a, b, c, e) in enumerate(parts):
        case = f"{whole[i]} + {eighths[i]} 2^{unit[i]}, {low[i]}, {lower[i]} +- {error[i]}"
        value, slack = a + b + c, (abs(b) + abs(c) + e) >> 49
        if found[i] >= 0:
            expected = _decided((value - e, value + e), format)
            wrong += [case] if expected is None or min(expected, infinity) != found[i] else []
        elif a and 5 * (abs(c) + e) < 1 << _place(a + b, format):
            # Only an end within a rounding error of a midpoint may be refused for nothing.
            ends = value - e - slack, value + e + slack
            timid += [case] if _decided(ends, format) is not None else []
    assert wrong == []
    assert timid == []
    assert np.count_nonzero(~undecided) >= 100_000


@pytest.mark.parametrize("format", NARROW, ids=[format.name for format in NARROW])
def test_no_number_of_fp64_is_rounded_twice_or_refused_for_nothing(format: Format) -> None:
    """The way by casts: subnormal results, midpoints and the largest number are met, too."""
    rng = np.random.default_rng([2023, *format.name.encode()])
    whole, unit = (part[: CASES // 6] for part in _numerators(format, rng))
    sign = rng.choice([-1.0, 1.0], whole.size)
    size = np.ldexp(np.maximum(whole + rng.integers(-8, 9, whole.size) / 8, 0), unit)
    value = sign * np.minimum(size, 2.0 ** (format.max_exponent + 1))
    # Some roundings of the value at least, as the first stage has them.
    error = np.ldexp(1.999, unit - rng.integers(2, 49 - format.precision, whole.size))
    rounded, undecided = nearest_number(value, error, format)
    assert (np.signbit(rounded) == (sign < 0))[~undecided].all()
    infinity = (2 * format.max_exponent + 1) << (format.precision - 1)
    found = np.where(undecided, -1, rounding.magnitudes(rounded).astype(np.int64)).tolist()
    wrong, timid = [], []
    exact = (_integers(part, 0 * unit) for part in (abs(value), error))
    for i, (v, e) in enumerate(zip(*exact, strict=True)):
        case = f"{value[i]} +- {error[i]}"
        if found[i] >= 0:
            expected = _decided((v - e, v + e), format)
            wrong += [case] if expected is None or min(expected, infinity) != found[i] else []
        elif v and 5 * e < 1 << _place(v, format):
            slack = v >> 50
            timid += [case] if _decided((v - e - slack, v + e + slack), format) is not None else []
    assert wrong == []
    assert timid == []
    assert 4 * np.count_nonzero(~undecided) > whole.size
    beyond = np.array([np.inf, -np.inf])
    rounded, undecided = nearest_number(beyond, np.full(2, np.inf), format)
    assert (rounded.astype(np.float64) == beyond).all()
    assert not undecided.any()


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("binade", [0, 1, 2])
def test_below_a_power_of_two_numbers_are_twice_as_dense_but_not_below_the_smallest_normal(
    format: Format, binade: int
) -> None:
    """All sixteenths of a place around the first powers of two that are normal numbers."""
    exponent = format.min_exponent + binade
    place = Fraction(2) ** (exponent - format.precision + 1)
    power = 2.0 ** (format.precision - 1)  # in units of that place
    for sixteenth in range(-20, 21):
        high, unit = np.array([power]), exponent - format.precision + 1
        low = np.array([sixteenth / 16])
        exact = (Fraction(power) + Fraction(sixteenth, 16)) * place
        got, undecided = nearest(high, low, np.full(1, 2.0**-40), format, exponent=unit)
        below = place / 2 if sixteenth < 0 and binade else place
        number = round(exact / below) * below
        assert undecided[0] == (abs(exact - number) == below / 2), sixteenth
        assert undecided[0] or Fraction(float(got[0])) == number, sixteenth


# --- Against mpmath, and decimals ----------------------------------------------------------------


@settings(max_examples=400)
@given(
    format=formats,
    significand=st.integers(1, 2**54),
    half=st.sampled_from([0, 1, 2]),
    exponent=st.integers(-1130, 60),
    tail=st.integers(-(2**20), 2**20),
    tail_exponent=st.integers(-200, -56),
    negative=st.booleans(),
)
def test_rounding_is_right_or_refused(
    format: Format,
    significand: int,
    half: int,
    exponent: int,
    tail: int,
    tail_exponent: int,
    negative: bool,
) -> None:
    # Numbers of about the format's precision and half a place more: midpoints and their vicinity.
    cut = significand >> max(significand.bit_length() - format.precision - half, 0)
    high = math.ldexp(float(cut), -cut.bit_length())
    lower = math.ldexp(float(tail), tail_exponent - 20)
    sign = -1 if negative else 1
    with mp.workprec(2000):
        exact = sign * (mpf(high) + mpf(lower)) * mpf(2) ** exponent
        for error in (0.0, abs(lower) / 2, abs(lower) * 2, 2.0**-30):
            got, undecided = nearest(
                np.array([sign * high]),
                np.zeros(1),
                np.array([error]),
                format,
                lower=np.array([sign * lower]),
                exponent=exponent,
            )
            candidates = {
                true_nearest(exact + side * error * mpf(2) ** exponent, format)
                for side in (-1, 0, 1)
            }
            if not undecided[0]:
                wanted = np.array([candidates.pop()]).astype(format.dtype)
                assert not candidates
                assert got[0] == wanted[0]
            elif error == 0:
                assert tail == 0 or half  # nothing but an exact tie is refused without an error


def test_an_exact_sum_of_fp64_is_decided_by_the_addition() -> None:
    """A midpoint is not; what is further from it than the error goes to its own side."""
    for side, expected in ((-1, 1.0), (0, None), (1, 1 + 2.0**-52)):
        low = np.array([2.0**-53 * (1 + side * 2.0**-20)])
        got, undecided = nearest_fp64(np.array([1.0]), low, 2.0**-80)
        assert undecided.tolist() == [expected is None]
        assert expected is None or got[0] == expected


def test_halves_of_every_fp32_that_matters() -> None:
    # Every fp16 number, every midpoint, and their neighbours in fp32 at the distance that is kept.
    numbers = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    middles = (numbers[:-1] + numbers[1:]) / 2
    around = np.concatenate([middles * (1 - values.HALVES), middles * (1 + values.HALVES), numbers])
    small = around[around <= 1].astype(np.float32)
    assert bits(halves.small_halves(small)) == bits(small.astype(np.float16))
    large = around[around >= FP16.smallest_normal].astype(np.float32)
    large = np.concatenate([large, np.array([65519, 65521, 1e9, np.inf], np.float32)])
    with np.errstate(over="ignore"):
        assert bits(halves.negative_halves(large)) == bits((-large).astype(np.float16))


@settings(max_examples=200)
@given(data=st.data(), format=formats)
def test_bits_and_numbers_of_decimals(data: st.DataObject, format: Format) -> None:
    code = data.draw(st.integers(0, 2 ** (8 * format.dtype.itemsize) - 1))
    number = np.array([code], f"u{format.dtype.itemsize}").view(format.dtype)[0]
    exact = decimals.number_of(code, format)
    assume(exact is not None and number != 0)
    assert exact == Fraction(float(number))
    assert decimals.rounded(exact, exact, format) == code
    middle = (exact + Fraction(float(np.nextafter(number, format.dtype.type(0))))) / 2
    step = abs(exact - middle) / 10**30
    away = decimals.rounded(*sorted((middle, middle + (step if exact > 0 else -step))), format)
    assert away == code
    assert decimals.rounded(middle - step, middle + step, format) is None


def test_every_format_has_its_integers() -> None:
    for format in FORMATS.values():
        assert decimals.bits_of(math.inf, format) == bits(np.array([np.inf], format.dtype))[0]
