"""Right results that take far too long for some rows, sizes or axes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tests.bench.planted.planting import Planted


def _softmax(x: Any, axis: int = -1) -> Any:
    """Two lines of NumPy: fast enough that what is slow beside it can be seen."""
    with np.errstate(all="ignore"):
        e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
        return e / e.sum(axis=axis, keepdims=True)


def _wait(nanoseconds: float) -> None:
    time.sleep(nanoseconds * 1e-9)


def is_slow_on_masks(x: Any, axis: int = -1) -> Any:
    _wait(400 * np.isneginf(x).sum())
    return _softmax(x, axis)


def is_slow_on_subnormal_results(x: Any, axis: int = -1) -> Any:
    out = _softmax(x, axis)
    _wait(200 * ((out > 0) & (out < np.finfo(out.dtype).smallest_normal)).sum())
    return out


def is_slow_on_equal_rows(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.size and x.max() == x.min():
        _wait(200 * x.size)
    return _softmax(x, axis)


def is_slow_over_another_axis(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if axis not in (-1, x.ndim - 1):
        _wait(200 * x.size)
    return _softmax(x, axis)


def is_slow_in_another_order(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if not x.flags.c_contiguous:
        _wait(200 * x.size)
    return _softmax(x, axis)


def is_slow_on_large_arrays(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.size > 2**19:
        _wait(200 * x.size)
    return _softmax(x, axis)


def is_slow_on_vocabularies(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.shape[axis] > 40000:
        _wait(200 * x.size)
    return _softmax(x, axis)


def is_slow_far_from_0(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x)
    if x.size and np.abs(x.flat[0]) > 90:
        _wait(200 * x.size)
    return _softmax(x, axis)


SLOW: tuple[Planted, ...] = (
    Planted(is_slow_on_masks, "softmax", "funes#160", "slow on masked rows",
            r"masked rows take .* times as long", found_by="time by kind of row"),
    Planted(is_slow_on_subnormal_results, "softmax", "funes#160", "slow on subnormal results",
            r"subnormal results take .* times as long", found_by="time by kind of row"),
    Planted(is_slow_on_equal_rows, "softmax", "kind: slow paths", "slow on equal rows",
            r"equal rows take .* times as long", found_by="time by kind of row"),
    Planted(is_slow_over_another_axis, "softmax", "pytorch#34728", "slow over axis 0",
            r"axis 0 takes .* times as long", found_by="time by kind of row"),
    Planted(is_slow_in_another_order, "softmax", "numpy#15545", "slow in F order",
            r"F order takes .* times as long", found_by="time by kind of row"),
    Planted(is_slow_on_large_arrays, "softmax", "scipy#23670", "slow from 2^19 numbers on",
            r"2\^\d+ numbers take .* times as long", found_by="time by kind of row"),
    Planted(is_slow_on_vocabularies, "softmax", "pytorch#64236", "slow for long rows",
            r"rows of 50,257 take .* times as long", found_by="time by kind of row"),
    Planted(is_slow_far_from_0, "softmax", "kind: slow paths", "slow far from 0",
            r"shifted rows take .* times as long", found_by="time by kind of row"),
)  # fmt: skip
