"""fast: the bits of a row depend on the row alone; memory, threads, out= and workers=."""

from __future__ import annotations

import functools
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.inputs.cases import CASES
from numerics import (
    ELEMENTWISE,
    FORMATS,
    LABELLED,
    METHODS,
    OPERATIONS,
    bounds,
    exact_log_sum_exp,
    exact_softmax,
    fast_cross_entropy,
    fast_log_softmax,
    fast_log_sum_exp,
    fast_softmax,
)
from numerics.facts import RowFacts
from numerics.fast import few, half, kernels, stream
from numerics.method import arguments

Function = Callable[..., Any]
LONG = 2**16
LENGTHS = (1, 2, 5, 8, 9, 40, 41, 64, 128, 129, 256, 257, 600, 1025, 9000, LONG + 3, LONG + 700)
BLOCK_AND_ROOM = 2**20

operations = pytest.mark.parametrize("operation", OPERATIONS)
format_names = pytest.mark.parametrize("format_name", FORMATS)


def bits(x: npt.ArrayLike) -> npt.NDArray[Any]:
    """A result as integers: NaN equals NaN, and -0 is not 0."""
    array = np.ascontiguousarray(x)
    return array.view(f"u{array.itemsize}")


def function(operation: str) -> Function:
    """The operation on (..., K) alone; labels follow from the logits."""
    plain: Function = getattr(METHODS["fast"], operation)
    if operation not in LABELLED:
        return plain

    def of_first_finite(x: npt.NDArray[Any], axis: int = -1, **options: Any) -> Any:
        return plain(x, np.isfinite(x).argmax(axis=axis), axis=axis, **options)

    return of_first_finite


def batch(format_name: str, length: int, rows: int = 7) -> npt.NDArray[Any]:
    """Rows of every kind that `fast` tells apart, one after the other."""
    rng = np.random.default_rng([length, rows])
    x = rng.normal(scale=4.0, size=(rows, length))
    x[1::7] += 2 * FORMATS[format_name].exp_overflow  # to be shifted
    x[2::7] -= 2 * FORMATS[format_name].exp_overflow
    x[3::7, 0] += 30  # confident
    x[4::7, -1] = -np.inf
    x[5::7] = np.where(rng.random() < 0.5, np.nan, np.inf)
    with np.errstate(over="ignore"):
        return x.astype(FORMATS[format_name].dtype)


# --- Bits ----------------------------------------------------------------------------------------


@operations
@format_names
@pytest.mark.parametrize("length", LENGTHS)
def test_a_row_has_the_same_bits_in_every_company(
    operation: str, format_name: str, length: int
) -> None:
    f, x = function(operation), batch(format_name, length)
    expected = bits(f(x))
    assert (np.concatenate([bits(f(x[i : i + 1])) for i in range(len(x))]) == expected).all()
    assert (bits(f(x[::-1]))[::-1] == expected).all()
    assert (bits(f(np.asfortranarray(x))) == expected).all()
    wide = np.repeat(x, 2, axis=1)
    assert (bits(f(wide[:, ::2])) == expected).all()


@operations
@format_names
@pytest.mark.parametrize("length", [5, 64, 600])
def test_workers_and_blocks_change_no_bit(operation: str, format_name: str, length: int) -> None:
    f, x = function(operation), batch(format_name, length, rows=700_000 // length)
    expected = bits(f(x))
    for workers in (2, 3, -1, None):
        assert (bits(f(x, workers=workers)) == expected).all()
    assert (bits(f(x[:100])) == expected[:100]).all()


@pytest.mark.parametrize("f", [function(operation) for operation in ELEMENTWISE], ids=ELEMENTWISE)
@format_names
@pytest.mark.parametrize("length", LENGTHS)
def test_out_may_be_the_input_another_array_or_a_view(
    f: Function, format_name: str, length: int
) -> None:
    x = batch(format_name, length)
    expected = bits(f(x))
    other = np.empty_like(x)
    assert f(x, out=other) is other
    assert (bits(other) == expected).all()
    wide = np.empty((2 * len(x), 3 * length), x.dtype)
    f(x, out=wide[::2, ::3])
    assert (bits(wide[::2, ::3]) == expected).all()
    wide[::2, ::3] = x
    f(wide[::2, ::3], out=wide[::2, ::3])
    assert (bits(wide[::2, ::3]) == expected).all()
    f(x, out=x)
    assert (bits(x) == expected).all()


@pytest.mark.parametrize("f", [fast_softmax, fast_log_softmax])
def test_out_may_overlap_the_input_as_in_ufuncs(f: Function) -> None:
    memory = np.random.default_rng(1).normal(size=200)
    x = memory[:-10].reshape(19, 10).copy()
    assert (f(memory[:-10].reshape(19, 10), out=memory[10:].reshape(19, 10)) == f(x)).all()
    for length in (30, 700):  # in one block, and in several
        square = np.random.default_rng(2).normal(size=(length, length))
        expected = f(square)
        assert (f(square, out=square.T) == expected).all()
        square = np.random.default_rng(2).normal(size=(length, length))
        expected = f(square.T.copy())
        assert (f(square.T, out=square) == expected).all()


@pytest.mark.parametrize("f", [fast_log_sum_exp, function("cross_entropy")])
def test_out_of_reductions(f: Function) -> None:
    x = batch("fp64", 9)
    out = np.empty((7, 2))[:, 1]
    assert f(x, out=out) is out
    assert (bits(out) == bits(f(x))).all()


def test_out_with_keepdims() -> None:
    x = batch("fp64", 9)
    out = np.empty((7, 1))
    fast_log_sum_exp(x, keepdims=True, out=out)
    assert (bits(out[:, 0]) == bits(fast_log_sum_exp(x))).all()


@operations
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_axes_are_gone_through_without_a_copy(operation: str, axis: int) -> None:
    f = function(operation)
    x = np.random.default_rng(3).normal(size=(3, 4, 5, 6)).transpose(2, 0, 3, 1)[:, :, ::-1]
    got, plain = f(x, axis=axis), f(np.ascontiguousarray(np.moveaxis(x, axis, -1)))
    moved = np.moveaxis(got, axis, -1) if got.ndim == 4 else got
    assert (bits(np.ascontiguousarray(moved)) == bits(plain)).all()


@pytest.mark.parametrize("f", [fast_softmax, fast_log_softmax])
def test_what_goes_backwards_in_all_axes_is_gone_through_without_a_copy(f: Function) -> None:
    """As one axis it would be a copy, and what is written to that is lost."""
    x = np.random.default_rng(7).normal(size=(5, 6, 700))
    out = np.zeros_like(x)
    f(x[::-1, ::-1, ::-1], out=out[::-1, ::-1, ::-1])
    assert (bits(out[::-1, ::-1, ::-1]) == bits(f(x[::-1, ::-1, ::-1].copy()))).all()


def test_axes_that_lie_as_one_are_gone_through_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks as full as those of a single axis, the last one aside."""
    heights: list[int] = []
    monkeypatch.setattr(kernels, "softmax", lambda x, out, room: heights.append(len(x)))
    fast_softmax(ROWS)
    of_one_axis, heights[:] = list(heights), []
    fast_softmax(ROWS.reshape(100, 1, 10, 100, -1))
    assert heights == of_one_axis


@operations
def test_workers_on_axes_that_do_not_merge(operation: str) -> None:
    """Every slice ends in a block that is not full, and any worker may begin with one."""
    f = function(operation)
    x = np.random.default_rng(6).normal(size=(6, 5, 3000)).transpose(0, 2, 1)[:, ::-1]
    expected = bits(f(np.ascontiguousarray(x)))
    for workers in (1, 2, 5, 1000):
        assert (bits(f(x, workers=workers)) == expected).all()


@pytest.mark.parametrize("axis", [(0, 1), (0, 2), (2, 1), None])
def test_several_axes_and_out(axis: Any) -> None:
    x = np.random.default_rng(4).normal(size=(3, 4, 5))
    out = np.empty((3, 5, 4)).transpose(0, 2, 1)
    fast_softmax(x, axis=axis, out=out)
    assert (out == fast_softmax(x, axis=axis)).all()
    assert np.allclose(out.sum(axis=axis), 1, rtol=1e-14)


@operations
@format_names
@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 11, 31, 64, 65, 130, 600])
@pytest.mark.parametrize("beyond", [0, 500, -500])
def test_few_numbers_take_a_short_way_to_the_same_bits(
    operation: str, format_name: str, length: int, beyond: int
) -> None:
    """Beside a row of NaN nothing is short; alone, in fives and as one array it is."""
    rng = np.random.default_rng(length)
    x = rng.normal(scale=2, size=(40, length)).round(1) + beyond  # with ties
    x = np.concatenate([x, np.full((1, length), np.nan)]).astype(FORMATS[format_name].dtype)
    f = function(operation)
    expected = bits(f(x))[:-1]
    x = x[:-1]
    assert (few.shift_of(x, -1, None, 1) is None) == (format_name == "fp16")
    for rows in (1, 5, len(x)):
        got = [bits(f(x[start : start + rows])) for start in range(0, len(x), rows)]
        assert (np.concatenate(got) == expected).all()
    assert (np.stack([bits(f(row)) for row in x]).reshape(expected.shape) == expected).all()
    assert (bits(f(x.reshape(2, 4, 5, length))).reshape(expected.shape) == expected).all()
    many = np.concatenate([x] * (1 + few.NUMBERS // x.size))  # more than are asked
    got = bits(f(many.reshape(2, -1, length))).reshape(-1, *expected.shape)
    assert (got == expected).all()


@operations
def test_one_number_may_stand_for_all(operation: str) -> None:
    """Strides of 0 say nothing of how long a row is."""
    for value in (0.0, 100.0, -np.inf):
        x = np.broadcast_to(np.float32(value), (1, 4))
        assert (bits(function(operation)(x)) == bits(function(operation)(x.copy()))).all()


def test_what_is_no_short_way() -> None:
    """Where a kernel could raise a flag, or rows differ in what is done with them."""
    for x in ([0, 81], [70, -70], [np.nan, 0], [np.inf, 0], [np.inf], [-np.inf, 0], [95, 80]):
        assert few.shift_of(np.array(x, np.float32), -1, None, 1) is None
    assert few.shift_of(np.array([500, 450], np.float32), -1, None, 1) == 500
    assert few.shift_of(np.array([-40, 30], np.float32), -1, None, 1) == 0
    with np.errstate(all="raise"):
        for f in (fast_softmax, fast_log_softmax, fast_log_sum_exp):
            for x in ([75, 0], [-75, 0], [-75, -10], [500, 425], [-500, -425]):
                f(np.array(x * 2**15, np.float32))


@format_names
@pytest.mark.parametrize("length", [5, 64, 600])
@pytest.mark.parametrize("spread", [0.0, 3.0])
@pytest.mark.parametrize("beyond", [-3.4, 2.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_blocks_that_are_shifted_as_a_whole(
    format_name: str, length: int, spread: float, beyond: float, side: int
) -> None:
    """A block asks first whether all of its rows are shifted; the answer changes no bit."""
    rng = np.random.default_rng(6)
    working = kernels.RANGES[FORMATS[format_name].dtype].working
    rows = 2**15 // length
    x = rng.normal(scale=0.2, size=(rows, length)) + rng.normal(scale=spread, size=(rows, 1))
    x += side * (working.exp_overflow + beyond)
    x[0] += side * working.exp_overflow
    x = x.astype(FORMATS[format_name].dtype)
    few = [fast_softmax(rows) for rows in np.array_split(x, 16)]  # too few to be asked
    assert (bits(fast_softmax(x)) == bits(np.concatenate(few))).all()


@format_names
def test_a_row_whose_sum_is_in_range_is_not_shifted(format_name: str) -> None:
    """Its exponentials are those of its logits. fp16 sees nothing of what small sums lose."""
    working = kernels.RANGES[FORMATS[format_name].dtype].working.dtype
    largest = np.linspace(-50.0 if format_name == "fp16" else 0.5, 80.0, 60)[:, np.newaxis]
    below = np.abs(np.random.default_rng(8).normal(scale=4, size=(60, 20)))
    x = np.concatenate([largest, largest - below], axis=1).astype(FORMATS[format_name].dtype)
    found, _, special = kernels._exponentials(x, np.empty(x.shape, working))
    assert special == []
    assert (bits(found) == bits(np.exp(x.astype(working)))).all()


@format_names
@pytest.mark.parametrize("length", [3, 8, 40, 200, LONG + 3])
@pytest.mark.parametrize("largest", [(0,), (-1,), (0, -1), (0, 1, -1)])
def test_the_largest_logit_may_stand_anywhere_and_more_than_once(
    format_name: str, length: int, largest: tuple[int, ...]
) -> None:
    """Beside rows with one largest logit, in log-sum-exp near 0; within theorem and rounding."""
    format = FORMATS[format_name]
    x = np.full((3, length), -20, format.dtype)
    x[0, list(largest)] = 0
    x[1:, 2] = 0
    expected = exact_log_sum_exp(x).astype(np.float64)
    bound = bounds.fast_log_sum_exp(RowFacts(x, format, np.zeros(3, np.intp)))
    error = abs(fast_log_sum_exp(x).astype(np.float64) - expected)
    assert (error <= format.unit_roundoff * (bound + expected)).all()


@format_names
@pytest.mark.parametrize("length", LENGTHS)
def test_the_gradient_has_the_bits_of_softmax_but_for_the_label(
    format_name: str, length: int
) -> None:
    x = batch(format_name, length)
    labels = np.arange(len(x)) % length
    others = np.arange(length) != labels[:, np.newaxis]
    gradient = METHODS["fast"].cross_entropy_gradient(x, labels)
    assert (bits(gradient)[others] == bits(fast_softmax(x))[others]).all()


# --- Accuracy ------------------------------------------------------------------------------------


def four_at_a_time(_: str, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """np.einsum's sum of rows where NumPy has no vectors, as on s390x."""
    total = np.zeros(x.shape[:-1], x.dtype)
    whole = (x.shape[-1] - 1) // 4 * 4
    for i in range(0, whole, 4):
        total += (x[..., i] + x[..., i + 1]) + (x[..., i + 2] + x[..., i + 3])
    for i in range(whole, x.shape[-1]):
        total += x[..., i]
    return total


@functools.cache
def not_shifted(format_name: str) -> list[tuple[str, Any, Any, Any]]:
    """Each case, its rows, which of them `fast` does not shift, and their exact softmax."""
    format, found = FORMATS[format_name], []
    for case in CASES:
        for batch in case.batches(format):
            # Of a million numbers every tenth row: those beside it are of the same kind.
            rows = batch.x[:: 1 + 9 * (batch.x.size >= 10**6)]
            facts = RowFacts(rows, format, np.zeros(len(rows), np.intp))
            with np.errstate(invalid="ignore"):  # a signalling NaN is cast
                plain = bounds.fast.unshifted(facts).ravel()
            found.append((case.name, rows, plain, exact_softmax(rows[plain])))
    return found


@pytest.mark.parametrize("processor", ["this one", "without vectors"])
@pytest.mark.parametrize("format_name", ["fp32", "fp64"])
def test_softmax_of_the_harness_errs_by_8_ulp_at_most_where_it_does_not_shift(
    format_name: str, processor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if processor == "without vectors":
        monkeypatch.setattr(kernels.np, "einsum", four_at_a_time)
    compared = 0
    for case, rows, plain, exact in not_shifted(format_name):
        error = abs(fast_softmax(rows)[plain].astype(np.float64) - exact)
        # `exact` is half an ulp from the truth.
        assert (error <= 7.5 * np.spacing(exact).astype(np.float64)).all(), case
        compared += plain.sum()
    assert compared > 1000


# --- fp16 ----------------------------------------------------------------------------------------

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)


def test_every_fp16_is_widened_exactly() -> None:
    wide = half.widen(EVERY, np.empty(2**16, np.float32))
    expected = EVERY.astype(np.float32)
    assert (np.isnan(wide) == np.isnan(expected)).all()
    finite = ~np.isnan(expected)
    assert (bits(wide)[finite] == bits(expected)[finite]).all()


def test_narrowing_is_to_nearest() -> None:
    """All of fp16 from 0 to 1, the middle of neighbours and what is around it: exhaustive."""
    numbers = EVERY[: int(np.float16(1).view(np.uint16)) + 1].astype(np.float32)
    middles = (numbers[1:] + numbers[:-1]) / 2
    step = np.maximum(np.spacing(middles), np.float32(2.0**-37))  # of subnormal numbers, scaled
    below, above = middles - step, middles + step
    for x in (numbers, below, above):
        out = np.empty(x.shape, np.float16)
        half.narrow(x.copy(), out)
        assert (bits(out) == bits(x.astype(np.float16))).all()
    out = np.empty(middles.shape, np.float16)
    half.narrow(middles.copy(), out)
    assert (bits(out) == bits(above.astype(np.float16))).all()


def test_narrowing_a_negated_number() -> None:
    x = np.array([0.0, 1.5, 65504.0, 65519.0, 65520.0, 1e30, np.inf, 2.0**-26], np.float32)
    out = np.empty(x.shape, np.float16)
    half.narrow_negated(x.copy(), out)
    with np.errstate(over="ignore"):
        expected = np.where(x == 0, 0, -x).astype(np.float16)
    expected[-1] = 0
    assert (bits(out) == bits(expected)).all()


# --- Memory --------------------------------------------------------------------------------------


@operations
@format_names
@pytest.mark.parametrize("length", [1, 5, 64, 256, 600, 50_257, LONG + 700])
def test_no_full_size_temporary(operation: str, format_name: str, length: int) -> None:
    """Beyond the result at most 1 MiB, for rows of every kind."""
    dtype = FORMATS[format_name].dtype
    x = batch(format_name, length, rows=max(7, 2 * BLOCK_AND_ROOM // length // dtype.itemsize))
    f: Function = getattr(METHODS["fast"], operation)
    given = arguments(operation, x, np.zeros(len(x), np.intp))
    f(*given)
    tracemalloc.start()
    result = f(*given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - result.nbytes <= BLOCK_AND_ROOM


# --- Threads -------------------------------------------------------------------------------------


def test_concurrent_calls_have_the_same_bits() -> None:
    arrays = [batch(name, length, rows=300) for name in FORMATS for length in (5, 64, 600)]
    expected = [bits(fast_softmax(x)) for x in arrays]

    def check(_: int) -> bool:
        return all(
            (bits(fast_softmax(x, workers=2)) == right).all()
            for x, right in zip(arrays, expected, strict=True)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(24)))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_exception_leaves_no_thread_and_no_setting(
    error: type[BaseException], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(10**6))

    def failing(x: Any, out: Any, room: Any) -> None:
        time.sleep(0.001)
        if next(calls) == 3:
            raise error("on the way")

    monkeypatch.setattr(kernels, "softmax", failing)
    before = threading.active_count(), np.getbufsize(), np.geterr()
    with pytest.raises(error, match="on the way"):
        fast_softmax(np.broadcast_to(0.0, (100_000, 600)), workers=workers)
    assert (threading.active_count(), np.getbufsize(), np.geterr()) == before
    assert next(calls) < 100  # of 500 blocks: the others stopped as well


ROWS = np.broadcast_to(0.0, (100_000, 600))
"""500 blocks."""


@pytest.mark.parametrize("workers", [2, 4])
def test_ctrl_c_does_not_wait_for_all_blocks(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the thread that waits for the others which is interrupted."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    calls = iter(range(10**6))

    def interrupted(x: Any, out: Any, room: Any) -> None:
        time.sleep(0.001)
        if next(calls) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(kernels, "softmax", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            fast_softmax(ROWS, workers=workers)
    finally:
        signal.signal(signal.SIGINT, before)
    assert next(calls) < 250


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_work_at_the_same_time(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the others: one after the other, they would never get on."""
    together = threading.Barrier(workers, timeout=30)
    met: set[int] = set()

    def waiting(x: Any, out: Any, room: Any) -> None:
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            together.wait()

    monkeypatch.setattr(kernels, "softmax", waiting)
    fast_softmax(ROWS, workers=workers)
    assert len(met) == workers


@pytest.mark.parametrize(("blocks", "workers", "expected"), [(1, 4, []), (2, 4, [2]), (9, 4, [4])])
def test_there_are_no_more_threads_than_blocks(
    blocks: int, workers: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def pool(count: int) -> ThreadPoolExecutor:
        started.append(count)
        return ThreadPoolExecutor(count)

    monkeypatch.setattr(stream, "ThreadPoolExecutor", pool)
    heights: list[int] = []
    monkeypatch.setattr(kernels, "softmax", lambda x, out, room: heights.append(len(x)))
    fast_softmax(ROWS, workers=None)
    of_block, started[:] = heights[0], []
    fast_softmax(ROWS[: of_block * blocks], workers=workers)
    assert started == expected


def test_settings_are_those_of_before() -> None:
    with np.errstate(all="raise"):
        before = np.setbufsize(4096)
        try:
            fast_softmax(batch("fp32", 600))
            assert np.getbufsize() == 4096
            assert np.geterr()["over"] == "raise"
        finally:
            np.setbufsize(before)


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty((2, 4)), ValueError, r"out must have shape \(2, 3\), not \(2, 4\)"),
        (np.empty((2, 3), np.float32), TypeError, "out must have dtype float64, not float32"),
        ([[0.0] * 3] * 2, TypeError, "out must be an array, not list"),
        (np.broadcast_to(0.0, (2, 3)), ValueError, "out is read-only"),
    ],
)
def test_a_wrong_out_is_named(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fast_softmax(np.zeros((2, 3)), out=out)


@pytest.mark.parametrize("workers", [0, -10_000])
def test_wrong_workers_are_named(workers: int) -> None:
    with pytest.raises(ValueError, match=f"workers must be positive, .*not {workers}"):
        fast_log_sum_exp(np.zeros((2, 3)), workers=workers)
    with pytest.raises(TypeError):
        fast_cross_entropy(np.zeros((2, 3)), 1, workers=1.5)  # type: ignore[arg-type]


def test_workers_count_as_in_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.os, "cpu_count", lambda: 4)
    assert [stream._number_of(n) for n in (1, 7, -1, -4)] == [1, 7, 4, 1]


@format_names
@pytest.mark.parametrize("rows", [1, 1000, 100_000])
def test_the_softmax_of_one_logit_is_one(format_name: str, rows: int) -> None:
    x = np.linspace(-50, 50, rows).astype(FORMATS[format_name].dtype)[:, np.newaxis]
    assert (fast_softmax(x) == 1).all()
