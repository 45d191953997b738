"""`exact` against mpmath, bit by bit: no mismatch is allowed, and none is tolerated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from numerics import FORMATS, METHODS, OPERATIONS, Format, exact
from numerics.exact import (
    double_double,
    exact_cross_entropy,
    exact_log_softmax,
    exact_log_sum_exp,
    exact_softmax,
    extended,
    logs,
    undecided,
)
from numerics.exact.logarithm import SMALL
from numerics.exact.stages import STAGES, evaluate, stages_of
from numerics.formats import FloatArray
from numerics.method import arguments
from tests.strategies import finite_rows, formats
from tests.truth import bits, mismatches, results

METHOD = METHODS["exact"]
FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


# --- Against mpmath ------------------------------------------------------------------------------


@FORMAT
@pytest.mark.parametrize("scale", [1e-3, 1.0, 6.0, 60.0, 1e3, 1e4, 1e30])
def test_random_rows(format: Format, scale: float) -> None:
    rng = np.random.default_rng([7, int(scale)])
    for length in (1, 2, 3, 7, 40, 41, 100):
        with np.errstate(over="ignore"):
            x = rng.normal(scale=scale, size=(max(2, 60 // length), length))
            x = np.clip(x, -format.largest, format.largest).astype(format.dtype)
        if length > 3:
            x[0, 1] = -np.inf
            x[1, 2:4] = x[1].max()
        assert mismatches(x, format) == []


@settings(max_examples=150)
@given(data=st.data(), format=formats)
def test_any_finite_rows(data: st.DataObject, format: Format) -> None:
    assert mismatches(data.draw(finite_rows(format)), format) == []


def _rows(format: Format) -> Iterator[list[float]]:
    """Rows that are hard for a reason."""
    u, big, tiny = format.unit_roundoff, format.largest, format.smallest_subnormal
    for x in (big, -big, tiny, 0.0, -0.0, 1.0, format.exp_overflow, -1e3 * u):
        yield [x]
        yield [x, -math.inf]
        yield [x, x]
        yield [x, x, -math.inf, x]
        yield [x, 0.0]
        yield [x, -big]
        yield [x, x - 30.0, -1e4]
    for n in (2, 3, 7):  # log-sum-exp near 0: m and log(sum) cancel
        for nudge in (-3, -1, 0, 1, 2):
            yield [-math.log(n) * (1 + nudge * u)] * n
    for gap in np.linspace(5, 60, 12):  # confident
        yield [float(gap), 0.0, 0.125, -0.25]
    edge = -math.log(tiny)  # subnormal results, and results that underflow
    for gap in edge + np.linspace(-12, 3, 16):
        yield [0.0, -float(gap)]
        yield [0.0, -float(gap), -float(gap), -float(gap) - 0.5]
    yield [-big, big * u]  # the gap is the midpoint between the largest number and infinity
    yield [big, big, big]  # log-sum-exp beyond the largest number
    yield [big, -big, 0.0]
    for digits in range(6, 12):  # x - m is a midpoint, and a tail decides
        x = 2.0**digits
        yield [-x, x * u / 2]
        yield [-x - 2 * x * u, x * 3 * u]


def test_cancellation_beside_a_confident_row() -> None:
    # Found by hypothesis: the low part of log 3 is several places of log(3) - 1.
    assert mismatches(np.array([[19.0, -1.0, -1.0], [-1.0, -1.0, -1.0]]), FORMATS["fp64"]) == []


@FORMAT
def test_log_sum_exp_of_normalised_rows(format: Format) -> None:
    # m and l cancel to many bits, among rows that need no care and rows that are masked.
    rng = np.random.default_rng(12)
    logits = rng.normal(scale=2, size=(40, 5))
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    x = logits.astype(format.dtype)
    x[0], x[1, 1:], x[2] = -np.log(5), -np.inf, 2.0**-12
    assert mismatches(x, format) == []
    for row in (
        ["-0x1.9d375cp-2", "-0x1.1a3cd6p+0", "-0x1.3b0614p+4"],
        ["-0x1.76e4e2p-1", "-0x1.4fa40cp-1"],
        ["-0x1.62e43p-1", "-0x1.62e43p-1"],
    ):
        assert mismatches(np.array([[float.fromhex(v) for v in row]], format.dtype), format) == []


@FORMAT
@pytest.mark.parametrize("mask", [-1e9, -700.0, -769.0, -790.0])
def test_one_token_allowed(format: Format, mask: float) -> None:
    x = np.full((4, 6), mask)
    x[np.arange(4), np.arange(4)] = [0.0, 3.5, -2.0, 1e-3]
    with np.errstate(over="ignore"):
        assert mismatches(x.astype(format.dtype), format) == []
    if format.name == "fp64" and mask < -770:
        assert undecided("log_softmax", x)["double_double"] == 0


def test_label_on_the_mask_beside_one_confident_logit() -> None:
    # Found by `bench misrounded`: l vanished, and took the infinite gap of the label with it.
    row = [float.fromhex("0x1.6a3ac927f5d06p+9"), float.fromhex("-0x1.43baaa3071607p+8"), -np.inf]
    assert mismatches(np.array([row] * 3), FORMATS["fp64"]) == []


def test_a_tail_beneath_what_is_left_out_breaks_a_tie() -> None:
    """m - x_y is a midpoint of fp64, and l is lost: that it is positive is enough to decide."""
    x = np.array([[-float(gap), 2.0**-44] for gap in range(597, 620)])
    assert undecided("cross_entropy", x, [0])["extended"] == 0
    assert mismatches(x, FORMATS["fp64"]) == []


def test_a_lost_tail_moves_no_logit_however_small() -> None:
    """What is put in its place is more than the last place of such a logit."""
    x = np.array([[2.0**-digits, -1000.0] for digits in range(800, 1000, 10)])
    assert mismatches(x, FORMATS["fp64"]) == []


@pytest.mark.parametrize("stage", [extended, double_double], ids=["extended", "double_double"])
def test_a_tail_breaks_a_tie_of_near_logits_of_fp32_in_every_stage_of_pairs(
    stage: logs.Stage,
) -> None:
    """Whichever is asked first: an oracle begins with any."""
    x = np.array([[-1000.0, 2.0**-15]], np.float32)
    assert np.abs(x).max() <= logs.NEAR
    assert undecided("log_softmax", x)["plain"] == 1
    with np.errstate(all="ignore"):
        found = [value.rounded(FORMATS["fp32"]) for _, value in logs.log_softmax(stage, x, None)]
    assert not any(left.any() for _, left in found)
    assert mismatches(x, FORMATS["fp32"]) == []


@pytest.mark.parametrize("edge", [extended.NEAR, logs.NEAR])
@pytest.mark.parametrize("beyond", [0.0, 1e-9, 30.0])
def test_up_to_where_logits_are_near(edge: float, beyond: float) -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(-edge, edge, size=(30, 7))
    x[:10, 0], x[5:20, 1], x[20:, 2] = edge, -edge, -edge - beyond
    assert mismatches(x, FORMATS["fp64"]) == []


def test_confident_rows_in_one_batch_with_others() -> None:
    x = np.random.default_rng(6).normal(size=(40, 5))
    x[:, 2] += np.repeat(2.0 ** np.arange(10), 4)
    assert mismatches(x, FORMATS["fp64"]) == []


@FORMAT
def test_hard_rows(format: Format) -> None:
    found = []
    for row in _rows(format):
        with np.errstate(over="ignore"):
            found += mismatches(np.array([row]).astype(format.dtype), format)
    assert found == []


def _towards(target: mpf, first: list[float], format: Format, steps: int) -> list[float]:
    """Logits whose exponentials add up to `target` ever more closely, from below."""
    row = list(first)
    for _ in range(steps):
        left = target - mp.fsum(mp.exp(mpf(x)) for x in row)
        x = format.dtype.type(float(mp.log(left)))
        while mp.exp(mpf(float(x))) > left:
            x = np.nextafter(x, format.dtype.type(-np.inf))
        row.append(float(x))
    return row


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("format_name", ["fp32", "fp64"])
def test_rows_tuned_to_a_midpoint(format_name: str, steps: int) -> None:
    # Each tail brings the result closer to the midpoint of two numbers by the format's precision:
    # with four tails of fp64 to within 2^-199 of itself, where only decimals can tell.
    format = FORMATS[format_name]
    rng = np.random.default_rng(steps)
    for _ in range(4):
        with mp.workprec(1500):
            number = mpf(float(format.dtype.type(rng.uniform(0.2, 0.9))))
            midpoint = number + mpf(2) ** (math.frexp(float(number))[1] - format.precision - 1)
            softmax = _towards(1 / midpoint, [0.0], format, steps)
            log_sum_exp = _towards(mp.exp(1 + midpoint * 2), [0.5], format, steps)
        for row in (softmax, log_sum_exp):
            assert mismatches(np.array([row]).astype(format.dtype), format) == []
    last = undecided("softmax", np.array(softmax, format.dtype))
    if format_name == "fp64" and steps >= 3:
        assert last["double_double"] > 0


@pytest.mark.parametrize("format_name", ["fp16", "fp32"])
def test_log_sum_exp_of_nothing_but_a_sign(format_name: str) -> None:
    # m and l cancel ever further; what is left rounds to -0, as it comes from below.
    format = FORMATS[format_name]
    for steps in range(2, 21, 3):
        with mp.workprec(1500):
            row = _towards(mpf(1), [-format.smallest_subnormal], format, steps)
        x = np.array([row]).astype(format.dtype)
        assert mismatches(x, format) == []
        assert np.signbit(exact_log_sum_exp(x)[0])
    assert undecided("log_sum_exp", x) == {"plain": 1, "extended": 1, "double_double": 1}


@FORMAT
def test_one_undecided_output_of_a_row_longer_than_a_piece(
    monkeypatch: pytest.MonkeyPatch, format: Format
) -> None:
    """In all pieces of the row but one nothing is wanted of the next stage."""
    x = np.zeros((1, 3 * extended.SIZE), format.dtype)
    x[0, 0] = 1.0
    wanted = np.zeros(x.shape, np.bool_)
    wanted[0, [0, 2 * extended.SIZE + 5]] = True
    found = [
        (rows, columns, value.enclosed())
        for (rows, columns), value in logs.log_softmax(extended, x, wanted)
    ]
    assert [columns.size for _, columns, _ in found].count(0) == 1
    high = np.concatenate([value.high for *_, value in found])
    expected = exact_log_softmax(x.astype(np.float64))[wanted]
    assert (np.abs(high - expected) <= np.spacing(np.abs(expected))).all()


@FORMAT
def test_long_rows(format: Format) -> None:
    rng = np.random.default_rng(3)
    for length in (16_385, 32_769):
        x = rng.choice(rng.normal(scale=3, size=500), size=(1, length)).astype(format.dtype)
        assert mismatches(x, format) == []


def test_a_row_longer_than_what_is_kept() -> None:
    # Two values only, so that mpmath is done at once.
    for format in FORMATS.values():
        x = np.zeros((1, 2**18 + 5), format.dtype)
        x[0, ::3] = -5.0
        many, few = x.size - math.ceil(x.size / 3), math.ceil(x.size / 3)
        with mp.workprec(300):
            total = many + few * mp.exp(-5)
            expected = [float(format.dtype.type(float(v / total))) for v in (mp.exp(-5), mpf(1))]
            log_total = float(format.dtype.type(float(mp.log(total))))
        got = exact_softmax(x)
        assert (got[0, ::3] == expected[0]).all()
        assert (got[0, 1::3] == expected[1]).all()
        assert exact_log_sum_exp(x)[0] == log_total


# --- Zeros, special rows, modes of the processor -------------------------------------------------


def test_signs_of_zero() -> None:
    x = np.array([0.0, -1000.0])
    assert np.signbit(exact_log_softmax(x))[0]  # log(1 - tiny), rounded to zero from below
    assert not np.signbit(exact_softmax(x)).any()
    for alone in ([5.0], [5.0, -np.inf]):
        assert not np.signbit(exact_log_softmax(alone)[0])
        assert not np.signbit(exact_cross_entropy(alone, 0))


@FORMAT
def test_rows_of_minus_infinity_alone(format: Format) -> None:
    for length in (1, 3, 10, 1000):
        x = np.full((1, length), -np.inf, format.dtype)
        equal = np.zeros((1, length), format.dtype)
        labels = np.array([0])
        for operation in set(OPERATIONS) - {"log_sum_exp"}:
            assert bits(results(x, labels)[operation]) == bits(results(equal, labels)[operation])
        assert exact_log_sum_exp(x)[0] == -np.inf


def _flushing() -> Iterator[bool]:
    """Flush-to-zero and denormals-are-zero on, by two instructions of x86-64, while in use."""
    import ctypes
    import mmap

    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("0fae1fc3") + bytes.fromhex("0fae17c3"))  # stmxcsr, ldmxcsr [rdi]
    start = ctypes.addressof(ctypes.c_char.from_buffer(code))
    store, load = (ctypes.CFUNCTYPE(None, ctypes.c_void_p)(start + at) for at in (0, 4))
    before, during = ctypes.c_uint32(), ctypes.c_uint32()
    store(ctypes.addressof(before))
    during.value = before.value | 0x8040
    load(ctypes.addressof(during))
    try:
        yield True
    finally:
        load(ctypes.addressof(before))


@FORMAT
def test_flushing_subnormal_numbers_changes_no_bit(format: Format) -> None:
    import platform

    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        pytest.skip("sets a mode of x86-64 on Linux")
    tiny = format.smallest_subnormal
    edge = -math.log(tiny)
    x = np.array([[0.0, -edge + 3, -1.0], [tiny * 3, -np.inf, -np.inf], [tiny, tiny, -tiny]])
    x = np.concatenate([x, np.array([[0.0, 1.0, 2.0], [-0.6931, -edge + 1, -0.6934]])])
    x = x.astype(format.dtype)
    labels = np.array([1, 0, 2, 0, 1])
    ordinary = {name: bits(got) for name, got in results(x, labels).items()}
    for _ in _flushing():
        assert float(np.float64(5e-324)) * 1.0 == 0.0
        flushed = results(x, labels)
    assert {name: bits(got) for name, got in flushed.items()} == ordinary


# --- Nothing is trusted that need not be ---------------------------------------------------------


@FORMAT
@pytest.mark.parametrize(
    "wrong", [lambda r: r * np.nan, lambda r: r + 1e-3, lambda r: r * (1 + 2.0**-19), np.zeros_like]
)
def test_numpys_logarithm_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, format: Format, wrong: Callable[[FloatArray], FloatArray]
) -> None:
    x = np.random.default_rng(2).normal(scale=3, size=(6, 9)).astype(format.dtype)
    labels = np.zeros(6, np.intp)
    before = {name: bits(got) for name, got in results(x, labels).items()}
    monkeypatch.setattr(np, "log1p", wrong)
    monkeypatch.delattr(np, "exp")
    monkeypatch.delattr(np, "log")
    assert {name: bits(got) for name, got in results(x, labels).items()} == before


# --- Stages --------------------------------------------------------------------------------------


@FORMAT
def test_each_later_stage_alone_gives_the_same_bits(format: Format) -> None:
    rng = np.random.default_rng(9)
    x = np.concatenate([rng.normal(scale=s, size=(4, 12)) for s in (0.1, 3.0, 100.0)])
    x = x.astype(format.dtype)
    labels = np.arange(len(x)) % 12
    for operation in OPERATIONS:
        before = bits(getattr(METHOD, operation)(*arguments(operation, x, labels)))
        for first in range(len(STAGES) - len(stages_of(format)), len(STAGES) + 1):
            with np.errstate(all="ignore"):
                assert bits(evaluate(operation, x, labels, STAGES[first:])) == before, first


@pytest.mark.parametrize("stage", [extended, double_double], ids=["extended", "double_double"])
def test_what_a_stage_encloses_has_the_truth_in_it(stage: logs.Stage) -> None:
    """To the last bit of its pairs, which a number of the format shows only next to a midpoint."""
    x = np.random.default_rng(11).normal(scale=3, size=(6, 5))
    with mp.workprec(300):
        sums = [mp.log(mp.fsum(mp.exp(mpf(v)) for v in row)) for row in x.tolist()]
        truth = np.array(
            [[mpf(v) - s for v in row] for row, s in zip(x.tolist(), sums, strict=True)]
        )
        for where, value in logs.log_softmax(stage, x, None):
            found = value.enclosed()
            lower = 0.0 if found.lower is None else found.lower
            parts = np.broadcast_arrays(truth[where], found.high, found.low, lower, found.error)
            for exact, *sides, error in zip(*(p.ravel().tolist() for p in parts), strict=True):
                assert abs(exact - mp.fsum(map(mpf, sides))) <= error


@pytest.mark.parametrize("stage", [extended, double_double], ids=["extended", "double_double"])
def test_newtons_method_errs_absolutely_and_the_series_does_not(stage: logs.Stage) -> None:
    """Each allows for its own error: above SMALL that of an exponential, below only its share."""
    for r, is_newtons in ((SMALL * 0.99, False), (SMALL * 1.01, True), (1.0, True)):
        ((_, value),) = logs.log_sum_exp(stage, np.array([[0.0, math.log(r)]]))
        error = float(value.enclosed().error[0])
        assert error >= math.log1p(r) * stage.LOG_ERROR
        assert (error >= stage.NEWTON_ERROR) == is_newtons


def test_rows_beyond_the_longest_are_decided_by_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(8).normal(size=(3, 4))
    before = bits(exact_softmax(x))
    monkeypatch.setattr(exact.stages, "LONGEST", 3)
    monkeypatch.setattr(extended, "softmax", None)
    assert bits(exact_softmax(x)) == before


@pytest.mark.parametrize(("stage", "format_name"), [("plain", "fp32"), ("extended", "fp64")])
def test_undecided_outputs_are_as_many_as_predicted(
    monkeypatch: pytest.MonkeyPatch, stage: str, format_name: str
) -> None:
    # An output is undecided when a midpoint is within the error: 2 error p / ulp(p), and p / ulp(p)
    # is 2^(precision - 1) times a significand, 1/ln 2 on average.
    format = FORMATS[format_name]
    error = 2.0 ** (-format.precision - 8)
    monkeypatch.setattr(getattr(exact, stage), "ERROR", error)
    x = np.random.default_rng(4).normal(scale=2, size=(400, 50)).astype(format.dtype)
    predicted = error * 2**format.precision / math.log(2) * x.size
    assert predicted / 4 < undecided("softmax", x)[stage] < predicted * 4


def test_undecided_wants_an_operation() -> None:
    with pytest.raises(ValueError, match=r"operation must be one of softmax, .*, not 'max'"):
        undecided("max", [1.0])
    assert undecided("cross_entropy", [[1.0, 2.0]], [1]) == {"extended": 0, "double_double": 0}
