"""Rows with NaN, +inf or nothing but -inf: another policy than ours, or ours not everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.bench.planted.planting import (
    CROSS_ENTROPY,
    LOG_SOFTMAX,
    LOG_SUM_EXP,
    SOFTMAX,
    Planted,
    on_labelled_rows,
    on_rows,
)


def _without_nan(x: Any) -> Any:
    return np.where(np.isnan(x), -np.inf, x)


@on_rows
def drops_nan_in_long_rows(x: Any) -> Any:
    return SOFTMAX(_without_nan(x) if x.shape[1] >= 16 else x)


@on_rows
def drops_nan(x: Any) -> Any:
    return SOFTMAX(_without_nan(x))


@on_rows
def drops_nan_at_the_end(x: Any) -> Any:
    x = x.copy()
    x[np.isnan(x[:, -1]) & ~np.isnan(x[:, :-1]).any(axis=1), -1] = -np.inf
    return LOG_SUM_EXP(x)


@on_rows
def keeps_nan_to_itself(x: Any) -> Any:
    return np.where(np.isnan(x), np.nan, SOFTMAX(_without_nan(x)))


@on_rows
def is_nan_at_infinity_alone(x: Any) -> Any:
    out = SOFTMAX(x)
    inf = np.isposinf(x).any(axis=1) & ~np.isnan(x).any(axis=1)
    out[inf] = np.where(np.isposinf(x[inf]), np.nan, 0)
    return out


@on_rows
def is_one_hot_at_infinity_in_long_rows(x: Any) -> Any:
    out = SOFTMAX(x)
    inf = np.isposinf(x).any(axis=1) & ~np.isnan(x).any(axis=1) & (x.shape[1] > 500)
    out[inf] = np.isposinf(x[inf]) / np.isposinf(x[inf]).sum(axis=1, keepdims=True)
    return out


@on_rows
def is_0_for_long_empty_rows(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.shape[1] >= 128:
        out[np.isneginf(x).all(axis=1)] = 0
    return out


@on_rows
def is_nan_for_empty_rows(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    out[np.isneginf(x).all(axis=1)] = np.nan
    return out


@on_rows
def is_0_for_empty_sums(x: Any) -> Any:
    return np.where(np.isneginf(x).all(axis=1), 0, LOG_SUM_EXP(x))


def depends_on_the_axis_for_empty_rows(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    out = SOFTMAX(x, axis=axis)
    if axis == 0 and x.ndim == 2:
        return np.where(np.isneginf(x).all(axis=0), np.nan, out).astype(out.dtype)
    return out


@on_labelled_rows
def is_0_where_the_loss_is_nan(x: Any, y: Any) -> Any:
    return np.nan_to_num(CROSS_ENTROPY(x, y), nan=0.0, posinf=np.inf)


@on_rows
def is_uniform_to_three_digits(x: Any) -> Any:
    out = SOFTMAX(x)
    empty = np.isneginf(x).all(axis=1)
    out[empty] *= x.dtype.type(1.001)
    return out


SPECIAL: tuple[Planted, ...] = (
    Planted(drops_nan_in_long_rows, "softmax", "numpy#13400, flashinfer#4401",
            "NaN is dropped from K = 16 on", r"rows with NaN: .*dropped",
            found_by="case 'presented, special'"),
    Planted(drops_nan, "softmax", "TensorFlow, OpenVINO",
            "NaN is dropped", r"rows with NaN: dropped", found_by="case 'presented, special'"),
    Planted(drops_nan_at_the_end, "log_sum_exp", "kind: place of NaN",
            "NaN in the last place is dropped", r"rows with NaN: .*dropped",
            found_by="case 'presented, special'"),
    Planted(keeps_nan_to_itself, "softmax", "kind: policy for NaN",
            "NaN where the logit is NaN, and nowhere else", r"rows with NaN: NaN itself alone",
            found_by="case 'presented, special'"),
    Planted(is_nan_at_infinity_alone, "softmax", "openvino#35897, #36232, #33456",
            "NaN at +inf, 0 elsewhere", r"rows with \+inf: NaN at \+inf",
            found_by="case 'presented, special'"),
    Planted(is_one_hot_at_infinity_in_long_rows, "softmax", "kind: policy by length",
            "one-hot for +inf from K = 501 on", r"rows with \+inf: .*one-hot",
            found_by="case 'places of special logits'"),
    Planted(is_0_for_long_empty_rows, "softmax", "kind: policy by length",
            "0 for rows of -inf alone from K = 128 on", r"rows of -inf alone: .*zeros",
            found_by="case 'presented, special'"),
    Planted(is_nan_for_empty_rows, "log_softmax", "pytorch#55056, onnxruntime#28461",
            "NaN for rows of -inf alone", r"rows of -inf alone: NaN row",
            found_by="case 'presented, special'"),
    Planted(is_0_for_empty_sums, "log_sum_exp", "pytorch#134650",
            "0 for rows of -inf alone", r"rows of -inf alone: 0",
            found_by="case 'presented, special'"),
    Planted(depends_on_the_axis_for_empty_rows, "softmax", "kind: policy by axis",
            "NaN for columns of -inf alone", r"rows of -inf alone: .*NaN row", found_by="axis 0"),
    Planted(is_0_where_the_loss_is_nan, "cross_entropy", "kind: hidden NaN",
            "0 instead of NaN", r"rows with NaN: 0", found_by="case 'presented, special'"),
    Planted(is_uniform_to_three_digits, "softmax", "kind: policy of wrong digits",
            "rows of -inf alone give 1.001/K",
            r"off by up to .* in rows of -inf alone|rows of -inf alone: something else",
            found_by="case 'presented, special'"),
)  # fmt: skip
