"""Every error that docs/exact.md derives for `exact`, measured against mpmath.

`claim` fails where more is measured than claimed. What it is told goes into the tables of the note:

    pytest tests/numerics/test_exact_stages.py --claims results/claims.json
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpmath import mp, mpf

from numerics import FP16, FP64
from numerics.exact import double_double, extended, logs, pairs, plain, tables
from numerics.exact.blocks import Block, blocks
from numerics.exact.logarithm import SMALL, log1p
from numerics.exact.values import Answer
from numerics.formats import FloatArray
from tests.conftest import Claim

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
        exact, step = mp.exp(plain.LOWEST), mp.exp(mpf(1) / plain.STEPS)
        for e, sixth in zip(rounded[1:], plain._table()[1:], strict=True):
            worst = max(worst, float(abs(mpf(float(e)) - exact)) / np.spacing(e))
            of_sixth = max(of_sixth, relative(mpf(float(sixth)) * 6, exact))
            exact *= step  # 2^17 products of 400 bits lose 18 of them
        assert relative(exact, step) < 2.0**-380  # from exp(LOWEST) to beyond exp(0)
    assert worst <= 0.5  # to nearest
    claim("plain", "exp(k/512)/6, all 74 753", 2 * U, of_sixth)


def test_every_power_of_fp16(claim: Claim) -> None:
    x = plain._half_values(FP16)
    within = np.flatnonzero(np.abs(x) <= plain.HALF_RANGE)
    with mp.workprec(120):
        worst = max(
            relative(mpf(float(e)), mp.exp(mpf(float(v)) - 300))
            for e, v in zip(plain._half_table(FP16)[within], x[within], strict=True)
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
    # Relative errors, but for the additions of plain: of r, of l by the series and by Newton's
    # method; and what the last one errs by besides, absolutely.
    claimed = {
        "plain": (95 * U, 250 * U, 121 * U, 49 * U),
        "extended": (2.0**-75.6, 2.0**-75.6, 2.0**-75.6, 2.0**-77.4),
        "double_double": (2.0**-98.3, 2.0**-98.1, 2.0**-98.3, 2.0**-96.3),
    }
    with mp.workprec(BITS + 100):
        for x, r in (row for length in LENGTHS for row in _rows(length)):
            for name, what, got, left_out in _sums(x):
                exact = r if what == "r" else mp.log1p(r)
                error = abs(got - exact) - left_out
                if name == "plain":
                    error -= plain.additions(x.size) * U * exact
                if what == "r" or r <= SMALL:
                    worst[name, what] = max(worst[name, what], float(error / exact))
                else:
                    assert error <= claimed[name][2] * exact + claimed[name][3]
    for stage in (plain, extended, double_double):
        name, besides = _name(stage), ", but for a" if stage is plain else ""
        of_r, of_l, _, _ = claimed[name]
        claim(name, f"r{besides}", of_r, worst[name, "r"])
        what, allowed = f"l of an r to 1/16{besides}", stage.LOG_ERROR
        claim(name, what, of_l, worst[name, "l"], LOG_ERROR=allowed)


def _sums(x: FloatArray) -> Iterator[tuple[str, str, mpf, float]]:
    """r and l of one row by each stage, and what was left out of them."""
    for stage in (extended, double_double):
        block = Block(x, stage.SIZE)
        yield _name(stage), "r", value(stage.others(block, block.largest_at), 0), 0.0
        log, _, _ = logs._log_of_sums(stage, blocks(x, stage.SIZE))
        yield _name(stage), "l", value(log, 0), 0.0
    left_out = plain.LEFT_OUT * x.size
    others, largest = plain._split(Block(x, plain.SIZE), Block(x, plain.SIZE).largest_at)
    yield "plain", "r", mpf(float(others[0] / largest[0])), left_out
    yield "plain", "l", mpf(float(plain._log_of_sums(plain._blocks(x))[0][0])), left_out


@pytest.mark.parametrize("length", [1, 3, 41, 24_576, 30_000])
def test_whole_sums_of_extended(length: int) -> None:
    x = np.random.default_rng(length).normal(scale=4, size=(2, length)) - 80
    with mp.workprec(BITS):
        exact = [mp.fsum(mp.exp(mpf(float(v))) for v in row) for row in x]
        for rows in (x[:1], x):
            block = Block(rows, extended.SIZE if len(rows) == 1 else 10**6)
            sums = [extended._sum(found, block.along) for _, found in extended._pieces(block)]
            total = extended._total(sums)
            for i, row in enumerate(rows):
                unit = mpf(2) ** -math.floor(row.max() * (1 / math.log(2)))
                assert relative(value(total, i), exact[i] * unit) <= 2.0**-75.6


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


def _enclosed(answers: Iterator[Answer], shape: tuple[int, ...]) -> tuple[FloatArray, ...]:
    """high, low and exponent of all outputs of a stage."""
    found = tuple(np.zeros(shape) for _ in range(3))
    for where, answer in answers:
        each = answer.enclosed()
        for part, got in zip(found, (each.high, each.low, each.exponent), strict=True):
            part[where] = 0 if got is None else got
    return found


@pytest.mark.parametrize("far", [False, True])
def test_softmax_of_plain(claim: Claim, far: bool) -> None:
    rng = np.random.default_rng(9)
    worst = 0.0
    for length in (2, 5, 41, 600):
        x = (rng.uniform(-70, 0, size=(6, length)) + rng.uniform(0, 70)).astype(np.float32)
        x[:, 1] *= np.float32(2.0**-20)
        x[0, 0] = -(2.0**14) if far else 0
        found, _, _ = _enclosed(plain.softmax(x), x.shape)
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
    ("stage", "claimed"),
    [(extended, 2.0**-74.5), (double_double, 2.0**-98)],
    ids=["extended", "double_double"],
)
def test_softmax_of_pairs(claim: Claim, stage: Any, claimed: float) -> None:
    rng, worst = np.random.default_rng(9), 0.0
    for length in (3, 50, 5000):
        for x in (rng.uniform(-300, 300, (1, length)), rng.normal(scale=4, size=(1, length)) - 700):
            high, low, exponent = (part[0] for part in _enclosed(stage.softmax(x, None), x.shape))
            with mp.workprec(BITS):
                for j, p in enumerate(_softmax(x[0])):
                    got = mp.ldexp(value((high, low), j), int(exponent[j]))
                    worst = max(worst, relative(got, p))
    claim(_name(stage), "softmax", claimed, worst, ERROR=stage.ERROR)


# --- Logarithms ----------------------------------------------------------------------------------


def test_logarithms(claim: Claim) -> None:
    rng = np.random.default_rng(8)
    edges = [0.0624, 0.0625, 0.0626, 1.0, 2.0**32]
    near = rng.uniform(0.03, 0.13, 1000)
    t = np.concatenate([2.0 ** rng.uniform(-300, 32, 1000), near, edges])
    low = t * rng.uniform(-1, 1, t.size) * 2.0**-54
    small = t <= SMALL
    with mp.workprec(BITS + 400):
        for stage, claimed in ((extended, 2.0**-77.4), (double_double, 2.0**-96.3)):
            found, failed = log1p((t, low), stage.exponential)
            assert not failed.any()
            exact = [mp.log1p(value((t, low), i)) for i in range(t.size)]
            errors = [abs(value(found, i) - log) for i, log in enumerate(exact)]
            _claim_logarithms(claim, stage, errors, exact, small, (2.0**-100, claimed))
        log, error = plain._log1p(t)
        assert np.isfinite(error).all()
        exact = [mp.log1p(mpf(float(r))) for r in t]
        errors = [abs(mpf(float(n)) - e) for n, e in zip(log, exact, strict=True)]
        # The last addition errs by u of l, which belongs to the relative error.
        errors = [e - U * n * (not s) for e, n, s in zip(errors, exact, small, strict=True)]
        _claim_logarithms(claim, plain, errors, exact, small, (4.2 * U, 49 * U))


def _claim_logarithms(
    claim: Claim,
    stage: ModuleType,
    errors: list[mpf],
    exact: list[mpf],
    small: npt.NDArray[np.bool_],
    claimed: tuple[float, float],
) -> None:
    """Of an exact r: relatively by the series, absolutely by Newton's method."""
    worst = [0.0, 0.0]
    for error, log, is_small in zip(errors, exact, small, strict=True):
        worst[not is_small] = max(worst[not is_small], float(error / log if is_small else error))
    claim(_name(stage), "log1p of an exact r to 1/16", claimed[0], worst[0])
    what, allowed = "log1p of an exact r beyond, absolutely", stage.NEWTON_ERROR
    claim(_name(stage), what, claimed[1], worst[1], NEWTON_ERROR=allowed)


@pytest.mark.parametrize("scale", [1.0, 40.0, logs.NEAR])
def test_differences_from_a_pair(claim: Claim, scale: float) -> None:
    x = np.random.default_rng(3).uniform(-scale, scale, size=(8, 50))
    found = [value.enclosed() for _, value in logs.log_softmax(extended, x, None)]
    of_all, of_largest = (
        (each.high, each.low, np.broadcast_to(each.error, each.high.shape)) for each in found
    )
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
