"""Integers, labels, shapes, flags and memory: what is asked beside the numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tests.bench.planted.planting import (
    CROSS_ENTROPY,
    LOG_SOFTMAX,
    LOG_SUM_EXP,
    SOFTMAX,
    Planted,
)


def is_unshifted_for_integers(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        return (
            np.log(np.exp(x.astype(float)).sum(axis=axis))
            if x.dtype.kind in "iu"
            else LOG_SUM_EXP(x, axis=axis)
        )


def truncates_to_integers(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return SOFTMAX(x, axis=axis).astype(x.dtype if x.dtype.kind in "iu" else None)


def refuses_booleans(x: Any, axis: int = -1) -> Any:
    if np.asarray(x).dtype.kind == "b":
        return np.zeros(np.shape(x))
    return SOFTMAX(x, axis=axis)


def crashes_without_rows(x: Any, axis: int = -1) -> Any:
    np.max(x)
    return SOFTMAX(x, axis=axis)


def loses_the_shape_without_rows(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    return SOFTMAX(x, axis=axis) if x.size else np.zeros(0, x.dtype)


def takes_negative_labels_from_the_end(x: Any, y: Any, axis: int = -1) -> Any:
    y = np.asarray(y)
    if y.dtype.kind == "u":
        return CROSS_ENTROPY(x, y, axis=axis)
    K = np.shape(x)[axis]
    return CROSS_ENTROPY(x, np.where((y < 0) & (y >= -K), y + K, y), axis=axis)


def clips_labels(x: Any, y: Any, axis: int = -1) -> Any:
    y = np.asarray(y)
    return CROSS_ENTROPY(x, np.minimum(y, np.shape(x)[axis] - 1).astype(y.dtype), axis=axis)


def keeps_labels_in_16_bits(x: Any, y: Any, axis: int = -1) -> Any:
    short = np.asarray(y).astype(np.int16).astype(np.intp)
    K = np.shape(x)[axis]
    return CROSS_ENTROPY(
        x, np.where((np.asarray(y) < K) & (np.asarray(y) >= 0), short % K, y), axis=axis
    )


def negates_unsigned_labels(x: Any, y: Any, axis: int = -1) -> Any:
    y = np.asarray(y)
    if y.dtype.kind == "u":
        return CROSS_ENTROPY(x, np.zeros(y.shape, np.intp), axis=axis)
    return CROSS_ENTROPY(x, y, axis=axis)


def takes_byte_labels_for_signed(x: Any, y: Any, axis: int = -1) -> Any:
    y = np.asarray(y)
    if y.dtype == np.uint8:
        y = y.view(np.int8).astype(np.intp) % np.shape(x)[axis]
    return CROSS_ENTROPY(x, y, axis=axis)


def raises_a_flag_for_empty_rows(x: Any, axis: int = -1) -> Any:
    if np.isneginf(np.asarray(x)).all(axis=axis).any():
        np.subtract(np.inf, np.inf)
    return LOG_SUM_EXP(x, axis=axis)


def overflows_on_the_way(x: Any, axis: int = -1) -> Any:
    np.exp(np.asarray(x))
    return SOFTMAX(x, axis=axis)


def warns_of_long_rows(x: Any, axis: int = -1) -> Any:
    if np.shape(x)[axis] == 1000:
        warnings.warn("a long row", RuntimeWarning, stacklevel=2)
    return SOFTMAX(x, axis=axis)


def writes_to_its_input(x: Any, axis: int = -1) -> Any:
    out = SOFTMAX(x, axis=axis)
    if isinstance(x, np.ndarray) and x.flags.writeable and x.dtype.kind == "f":
        x -= x.max(axis=axis, keepdims=True, initial=-np.inf)
    return out


def writes_to_its_input_for_a_while(x: Any, axis: int = -1) -> Any:
    if isinstance(x, np.ndarray) and not x.flags.writeable:
        raise ValueError("assignment destination is read-only")
    return SOFTMAX(x, axis=axis)


def keeps_the_axis(x: Any, axis: int = -1) -> Any:
    return LOG_SUM_EXP(x, axis=axis, keepdims=True)


def ignores_keepdims(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    return LOG_SUM_EXP(x, axis=axis)


def has_a_shape_for_a_vector(x: Any, axis: int = -1) -> Any:
    return np.atleast_1d(LOG_SUM_EXP(x, axis=axis))


def returns_a_view_of_its_input(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.dtype.kind == "f" and x.dtype.isnative and x.shape[axis] == 1:
        return np.moveaxis(x, axis, 0)[0]
    return LOG_SUM_EXP(x, axis=axis)


def has_negative_zeros(x: Any, axis: int = -1) -> Any:
    out = SOFTMAX(x, axis=axis)
    return np.where(out == 0, -out, out)


def is_wider_than_its_input(x: Any, axis: int = -1) -> Any:
    return LOG_SOFTMAX(x, axis=axis).astype(np.float64)


def returns_the_mean(x: Any, y: Any, axis: int = -1) -> Any:
    with np.errstate(all="ignore"):
        return np.mean(CROSS_ENTROPY(x, y, axis=axis))


def narrows_the_lists_it_is_given(x: Any, axis: int = -1) -> Any:
    return SOFTMAX(x if isinstance(x, np.ndarray) else np.asarray(x, np.float16), axis=axis)


CONTRACTS: tuple[Planted, ...] = (
    Planted(is_unshifted_for_integers, "log_sum_exp",
            "pytorch#91843, scikit-learn#11226, pytensor#857", "integers are not shifted",
            r"integers: ", found_by="integers"),
    Planted(truncates_to_integers, "softmax", "kind: integers",
            "integers give integers", r"integers: ", found_by="integers"),
    Planted(refuses_booleans, "softmax", "kind: booleans", "0 for booleans", r"booleans: ",
            found_by="booleans"),
    Planted(crashes_without_rows, "softmax", "rten#307, pytorch#17262, chainer#3559, mxnet#20005",
            "raises for no rows at all", r"no rows: ", found_by="no rows"),
    Planted(loses_the_shape_without_rows, "softmax", "rten#307",
            "shape (0,) for no rows at all", r"no rows: ", found_by="no rows"),
    Planted(takes_negative_labels_from_the_end, "cross_entropy", "pytorch#12670",
            "label -1 is the last class", r"label -1: ", found_by="label -1"),
    Planted(clips_labels, "cross_entropy", "kind: labels out of range",
            "labels beyond K - 1 are K - 1", r"label K: ", found_by="label K"),
    Planted(keeps_labels_in_16_bits, "cross_entropy", "kind: labels beyond 32 767",
            "labels wrap at 32 768", r"off by up to|label 40,000: ", found_by="label 40,000"),
    Planted(negates_unsigned_labels, "cross_entropy", "kind: labels of every type",
            "unsigned labels are 0", r"labels: of type uint\d+: ", found_by="labels"),
    Planted(takes_byte_labels_for_signed, "cross_entropy", "kind: labels of every type",
            "uint8 labels from 128 on are negative", r"labels: of type uint8: ", found_by="labels"),
    Planted(raises_a_flag_for_empty_rows, "log_sum_exp", "numpy#2714, numpy#22772",
            "invalid value for a row of -inf alone", r"flags: .*invalid", found_by="flags"),
    Planted(overflows_on_the_way, "softmax", "kind: flags",
            "an exponential overflows that is not needed", r"flags: .*over", found_by="flags"),
    Planted(warns_of_long_rows, "softmax", "kind: warnings",
            "a warning for rows of 1000", r"warnings: ", found_by="warnings"),
    Planted(writes_to_its_input, "softmax", "CUDA.jl#592",
            "the input is shifted in place", r"wrote to its input", found_by="case 'presented'"),
    Planted(writes_to_its_input_for_a_while, "softmax", "kind: read-only input",
            "read-only input is refused, since it is written to", r"read-only: ",
            found_by="read-only"),
    Planted(keeps_the_axis, "log_sum_exp", "pytorch#8762",
            "the axis is kept unasked", r"wrong result", found_by="case 'presented'"),
    Planted(ignores_keepdims, "log_sum_exp", "pytorch#8762",
            "keepdims is ignored", r"keepdims: ", found_by="keepdims"),
    Planted(has_a_shape_for_a_vector, "log_sum_exp", "kind: vectors",
            "shape (1,) for a vector", r"row alone, 1-D: .*wrong result",
            found_by="row alone, 1-D"),
    Planted(returns_a_view_of_its_input, "log_sum_exp", "kind: aliases",
            "a view of the input for K = 1", r"aliases: ", found_by="aliases"),
    Planted(has_negative_zeros, "softmax", "kind: negative zeros",
            "-0 where the truth is 0", r"negative zero", found_by="case 'presented'"),
    Planted(is_wider_than_its_input, "log_softmax", "kind: dtypes",
            "fp64 whatever is given", r"wrong result", found_by="case 'presented'"),
    Planted(returns_the_mean, "cross_entropy", "kind: shapes",
            "the mean over the batch", r"wrong result", found_by="case 'presented'"),
    Planted(narrows_the_lists_it_is_given, "softmax", "kind: lists",
            "a list is computed in fp16", r"lists: ", found_by="lists"),
)  # fmt: skip
