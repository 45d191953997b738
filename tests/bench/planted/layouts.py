"""Right for rows passed plainly, wrong for the same rows in another order, axis, batch or turn."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np

from tests.bench.planted.planting import LOG_SUM_EXP, SOFTMAX, Planted, on_rows


@on_rows
def leaves_the_last_rows_of_a_large_array(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.size > 2**17:
        out[-3:] = 0
    return out


def leaves_the_end_of_a_very_large_array(x: Any, axis: int = -1) -> Any:
    out = SOFTMAX(x, axis=axis)
    out.reshape(-1)[2**21 :] = 0
    return out


def is_1_over_the_first_of_three_axes(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.ndim == 3 and axis == 0 and x.shape[1:] == (1, 1):
        return np.ones_like(x)
    return SOFTMAX(x, axis=axis)


def is_unshifted_unless_last(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if axis in (-1, x.ndim - 1):
        return SOFTMAX(x, axis=axis)
    with np.errstate(all="ignore"):
        overflows = np.isinf(np.exp(x).max(axis=axis, keepdims=True))
    return np.where(overflows, np.nan, SOFTMAX(x, axis=axis)).astype(x.dtype)


def reads_memory_in_storage_order(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.ndim == 2 and x.flags.f_contiguous and not x.flags.c_contiguous:
        x = x.ravel(order="K").reshape(x.shape)
    return SOFTMAX(x, axis=axis)


def flattens_the_axes_from_axis_on(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    first = axis % x.ndim
    return SOFTMAX(x, axis=tuple(range(first, x.ndim)))


def takes_the_middle_axis_for_the_last(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return SOFTMAX(x, axis=-1 if x.ndim == 3 and axis == 1 else axis)


def knows_no_axis_from_the_front(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    last = axis == x.ndim - 1 and x.ndim > 1
    return SOFTMAX(x, axis=0 if last else axis)


def ignores_strides(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.ndim == 2 and x.size and x.strides[1] == 2 * x.itemsize:
        x = np.lib.stride_tricks.as_strided(x, x.shape, (x.strides[0], x.itemsize))
    return SOFTMAX(x, axis=axis)


def ignores_the_sign_of_strides(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return SOFTMAX(x[:, ::-1] if x.ndim == 2 and x.strides[1] < 0 else x, axis=axis)


def takes_bytes_as_they_are(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return SOFTMAX(x.view(x.dtype.newbyteorder("=")) if not x.dtype.isnative else x, axis=axis)


def gives_zeros_for_read_only_input(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    out = SOFTMAX(x, axis=axis)
    return out if x.flags.writeable else np.zeros_like(out)


def sums_over_the_batch_in_one_row_alone(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return np.ones_like(x) if x.ndim == 1 else SOFTMAX(x, axis=axis)


@on_rows
def is_0_for_a_batch_of_one(x: Any) -> Any:
    return np.zeros_like(x) if len(x) == 1 else SOFTMAX(x)


@on_rows
def takes_the_max_of_the_batch(x: Any) -> Any:
    out = SOFTMAX(x)
    if not x.size:
        return out
    with np.errstate(invalid="ignore"):
        out[x.max(axis=1) < np.max(x[np.isfinite(x)], initial=-np.inf) - 100] = np.nan
    return out


@on_rows
def copies_a_row_of_a_remainder(x: Any) -> Any:
    out = SOFTMAX(x)
    if len(x) % 4 == 3:
        out[-1] = out[-2]
    return out


@on_rows
def ends_at_the_limit_of_a_grid(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    out[65535:] = 0
    return out


@on_rows
def is_poisoned_by_its_neighbour(x: Any) -> Any:
    out = SOFTMAX(x)
    bad = np.isnan(x).any(axis=1)
    out[1:][bad[:-1]] = np.nan
    return out


@on_rows
def returns_the_max_beside_an_empty_row(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    if np.isneginf(x).all(axis=1).any():
        return np.where(np.isfinite(out), x.max(axis=1), out)
    return out


_KEPT: dict[Any, Any] = {}


def returns_a_buffer_of_its_own(x: Any, axis: int = -1) -> Any:
    out = SOFTMAX(x, axis=axis)
    buffer = _KEPT.setdefault((out.shape, out.dtype), np.empty_like(out))
    buffer[...] = out
    return buffer


_SCRATCH: dict[Any, Any] = {}


def shares_scratch_between_threads(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    scratch = _SCRATCH.setdefault((x.shape, x.dtype), np.empty_like(x))
    scratch[...] = x
    time.sleep(1e-6)
    return SOFTMAX(scratch, axis=axis)


_CALLS: Counter[str] = Counter()


def fails_after_500_calls(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    _CALLS["count"] += x.shape == (1, 3)
    out = SOFTMAX(x, axis=axis)
    return out * x.dtype.type(1.25) if _CALLS["count"] > 500 else out


_SEEN: dict[Any, Any] = {}


def remembers_by_shape_and_first_logit(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    key = (x.shape, x.dtype.str, axis, float(x.flat[0]) if x.size else 0.0)
    if key not in _SEEN:
        _SEEN[key] = SOFTMAX(x, axis=axis)
    return _SEEN[key].copy()


def has_another_last_bit_each_time(x: Any, axis: int = -1) -> Any:
    out = np.asarray(SOFTMAX(x, axis=axis))
    noise = np.random.default_rng().random(out.shape) < 0.01
    return np.where(noise & (out > 0) & (out < 1), np.nextafter(out, out.dtype.type(0)), out)


@on_rows
def ends_at_8192_rows(x: Any) -> Any:
    out = SOFTMAX(x)
    out[8192:] = out[:1]
    return out


LAYOUTS: tuple[Planted, ...] = (
    Planted(leaves_the_last_rows_of_a_large_array, "softmax",
            "pytorch#84144, llama.cpp#5639, onnxruntime#32299, tensorflow#61639, jax#40409",
            "the last three rows of more than 2^17 numbers are 0", r"lost to zero",
            found_by="case 'presented, long'"),
    Planted(leaves_the_end_of_a_very_large_array, "softmax", "kind: large arrays",
            "numbers after the first 2^21 are 0", r"lost to zero", found_by="2^22 numbers"),
    Planted(is_1_over_the_first_of_three_axes, "softmax", "xla#11772",
            "axis 0 of shape (K, 1, 1) gives 1", r"first of three axes.*: off by up to",
            found_by="first of three axes, beside axes of 1"),
    Planted(is_unshifted_unless_last, "softmax", "pytorch#158310",
            "unshifted where the axis is not the last", r"axis 0.*: [\d,]+ NaN", found_by="axis 0"),
    Planted(reads_memory_in_storage_order, "softmax", "burn#4815, rocm-libraries#11387",
            "a transposed array is read in storage order", r"F order: off by up to",
            found_by="F order"),
    Planted(flattens_the_axes_from_axis_on, "softmax",
            "tvm#19420, tvm#20183, openvino#37823, onnx-mlir#832",
            "all axes from `axis` on are one", r"middle of three axes: off by up to",
            found_by="middle of three axes"),
    Planted(takes_the_middle_axis_for_the_last, "softmax", "kind: axes",
            "axis 1 of three is taken for the last", r"middle of three axes: off by up to",
            found_by="middle of three axes"),
    Planted(knows_no_axis_from_the_front, "softmax", "kind: axes",
            "axis = ndim - 1 is taken for the first", r"axis counted from the front: off by up to",
            found_by="axis counted from the front"),
    Planted(ignores_strides, "softmax", "kind: strides",
            "a view of every other column is read as if it were whole", r"strided: off by up to",
            found_by="strided"),
    Planted(ignores_the_sign_of_strides, "softmax", "kind: strides",
            "a reversed view is read forwards", r"reversed: off by up to", found_by="reversed"),
    Planted(takes_bytes_as_they_are, "softmax", "kind: byte order",
            "numbers of the other byte order are read as they lie", r"other byte order: ",
            found_by="other byte order"),
    Planted(gives_zeros_for_read_only_input, "softmax", "kind: read-only input",
            "0 for read-only input", r"read-only: .*lost to zero", found_by="read-only"),
    Planted(sums_over_the_batch_in_one_row_alone, "softmax", "kind: vectors",
            "1 for a vector", r"row alone, 1-D: off by up to", found_by="row alone, 1-D"),
    Planted(is_0_for_a_batch_of_one, "softmax", "torch/nn#1089",
            "0 for a batch of one", r"lost to zero", found_by="case 'small magnitudes'"),
    Planted(takes_the_max_of_the_batch, "softmax", "delta#165",
            "rows 100 below the largest of the batch are NaN", r"NaN in ordinary rows",
            found_by="case 'presented'"),
    Planted(copies_a_row_of_a_remainder, "softmax", "kind: remainders of rows",
            "the last of 4n + 3 rows is that before it", r"7 rows: (off by up to|.*to zero)",
            found_by="7 rows"),
    Planted(ends_at_the_limit_of_a_grid, "log_sum_exp", "kind: limits of a grid",
            "rows from 65 535 on are 0", r"70,000 rows: .*lost to zero", found_by="70,000 rows"),
    Planted(is_poisoned_by_its_neighbour, "softmax", "kind: neighbours",
            "a row after one with NaN is NaN", r"NaN in ordinary rows",
            found_by="case 'presented, special'"),
    Planted(returns_the_max_beside_an_empty_row, "log_sum_exp", "ArviZ",
            "the largest logit for every row of a batch that holds a row of -inf alone",
            r"off by up to .* in ordinary rows", found_by="case 'presented, special'"),
    Planted(returns_a_buffer_of_its_own, "softmax", "kind: aliases",
            "a result is overwritten by the next one", r"result kept.*: ",
            found_by="result kept while the next is computed"),
    Planted(shares_scratch_between_threads, "softmax", "kind: threads",
            "scratch memory is shared by all threads", r"four threads: ", found_by="four threads"),
    Planted(fails_after_500_calls, "softmax", "kind: many calls",
            "wrong from the 501st small call on", r"many times: off by up to",
            found_by="many times"),
    Planted(remembers_by_shape_and_first_logit, "softmax", "kind: memory of earlier calls",
            "results are kept by shape and first logit", r"off by up to",
            found_by="after other rows"),
    Planted(has_another_last_bit_each_time, "softmax", "kind: chance",
            "one output in a hundred has another last bit each time",
            r"twice in a row: other bits", found_by="twice in a row"),
    Planted(ends_at_8192_rows, "softmax", "kind: limits of a grid",
            "rows from 8192 on are the first one", r"70,000 rows: .*off by up to",
            found_by="70,000 rows"),
)  # fmt: skip
