"""The published policy, for every method but naive, and naive breaking as it breaks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.inputs.formats import FORMATS
from numerics import BF16, METHODS, OPERATIONS, Format, Method, naive_softmax
from numerics.method import arguments

INF, NAN = math.inf, math.nan
GUARDED = [method for method in METHODS.values() if method.name != "naive"]
CELLS = [
    pytest.param(method, FORMATS[name], id=f"{method.name}-{name}")
    for method in GUARDED
    for name in method.formats
    if name in FORMATS
]


def assert_equal(got: object, expected: object, format: Format) -> None:
    """Equal to the rounded constant, up to the rounding of a logarithm in fp64 (one ulp)."""
    if format == BF16:  # NumPy counts the ulps of its own formats
        codes = [np.asarray(value, format.dtype).view(np.int16) for value in (got, expected)]
        assert (abs(codes[0] - codes[1]) <= 1).all()
        return
    np.testing.assert_array_max_ulp(
        np.asarray(got), np.asarray(expected, format.dtype), maxulp=1, dtype=format.dtype.type
    )


@pytest.mark.parametrize(("method", "format"), CELLS)
def test_policy(method: Method, format: Format) -> None:
    nan, masked = [NAN] * 4, [-0.75, 0.25, 0.25, 0.25]
    rows = {
        "all -inf": ([-INF] * 4, [0.25] * 4, [-math.log(4)] * 4, -INF, math.log(4), masked),
        "nan": ([0.0, NAN, -INF, 1.0], nan, nan, NAN, NAN, nan),
        "nan and +inf": ([INF, NAN, 0.0, 0.0], nan, nan, NAN, NAN, nan),
        "+inf": ([INF, 0.0, -INF, 1.0], nan, nan, INF, NAN, nan),
    }
    x = np.array([row[0] for row in rows.values()]).astype(format.dtype)
    with np.errstate(all="raise"):
        got = [getattr(method, name)(*arguments(name, x, 0)) for name in OPERATIONS]
    for index, (_, *expected) in enumerate(rows.values()):
        for values, wanted in zip(got, expected, strict=True):
            assert_equal(values[index], wanted, format)


@pytest.mark.parametrize(("method", "format"), CELLS)
def test_policy_of_a_loss_whichever_label_and_whatever_row_beside_it(
    method: Method, format: Format
) -> None:
    for special in ([INF, 0.0, -INF, 1.0], [0.0, NAN, -INF, 1.0], [INF, NAN, 0.0, INF]):
        for rows in ([special], [special, [0.0, 1.0, 2.0, 3.0]]):
            x = np.array(rows).astype(format.dtype)
            for label in range(4):
                got = method.cross_entropy(x, label)
                assert np.isnan(got).tolist() == [True, False][: len(x)], (rows, label)


@pytest.mark.parametrize(("method", "format"), CELLS)
def test_minus_inf_is_exactly_zero_and_the_rest_is_as_if_it_were_absent(
    method: Method, format: Format
) -> None:
    x = np.array([1.0, -INF, 3.0, -INF, 2.0]).astype(format.dtype)
    p = method.softmax(x)
    assert method.softmax(x[:2]).tolist() == [1, 0]
    assert (p[[1, 3]] == 0).all()
    assert not np.signbit(p[[1, 3]]).any()
    assert np.isneginf(method.log_softmax(x)[[1, 3]]).all()
    assert method.cross_entropy(x, 1) == INF
    rest = x[[0, 2, 4]]
    assert (p[[0, 2, 4]] == method.softmax(rest)).all()
    assert method.log_sum_exp(x) == method.log_sum_exp(rest)
    equal = np.where(np.isfinite(x), x.dtype.type(0), x)  # their sum is exact in every order
    gradient = method.cross_entropy_gradient(equal, 1)
    assert gradient[1] == method.cross_entropy_gradient(x, 1)[1] == -1
    assert (np.delete(gradient, 1) == np.delete(method.softmax(equal), 1)).all()
    assert not np.signbit(method.cross_entropy_gradient(x[:2], 0)).any()  # [0, 0], and no -0


@pytest.mark.parametrize(("method", "format"), CELLS)
def test_no_warning_on_extreme_rows(method: Method, format: Format) -> None:
    big, tiny = format.largest, format.smallest_subnormal
    x = np.array([[big, -big, 0], [-big, -big, -big], [tiny, -tiny, 0]]).astype(format.dtype)
    with np.errstate(all="raise"):
        for name in OPERATIONS:
            for label in range(3):
                assert not np.isnan(getattr(method, name)(*arguments(name, x, label))).any()


@pytest.mark.parametrize(("method", "format"), CELLS)
def test_no_warning_on_subnormal_logits(method: Method, format: Format) -> None:
    # NumPy's exp and log1p of fp32 raise a flag there, though exp(x) is 1.
    tiny = format.smallest_subnormal
    for row in ([0.0, tiny], [tiny, 0.0, -tiny], [tiny, -1.0, 3 * tiny], [1e-3, tiny]):
        for x in (np.array(row, format.dtype), np.array([row] * 40, format.dtype)):
            labels = np.zeros(x.shape[:-1], np.intp)
            with np.errstate(all="raise"):
                for name in OPERATIONS:
                    getattr(method, name)(*arguments(name, x, labels))


def test_naive_breaks_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match=r"overflow|invalid"):
        assert np.isnan(naive_softmax(np.array([1.0, 92.0], np.float32))).any()


ALONE = {
    "all -inf": [-INF, -INF, -INF],
    "nan": [0.0, NAN, 1.0],
    "+inf": [INF, 0.0, 1.0],
    "nan and -inf": [-INF, NAN, -INF],
}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize(("method", "format"), CELLS)
def test_one_special_row_beside_one_ordinary_row(method: Method, format: Format, name: str) -> None:
    """Each kind by itself, first and last: no other special row may draw attention to it."""
    ordinary, special = [0.0, 1.0, -2.0], ALONE[name]
    for rows in ([special, ordinary], [ordinary, special]):
        x = np.array(rows).astype(format.dtype)
        labels = np.array([1, 2])
        for call in (method.softmax, method.log_softmax, method.log_sum_exp):
            one_by_one = np.stack([call(row) for row in x])
            np.testing.assert_array_equal(call(x).astype(np.float64), one_by_one.astype(np.float64))
            at = rows.index(ordinary)
            assert np.isfinite(one_by_one[at]).all()
            elementwise_infinity = name == "+inf" and one_by_one.ndim == 2
            is_nan = np.isnan(one_by_one[1 - at]).all()
            assert is_nan == ("nan" in name or elementwise_infinity)
        losses = [method.cross_entropy(row, label) for row, label in zip(x, labels, strict=True)]
        np.testing.assert_array_equal(
            method.cross_entropy(x, labels).astype(np.float64), np.array(losses, np.float64)
        )
