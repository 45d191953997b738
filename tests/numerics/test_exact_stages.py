"""Every error that docs/exact.md derives for `exact`, measured against mpmath."""

from __future__ import annotations

import math
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from numerics import FORMATS, FP16, FP64, Format
from numerics.exact import (
    decimals,
    double_double,
    extended,
    halves,
    logs,
    pairs,
    plain,
    tables,
    values,
)
from numerics.exact.blocks import Block
from numerics.exact.logarithm import SMALL, log1p
from numerics.exact.rounding import nearest, nearest_fp64
from numerics.formats import FloatArray
from tests.strategies import formats
from tests.truth import bits
from tests.truth import nearest as true_nearest

BITS = 260
"""Working precision of mpmath here."""

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # `exact` runs in an errstate


def relative(got: mpf, exact: mpf) -> float:
    """|got - exact| / |exact|."""
    return float(abs(got - exact) / abs(exact))


def gaps_to_measure(lowest: float) -> FloatArray:
    """Gaps of every size, some beside a multiple of a step of the tables, where r is largest."""
    rng = np.random.default_rng(1)
    steps = (rng.integers(0, 1 << 20, 60) + 0.5) * math.log(2) / extended.STEPS
    sizes = np.abs(rng.normal(size=60)) * 10.0 ** rng.integers(-8, 3, 60)
    edges = [0.0, 1e-300, 2.0**-30, 1.0, -lowest, -lowest - 1e-9]
    return -np.minimum(np.concatenate([steps, sizes, edges]), -lowest)


# --- Tables --------------------------------------------------------------------------------------


def test_tables_are_rounded_as_they_say() -> None:
    with mp.workprec(400):
        assert abs(tables.integer_log2() / mpf(2) ** tables.BITS - mp.log(2)) < mpf(2) ** -300
        heads, tails = tables.powers_of_two(extended.STEPS, 27, 53)
        for j in range(0, extended.STEPS, 101):
            exact = mpf(2) ** (mpf(j) / extended.STEPS)
            assert abs(mpf(heads[j]) + mpf(tails[j]) - exact) <= mpf(2) ** -81
            assert (heads[j] * 2**26).is_integer()
        table = tables.powers_of_e(plain.STEPS, plain.LOWEST * plain.STEPS)
        for k in range(0, table.size - 1, 487):
            exact = mp.exp(-mpf(k) / plain.STEPS)
            assert relative(mpf(table[-1 - k]), exact) <= 2.0**-53
        every = np.arange(0, 2**16, 97)
        half = plain._half_table()[every]
        for value, x in zip(half, plain._half_values()[every], strict=True):
            if abs(x) <= plain.HALF_RANGE:
                assert relative(mpf(value), mp.exp(mpf(float(x)) - 300)) <= 2.0**-52.9


# --- Exponentials --------------------------------------------------------------------------------


def test_exponentials_of_plain() -> None:
    x = gaps_to_measure(-105.0)
    x32 = x.astype(np.float32)
    for numbers in (x, x32, x32 + np.float32(80)):
        top = numbers.max(keepdims=True).astype(np.float64)
        grid = round(float(top[0]) * plain.STEPS) / plain.STEPS
        found = plain._exponentials(numbers.copy(), top)
        with mp.workprec(BITS):
            worst = max(
                relative(mpf(e), mp.exp(mpf(float(n)) - mpf(grid)))
                for e, n in zip(found, numbers, strict=True)
            )
        assert worst <= 47 * FP64.unit_roundoff


def test_exponentials_of_extended() -> None:
    high = gaps_to_measure(extended.LOWEST)
    low = np.random.default_rng(2).uniform(-0.5, 0.5, high.size) * np.spacing(np.abs(high))
    # The last two have long tails.
    long = [float.fromhex("0x1.dcd6f7809fbe3p-10"), float.fromhex("0x1.bb7459589af5bp-13")]
    near = np.concatenate([high / 2, -high / 2, long])
    for x, rest, shift in ((high, low, 0), (near, None, 447), (near, None, 7)):
        found = extended.exponentials(x, rest, shift)
        significand, _ = np.frexp(found.head)
        assert (significand * 2.0**27 == np.rint(significand * 2.0**27)).all()
        assert (np.abs(found.tail) <= 1.13 * 2.0**-26 * found.head).all()
        with mp.workprec(BITS):
            lower = np.zeros_like(x) if rest is None else rest
            for h, t, a, b in zip(found.head, found.tail, x, lower, strict=True):
                exact = mp.exp(mpf(a) + mpf(b)) * mpf(2) ** -shift
                assert relative(mpf(h) + mpf(t), exact) <= 2.0**-77.4


@pytest.mark.parametrize(("stage", "exact"), [(extended, 2), (double_double, 3)])
def test_products_with_steps_are_exact(stage: ModuleType, exact: int) -> None:
    farthest = math.ceil(-stage.LOWEST * stage.STEPS / math.log(2)) + 1
    for step in stage._steps()[:exact]:
        numerator, _ = step.as_integer_ratio()
        odd = abs(numerator) // (numerator & -numerator)
        assert farthest * odd < 2**53


def test_exponentials_of_double_double() -> None:
    high = gaps_to_measure(double_double.LOWEST)
    low = np.random.default_rng(2).uniform(-0.5, 0.5, high.size) * np.spacing(np.abs(high))
    found = double_double.exponentials(high, low)
    with mp.workprec(BITS):
        for h, t, n, a, b in zip(*found.pair, found.exponent, high, low, strict=True):
            exact = mp.exp(mpf(a) + mpf(b))
            assert relative((mpf(h) + mpf(t)) * mpf(2) ** int(n), exact) <= 2.0**-101


# --- Sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 40, 41, 1000, 16_384, 20_000])
@pytest.mark.parametrize("spread", [0.01, 5.0, 200.0])
def test_sums_without_the_largest_term(length: int, spread: float) -> None:
    rows = np.random.default_rng(length).uniform(-spread, 0, size=(1, length))
    rows[0, length // 2] = 3.0
    x = rows.astype(np.float32)
    with mp.workprec(BITS + 700):
        exact = mp.fsum(mp.exp(mpf(float(v)) - 3) for v in x[0]) - 1
        for stage, claim in ((extended, 2.0**-75.6), (double_double, 2.0**-98)):
            high, low = stage.others(Block(x, stage.SIZE))
            assert relative(mpf(high[0]) + mpf(low[0]), exact) <= claim
        (r,) = plain._others(Block(x, plain.SIZE))
        claim = (95 + plain.additions(length)) * FP64.unit_roundoff
        assert abs(mpf(r) - exact) <= claim * exact + plain.LEFT_OUT * length


@pytest.mark.parametrize("length", [1, 3, 41, 24_576, 30_000])
def test_whole_sums_of_extended(length: int) -> None:
    x = np.random.default_rng(length).normal(scale=4, size=(2, length)) - 80
    for rows in (x[:1], x):
        block = Block(rows, extended.SIZE if len(rows) == 1 else 10**6)
        sums = [extended._sum(found, block.along) for _, found in extended._pieces(block)]
        high, low = extended._total(sums)
        for i, row in enumerate(rows):
            with mp.workprec(BITS):
                exact = mp.fsum(mp.exp(mpf(float(v))) for v in row)
                exact *= mpf(2) ** -math.floor(row.max() * (1 / math.log(2)))
                assert relative(mpf(high[i]) + mpf(low[i]), exact) <= 2.0**-75.6


class Depth(int):
    """Counts the additions on the longest way to a sum."""

    def __add__(self, other: object) -> Depth:
        return Depth(max(int(self), int(other)) + 1)  # type: ignore[call-overload]


def test_additions_on_the_longest_way() -> None:
    rng = np.random.default_rng(1)
    for length in (*rng.integers(41, 200_000, 20), 512, 513, 4096, 65_536, 65_537):
        terms = np.full((1, length), Depth(0), dtype=object)
        pieces = [terms[:, start : start + plain.SIZE] for start in range(0, length, plain.SIZE)]
        sums = [plain._sum(piece, 1, plain._at_once(length)) for piece in pieces]
        assert plain._total(sums, length)[0] <= plain.additions(length)
    assert max(plain.additions(int(n)) for n in 2.0 ** rng.uniform(0, 24, 3000)) <= 511


# --- Logarithms ----------------------------------------------------------------------------------


def test_logarithms() -> None:
    rng = np.random.default_rng(8)
    t = np.concatenate([2.0 ** rng.uniform(-300, 24, 60), [0.0624, 0.0625, 0.0626, 1.0, 2.0**24]])
    low = t * rng.uniform(-1, 1, t.size) * 2.0**-54
    for stage in (extended, double_double):
        (high, rest), failed = log1p((t, low), stage.exponential)
        assert not failed.any()
        with mp.workprec(BITS + 700):
            for a, b, n, m in zip(t, low, high, rest, strict=True):
                exact = mp.log1p(mpf(a) + mpf(b))
                besides = stage.NEWTON_ERROR if a > SMALL else 0.0
                assert abs(mpf(n) + mpf(m) - exact) <= stage.LOG_ERROR / 2 * exact + besides
    logs, besides = plain._log1p(t)
    assert np.isfinite(besides).all()
    with mp.workprec(BITS + 700):
        for a, n, beside in zip(t, logs, besides, strict=True):
            exact = mp.log1p(mpf(a))
            assert abs(mpf(n) - exact) <= 9 * FP64.unit_roundoff * exact + beside


@pytest.mark.parametrize("scale", [1.0, 40.0, logs.NEAR])
def test_differences_from_a_pair(scale: float) -> None:
    x = np.random.default_rng(3).uniform(-scale, scale, size=(4, 50))
    found = [value.enclosed() for _, value in logs.log_softmax(extended, x, None)]
    of_all, of_largest = (
        (each.high, each.low, np.broadcast_to(each.error, each.high.shape)) for each in found
    )
    with mp.workprec(BITS + 3000):
        for i, row in enumerate(x):
            logits = [mpf(float(v)) for v in row]
            largest = int(row.argmax())
            log_sum = mp.log1p(mp.fsum(mp.exp(v - max(logits)) for v in logits) - 1)
            for j, v in enumerate(logits):
                high, low, error = (part[i, j] for part in of_all)
                if j == largest:
                    high, low, error = (part[i] for part in of_largest)
                assert abs(mpf(high) + mpf(low) - (v - max(logits) - log_sum)) <= mpf(error)


# --- Pairs ---------------------------------------------------------------------------------------


def test_arithmetic_of_pairs() -> None:
    rng = np.random.default_rng(6)
    a, b = (
        (h, h * rng.uniform(-1, 1, 500) * 2.0**-54) for h in 2.0 ** rng.uniform(-40, 40, (2, 500))
    )
    with mp.workprec(BITS):
        for operation, exact, claim in (
            (pairs.add(a, b), lambda x, y: x + y, 8),
            (pairs.multiply(a, b), lambda x, y: x * y, 8),
            (pairs.reciprocal(a), lambda x, y: 1 / x, 16),
        ):
            for i in range(500):
                x, y = (mpf(p[0][i]) + mpf(p[1][i]) for p in (a, b))
                got = mpf(operation[0][i]) + mpf(operation[1][i])
                assert relative(got, exact(x, y)) <= claim * 2.0**-106


# --- The rounding test ---------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
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
    high, low, error = np.array([1.0]), np.array([2.0**-53]), 2.0**-80
    assert nearest_fp64(high, low.copy(), error)[1] == [True]
    assert nearest_fp64(high, low * (1 + 2.0**-20), error)[0] == [1 + 2.0**-52]


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


@settings(max_examples=200, deadline=None)
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
