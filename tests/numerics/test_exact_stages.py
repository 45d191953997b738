"""Every error that docs/exact.md derives for `exact`, measured against mpmath.

`claim` fails where more is measured than claimed. What it is told goes into the tables of the note:

    pytest tests/numerics/test_exact_stages.py --claims results/claims.json
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from numerics import FORMATS, FP16, FP64, Format
from numerics.exact import decimals, double_double, extended, halves, logs, pairs, plain, tables
from numerics.exact.blocks import Block, blocks
from numerics.exact.logarithm import log1p
from numerics.exact.rounding import Rounded, nearest, nearest_fp64
from numerics.formats import FloatArray
from tests.conftest import Claim
from tests.strategies import formats
from tests.truth import bits
from tests.truth import nearest as true_nearest

BITS = 260
"""Working precision of mpmath here."""
U = FP64.unit_roundoff
K_MOST = 2**32
"""Logits of a row up to which the constants hold."""

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # `exact` runs in an errstate


def relative(got: mpf, exact: mpf) -> float:
    """|got - exact| / |exact|."""
    return float(abs(got - exact) / abs(exact))


def value(pair: Any, at: Any) -> mpf:
    """One number of a pair of arrays."""
    return mpf(float(pair[0][at])) + mpf(float(pair[1][at]))


def gaps_to_measure(lowest: float) -> FloatArray:
    """Gaps of every size, some beside a multiple of a step of the tables, where s is largest."""
    rng = np.random.default_rng(1)
    steps = (rng.integers(0, 1 << 20, 2000) + 0.5) * math.log(2) / extended.STEPS
    sizes = np.abs(rng.normal(size=2000)) * 10.0 ** rng.integers(-8, 3, 2000)
    edges = [0.0, 1e-300, 2.0**-30, 1.0, -lowest, -lowest - 1e-9]
    return -np.minimum(np.concatenate([steps, sizes, edges]), -lowest)


def low_parts(high: FloatArray) -> FloatArray:
    """What two_sum may leave beside a number."""
    return np.random.default_rng(2).uniform(-0.5, 0.5, high.size) * np.spacing(np.abs(high))


# --- Tables --------------------------------------------------------------------------------------


def test_every_power_of_two(claim: Claim) -> None:
    with mp.workprec(400):
        assert abs(tables.integer_log2() / mpf(2) ** tables.BITS - mp.log(2)) < mpf(2) ** -300
        for stage, parts, claimed in ((extended, (27, 53), 81), (double_double, (53, 53), 106)):
            table = tables.powers_of_two(stage.STEPS, *parts)
            exact = (mpf(2) ** (mpf(j) / stage.STEPS) for j in range(stage.STEPS))
            worst = max(abs(value(table, j) - power) for j, power in enumerate(exact))
            claim(_name(stage), "2^(j/8192), all of them", 2.0**-claimed, worst)
            assert (table[0] * 2.0 ** (parts[0] - 1) % 1 == 0).all()


def test_every_power_of_e(claim: Claim) -> None:
    rounded = tables.powers_of_e(plain.STEPS, plain.LOWEST * plain.STEPS)
    worst, of_sixth = 0.0, 0.0
    with mp.workprec(400):
        for k, e, sixth in zip(
            range(plain.LOWEST * plain.STEPS, 1), rounded[1:], plain._table()[1:], strict=True
        ):
            exact = mp.exp(mpf(k) / plain.STEPS)
            worst = max(worst, float(abs(mpf(float(e)) - exact)) / np.spacing(e))
            of_sixth = max(of_sixth, relative(mpf(float(sixth)) * 6, exact))
    assert worst <= 0.5  # to nearest
    claim("plain", "exp(k/512)/6, all 74 753", 2 * U, of_sixth)


def test_every_power_of_fp16(claim: Claim) -> None:
    x = plain._half_values()
    within = np.flatnonzero(np.abs(x) <= plain.HALF_RANGE)
    with mp.workprec(120):
        worst = max(
            relative(mpf(float(e)), mp.exp(mpf(float(v)) - 300))
            for e, v in zip(plain._half_table()[within], x[within], strict=True)
        )
    claim("plain", "exp(x - 300) of every fp16 number", 1.01 * U, worst)


def _name(stage: ModuleType) -> str:
    return stage.__name__.rpartition(".")[2]


# --- Exponentials --------------------------------------------------------------------------------


def test_exponentials_of_plain(claim: Claim) -> None:
    x = gaps_to_measure(-105.0)
    x32 = x.astype(np.float32)
    worst = 0.0
    for numbers in (x, x32, x32 + np.float32(80)):
        top = numbers.max(keepdims=True).astype(np.float64)
        grid = mpf(round(float(top[0]) * plain.STEPS) / plain.STEPS)
        found = plain._exponentials(numbers.copy(), top)
        with mp.workprec(120):
            worst = max(
                worst,
                *(
                    relative(mpf(float(e)), mp.exp(mpf(float(n)) - grid))
                    for e, n in zip(found, numbers, strict=True)
                ),
            )
    claim("plain", "exp(x - w)", 47 * U, worst)


def test_exponentials_of_extended(claim: Claim) -> None:
    high = gaps_to_measure(extended.LOWEST)
    # The last two have long tails.
    long = [float.fromhex("0x1.dcd6f7809fbe3p-10"), float.fromhex("0x1.bb7459589af5bp-13")]
    near = np.concatenate([high / 2, -high / 2, long])
    worst, longest = 0.0, 0.0
    for x, rest, shift in ((high, low_parts(high), 0), (near, None, 447), (near, None, 7)):
        found = extended.exponentials(x, rest, shift)
        significand, _ = np.frexp(found.head)
        assert (significand * 2.0**27 % 1 == 0).all()
        longest = max(longest, float((np.abs(found.tail) / found.head).max()))
        pair = found.head, found.tail
        worst = max(worst, *_errors(pair, (x, np.zeros_like(x) if rest is None else rest), -shift))
    claim("extended", "exp(d + e)", 2.0**-77.4, worst)
    claim("extended", "a tail, of its head", 1.13 * 2.0**-26, longest)


def _errors(pair: Any, argument: Any, exponent: Any = 0) -> Iterator[float]:
    exponents = np.broadcast_to(exponent, pair[0].shape).tolist()
    with mp.workprec(BITS):
        for i, n in enumerate(exponents):
            yield relative(value(pair, i), mp.ldexp(mp.exp(value(argument, i)), n))


@pytest.mark.parametrize(("stage", "exact"), [(extended, 2), (double_double, 3)])
def test_products_with_steps_are_exact(stage: ModuleType, exact: int) -> None:
    farthest = math.ceil(-stage.LOWEST * stage.STEPS / math.log(2)) + 1
    for step in stage._steps()[:exact]:
        numerator, _ = step.as_integer_ratio()
        odd = abs(numerator) // (numerator & -numerator)
        assert farthest * odd < 2**53
    assert (stage._steps()[1] * 2.0**75).is_integer()


def test_exponentials_of_double_double(claim: Claim) -> None:
    high = gaps_to_measure(double_double.LOWEST)
    low = low_parts(high)
    found = double_double.exponentials(high, low)
    worst = max(_errors(found.pair, (high, low), -found.exponent))
    claim("double_double", "exp(d + e)", 2.0**-104, worst)


# --- Sums ----------------------------------------------------------------------------------------

LENGTHS = (2, 40, 41, 1000, 16_384, 20_000)


def _rows(length: int) -> Iterator[tuple[FloatArray, mpf]]:
    """Rows of fp32 whose largest logit is 3, and r, which needs many bits."""
    rng = np.random.default_rng(length)
    for spread in (0.01, 5.0, 200.0):
        x = rng.uniform(-spread, 0, size=(1, length)).astype(np.float32)
        x[0, length // 2] = 3.0
        yield x, mp.fsum(mp.exp(mpf(float(v)) - 3) for v in x[0]) - 1


def test_sums_without_the_largest_term(claim: Claim) -> None:
    worst: Counter[tuple[str, str]] = Counter()
    with mp.workprec(BITS + 100):
        for x, r in (row for length in LENGTHS for row in _rows(length)):
            for name, what, got, left_out in _sums(x):
                exact = r if what == "r" else mp.log1p(r)
                error = float((abs(got - exact) - left_out) / exact)
                if name == "plain":
                    error -= plain.additions(x.size) * U
                worst[name, what] = max(worst[name, what], error)
    claim("plain", "r, but for a", 95 * U, worst["plain", "r"])
    claim("plain", "l, but for a", 929 * U, worst["plain", "l"], LOG_ERROR=plain.LOG_ERROR)
    for stage, of_r, of_l in ((extended, 75.6, 73.0), (double_double, 98.3, 92.3)):
        name, allowed = _name(stage), stage.LOG_ERROR
        claim(name, "r", 2.0**-of_r, worst[name, "r"])
        claim(name, "l", 2.0**-of_l, worst[name, "l"], LOG_ERROR=allowed)


def _sums(x: FloatArray) -> Iterator[tuple[str, str, mpf, float]]:
    """r and l of one row by each stage, and what was left out of them."""
    for stage in (extended, double_double):
        yield _name(stage), "r", value(stage.others(Block(x, stage.SIZE)), 0), 0.0
        log, _, _ = logs._log_of_sums(stage, blocks(x, stage.SIZE))
        yield _name(stage), "l", value(log, 0), 0.0
    left_out = plain.LEFT_OUT * x.size
    yield "plain", "r", mpf(float(plain._others(Block(x, plain.SIZE))[0])), left_out
    yield "plain", "l", mpf(float(plain._log_of_sums(plain._blocks(x))[0][0])), left_out


@pytest.mark.parametrize("length", [1, 3, 41, 24_576, 30_000])
def test_whole_sums_of_extended(length: int) -> None:
    x = np.random.default_rng(length).normal(scale=4, size=(2, length)) - 80
    for rows in (x[:1], x):
        block = Block(rows, extended.SIZE if len(rows) == 1 else 10**6)
        sums = [extended._sum(found, block.along) for _, found in extended._pieces(block)]
        total = extended._total(sums)
        for i, row in enumerate(rows):
            with mp.workprec(BITS):
                exact = mp.fsum(mp.exp(mpf(float(v))) for v in row)
                exact *= mpf(2) ** -math.floor(row.max() * (1 / math.log(2)))
                assert relative(value(total, i), exact) <= 2.0**-75.6


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
    assert max(plain.additions(int(n)) for n in 2.0 ** rng.uniform(0, 32, 3000)) <= 511


def test_what_is_left_out(claim: Claim) -> None:
    # Not measured but computed, in the worst case: all of the most logits that a row may have.
    with mp.workprec(100):
        beyond, allowed = K_MOST * mp.exp(extended.LOWEST), extended.LEFT_OUT
        claim("extended", "2^32 gaps below -620", allowed, beyond, LEFT_OUT=allowed)
        beyond, allowed = K_MOST * mpf(FP64.smallest_normal), double_double.LEFT_OUT
        claim("double_double", "2^32 times underflow", allowed, beyond, LEFT_OUT=allowed)
        assert mp.exp(double_double.LOWEST) < FP64.smallest_normal
        assert mp.exp(plain.LOWEST) * (1 + mpf(2) ** -9) < plain.LEFT_OUT
        assert K_MOST * mp.exp(-logs.VANISHING) < mpf(2) ** -1075
        assert mp.exp(extended.ZERO) < mpf(2) ** -1075
        assert mp.exp(plain.NORMAL) / K_MOST > mpf(2) ** -126


# --- Softmax, before it is rounded ---------------------------------------------------------------


def _softmax(row: FloatArray) -> list[mpf]:
    terms = [mp.exp(mpf(float(v)) - mpf(float(row.max()))) for v in row]
    total = mp.fsum(terms)
    return [term / total for term in terms]


@pytest.mark.parametrize("far", [False, True])
def test_softmax_of_plain(claim: Claim, far: bool) -> None:
    rng = np.random.default_rng(9)
    worst = 0.0
    for length in (2, 5, 41, 600):
        x = (rng.uniform(-70, 0, size=(6, length)) + rng.uniform(0, 70)).astype(np.float32)
        x[:, 1] *= np.float32(2.0**-20)
        x[0, 0] = -(2.0**14) if far else 0
        block = Block(x, plain.SIZE)
        _, total = plain._summed(block, by_row=False)
        kept, total = plain._summed(block, by_row=not total.min() > plain.ALONGSIDE)
        assert kept is not None
        found = block.back(kept[0][1] / block.spread(total))
        with mp.workprec(120):
            for got, row in zip(found, x, strict=True):
                pairs_of = zip(got, _softmax(row), strict=True)
                errors = [relative(mpf(float(p)), q) for p, q in pairs_of if q > 2.0**-126]
                worst = max(worst, max(errors) - plain.additions(length) * U)
    if far:
        allowed = plain.FAR_ERROR
        claim("plain", "softmax of far logits, but for a", 252 * U, worst, FAR_ERROR=allowed)
    else:
        claim("plain", "softmax, but for a", 98 * U, worst, ERROR=plain.ERROR)


@pytest.mark.parametrize(
    ("stage", "rounds", "claimed"),
    [(extended, "nearest_fp64", 2.0**-74.5), (double_double, "nearest", 2.0**-98)],
    ids=["extended", "double_double"],
)
def test_softmax_of_pairs(
    monkeypatch: pytest.MonkeyPatch, claim: Claim, stage: Any, rounds: str, claimed: float
) -> None:
    seen: list[tuple[Any, ...]] = []
    original = getattr(stage, rounds)

    def kept(high: FloatArray, low: FloatArray, *rest: Any, **named: Any) -> Rounded:
        exponent = np.broadcast_to(named.get("exponent", 0), high.shape).copy()
        seen.append((high.copy(), low.copy(), exponent))
        return original(high, low, *rest, **named)

    monkeypatch.setattr(stage, rounds, kept)
    rng, worst = np.random.default_rng(9), 0.0
    for length in (3, 50, 5000):
        for x in (rng.uniform(-300, 300, (1, length)), rng.normal(scale=4, size=(1, length)) - 700):
            seen.clear()
            list(stage.softmax(x, None))
            high, low, exponent = (part.ravel() for part in seen[0])
            exponents = exponent.tolist()
            with mp.workprec(BITS):
                for j, p in enumerate(_softmax(x[0])):
                    worst = max(worst, relative(mp.ldexp(value((high, low), j), exponents[j]), p))
    claim(_name(stage), "softmax", claimed, worst, ERROR=stage.ERROR)


# --- Logarithms ----------------------------------------------------------------------------------


def test_logarithms(claim: Claim) -> None:
    rng = np.random.default_rng(8)
    edges = [0.0624, 0.0625, 0.0626, 1.0, 2.0**32]
    near = rng.uniform(0.03, 0.13, 1000)
    t = np.concatenate([2.0 ** rng.uniform(-300, 32, 1000), near, edges])
    low = t * rng.uniform(-1, 1, t.size) * 2.0**-54
    with mp.workprec(BITS + 400):
        small = t <= 2.0**-4
        for stage, claimed in ((extended, 2.0**-73.3), (double_double, 2.0**-92.3)):
            found, failed = log1p((t, low), stage.exponential)
            assert not failed.any()
            exact = (mp.log1p(value((t, low), i)) for i in range(t.size))
            errors = np.array([relative(value(found, i), log) for i, log in enumerate(exact)])
            claim(_name(stage), "log1p of an exact r to 1/16", 2.0**-100, errors[small].max())
            claim(_name(stage), "log1p of an exact r beyond", claimed, errors[~small].max())
        found, failed = plain._log1p(t)
        assert not failed.any()
        exact = (mp.log1p(mpf(float(a))) for a in t)
        worst = max(relative(mpf(float(n)), log) for n, log in zip(found, exact, strict=True))
        claim("plain", "log1p of an exact r", 811 * U, worst)


@pytest.mark.parametrize("scale", [1.0, 40.0, logs.NEAR])
def test_differences_from_a_pair(
    monkeypatch: pytest.MonkeyPatch, claim: Claim, scale: float
) -> None:
    seen: list[tuple[FloatArray, ...]] = []

    def kept(high: FloatArray, low: FloatArray, error: FloatArray) -> Rounded:
        seen.append((high.copy(), low.copy(), np.broadcast_to(error, high.shape)))
        return nearest_fp64(high, low, error)

    monkeypatch.setattr(logs, "nearest_fp64", kept)
    x = np.random.default_rng(3).uniform(-scale, scale, size=(8, 50))
    list(logs.log_softmax(extended, x, None))
    of_all, of_largest = seen
    worst = 0.0
    with mp.workprec(BITS + 3000):
        for i, row in enumerate(x):
            largest, log = mpf(float(row.max())), -value(of_largest, i)
            exact = mp.log1p(mp.fsum(mp.exp(mpf(float(v)) - largest) for v in row) - 1)
            assert abs(log - exact) <= mpf(float(of_largest[2][i]))
            for j, v in enumerate(row):
                error = abs(value(of_all, (i, j)) - (mpf(float(v)) - largest - log))
                worst = max(worst, float(error))
    what, allowed = f"x - (m + l), logits within {scale:g}", logs.NEAR_ERROR
    claim("extended", what, 2.0**-94.4, worst, NEAR_ERROR=allowed)


# --- Pairs ---------------------------------------------------------------------------------------


def test_arithmetic_of_pairs(claim: Claim) -> None:
    rng = np.random.default_rng(6)
    a, b = (
        (h, h * rng.uniform(-1, 1, 3000) * 2.0**-54) for h in 2.0 ** rng.uniform(-40, 40, (2, 3000))
    )
    with mp.workprec(BITS):
        for name, operation, exact, claimed in (
            ("sum", pairs.add(a, b), lambda x, y: x + y, 3),
            ("product", pairs.multiply(a, b), lambda x, y: x * y, 7),
            ("reciprocal", pairs.reciprocal(a), lambda x, y: 1 / x, 8),
        ):
            errors = (
                relative(value(operation, i), exact(value(a, i), value(b, i))) for i in range(3000)
            )
            claim("pairs", name, claimed * U**2, max(errors))


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
    around = np.concatenate([middles * (1 - plain.HALVES), middles * (1 + plain.HALVES), numbers])
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
