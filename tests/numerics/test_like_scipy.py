"""SciPy's own checks of softmax and log_softmax, restated for our methods.

What they check: values, axes, tuples of axes, axis=None, integer and list input, translation,
extreme rows. Their bare tolerances are replaced by equality of bits, or by the number of ulp that
the bounds of these methods allow on such short rows of small numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numerics import METHODS, Method

CHOSEN = pytest.mark.parametrize(
    "method", [METHODS[name] for name in ("stable", "log1p", "compensated")], ids=lambda m: m.name
)


def within_ulp(got: Any, expected: Any, ulp: int) -> None:
    expected = np.asarray(expected, np.float64)
    np.testing.assert_array_max_ulp(np.asarray(got), expected, maxulp=ulp)


@CHOSEN
def test_softmax_values(method: Method) -> None:
    softmax = method.softmax
    assert softmax([1000, 0, 0, 0]).tolist() == [1, 0, 0, 0]
    assert softmax([1, 1]).tolist() == [0.5, 0.5]
    e = np.exp(1.0)
    within_ulp(softmax([0, 1]), np.array([1, e]) / (1 + e), 6)
    within_ulp(softmax(np.arange(4)), np.exp(np.arange(4.0)) / np.exp(np.arange(4.0)).sum(), 12)
    assert softmax([[1000, 0], [1000, 0]]).tolist() == [[1, 0], [1, 0]]
    assert softmax([[1.0, -1e300], [1e300, 0.0]]).tolist() == [[1, 0], [1, 0]]


@CHOSEN
def test_softmax_is_invariant_under_translation(method: Method) -> None:
    x = np.arange(4)
    assert (method.softmax(x + 100) == method.softmax(x)).all()
    assert (method.softmax(x - 2**40) == method.softmax(x)).all()


@CHOSEN
def test_axes(method: Method) -> None:
    x = np.array([[-25.0, 0, 25], [1.0, 2, 0.5]])
    for function in (method.softmax, method.log_softmax):
        assert (function(x, axis=1) == np.stack([function(row) for row in x])).all()
        assert (function(x, axis=0) == np.stack([function(col) for col in x.T], axis=1)).all()
        assert (function(x, axis=None) == function(x.ravel()).reshape(x.shape)).all()
        cube = x.reshape(2, 1, 3)
        assert (function(cube, axis=(0, 2)) == function(x, axis=None).reshape(cube.shape)).all()
        assert (function(cube, axis=(1, 2)) == function(x).reshape(cube.shape)).all()


@CHOSEN
def test_sums_to_one_along_any_axis(method: Method) -> None:
    x = np.random.default_rng(1).normal(size=(3, 4, 5))
    for axis in (0, 1, 2, (0, 1), (1, 2), None):
        total = method.softmax(x, axis=axis).sum(axis=axis)
        # Each output within 32 u of itself (gap < 8, K <= 60), and 10 roundings to add them.
        assert (abs(total - 1) <= 42 * 2.0**-53).all()


@CHOSEN
def test_log_softmax_values(method: Method) -> None:
    log_softmax = method.log_softmax
    assert log_softmax(np.array([1000, 1])).tolist() == [0, -999]
    x = np.arange(4)
    expected = x - np.log(np.exp(x.astype(float)).sum())
    within_ulp(log_softmax(x), expected, 12)
    assert (log_softmax(x + 100) == log_softmax(x)).all()
    assert log_softmax([1e300, 0.0]).tolist() == [0.0, -1e300]


@CHOSEN
def test_scalars_and_empty_batches(method: Method) -> None:
    assert method.softmax(1.0, axis=None) == 1.0
    assert method.log_softmax(1.0, axis=None) == 0.0
    assert method.log_softmax(np.zeros((0, 3))).shape == (0, 3)


@CHOSEN
def test_equal_rows(method: Method) -> None:
    for length in (1, 2, 5, 12):
        within_ulp(method.log_softmax(np.zeros(length)), np.full(length, -np.log(length)), 1)
