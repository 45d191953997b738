"""Axes, dtypes, labels and bad input: the same for every method."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from bench.inputs.formats import FORMATS
from numerics import (
    ELEMENTWISE,
    LABELLED,
    METHODS,
    OPERATIONS,
    Method,
    stable_cross_entropy,
    stable_cross_entropy_gradient,
    stable_softmax,
)
from numerics.method import arguments

METHOD_PARAMETERS = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
CELLS = pytest.mark.parametrize(
    ("method", "format_name"),
    [(m, name) for m in METHODS.values() for name in m.formats if name in FORMATS],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
UNLABELLED = [operation for operation in OPERATIONS if operation not in LABELLED]


def cube(format_name: str) -> Any:
    rng = np.random.default_rng(1)
    return rng.normal(size=(3, 4, 5)).astype(FORMATS[format_name].dtype)


def widest(method: Method) -> Any:
    """The dtype of the widest format that a method offers."""
    return FORMATS[method.formats[-1]].dtype


def same_bits(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def calls(method: Method) -> dict[str, Callable[..., Any]]:
    """Each operation on logits alone, of label 1 where it takes labels."""

    def call(operation: str, x: Any, **options: Any) -> Any:
        return getattr(method, operation)(*arguments(operation, x, 1), **options)

    return {operation: partial(call, operation) for operation in OPERATIONS}


@CELLS
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_axis_is_moved_axis(method: Method, format_name: str, axis: int) -> None:
    x = cube(format_name)
    moved = np.moveaxis(x, axis, -1)
    for operation, call in calls(method).items():
        expected = call(moved)
        if operation in ELEMENTWISE:
            expected = np.moveaxis(expected, -1, axis)
        assert same_bits(call(x, axis=axis), expected), operation


@METHOD_PARAMETERS
def test_tuple_of_axes_and_none_are_one_long_row(method: Method) -> None:
    x = cube(method.formats[-1])
    for operation in set(ELEMENTWISE) - set(LABELLED):
        call = getattr(method, operation)
        assert same_bits(call(x, axis=(1, 2)), call(x.reshape(3, 20)).reshape(x.shape))
        assert same_bits(call(x, axis=(2, -2)), call(x, axis=(1, 2)))
        assert same_bits(call(x, axis=None), call(x.ravel()).reshape(x.shape))
    assert method.log_sum_exp(x, axis=(0, 2)).shape == (4,)
    assert method.log_sum_exp(x, axis=(0, 2), keepdims=True).shape == (1, 4, 1)
    assert method.log_sum_exp(x, axis=None, keepdims=True).shape == (1, 1, 1)
    assert isinstance(method.log_sum_exp(x, axis=None), widest(method).type)


@METHOD_PARAMETERS
def test_scalar_is_a_row_of_one(method: Method) -> None:
    x = np.asarray(3.0, widest(method))
    assert method.softmax(x, axis=None) == 1.0
    assert method.softmax(x, axis=None).shape == ()
    assert method.log_sum_exp(x, axis=None).shape == ()
    with pytest.raises(np.exceptions.AxisError):
        method.softmax(x)


@CELLS
def test_memory_order_strides_and_byte_order_change_no_bit(
    method: Method, format_name: str
) -> None:
    x = np.random.default_rng(2).normal(size=(64, 100)).astype(FORMATS[format_name].dtype)
    wide = np.zeros((64, 200), x.dtype)
    wide[:, ::2] = x
    reversed_twice = x[::-1, ::-1].copy()[::-1, ::-1]
    read_only = x.copy()
    read_only.flags.writeable = False
    variants = [np.asfortranarray(x), wide[:, ::2], reversed_twice, read_only]
    variants.append(x.astype(x.dtype.newbyteorder()))
    for operation, call in calls(method).items():
        for variant in variants:
            before = variant.tobytes()
            assert same_bits(call(variant), call(x)), operation
            assert variant.tobytes() == before


@CELLS
def test_a_row_in_a_batch_has_the_bits_of_the_row_alone(method: Method, format_name: str) -> None:
    x = np.random.default_rng(3).normal(size=(33, 70)).astype(FORMATS[format_name].dtype)
    for operation, call in calls(method).items():
        alone = np.stack([call(row) for row in x])
        assert same_bits(call(x), alone), operation


@METHOD_PARAMETERS
def test_integers_booleans_and_lists_are_computed_in_fp64(method: Method) -> None:
    if "fp64" not in method.formats:
        with pytest.raises(TypeError, match="offers float16, bfloat16 and float32, not float64"):
            method.softmax([1, 2, 3])
        return
    for x in ([1, 2, 3], np.array([1, 2, 3], np.int8), (1.0, 2.0, 3.0)):
        assert same_bits(method.softmax(x), method.softmax(np.array([1.0, 2.0, 3.0])))
    assert same_bits(method.softmax([True, False]), method.softmax([1.0, 0.0]))


@METHOD_PARAMETERS
@pytest.mark.parametrize(
    "x",
    [
        np.array([1 + 1j]),
        np.array([object()]),
        np.array(["a"]),
        np.ma.masked_array([1.0, 2.0], [0, 1]),
    ],
    ids=["complex", "object", "string", "masked"],
)
def test_dtypes_that_are_no_logits_are_refused(method: Method, x: Any) -> None:
    for call in calls(method).values():
        with pytest.raises(TypeError, match=r"masked|dtype"):
            call(x)


@METHOD_PARAMETERS
def test_longdouble_is_refused_by_name(method: Method) -> None:
    if np.dtype(np.longdouble) == np.float64:
        pytest.skip("longdouble is float64 on this platform")
    with pytest.raises(TypeError, match=str(np.dtype(np.longdouble))):
        method.softmax(np.zeros(2, np.longdouble))


@METHOD_PARAMETERS
def test_zero_length_rows_are_an_error_and_no_rows_are_not(method: Method) -> None:
    for call in calls(method).values():
        with pytest.raises(ValueError, match="axis 1 has length 0"):
            call(np.zeros((2, 0, 3), widest(method)), axis=1)
    none = np.zeros((0, 3), widest(method))
    for operation, call in calls(method).items():
        assert call(none).shape == ((0, 3) if operation in ELEMENTWISE else (0,))


def test_bad_axes() -> None:
    for axis in (2, 3, 5, -3, -4):
        with pytest.raises(np.exceptions.AxisError):
            stable_softmax(np.zeros((2, 2)), axis=axis)
    with pytest.raises(ValueError, match="duplicate"):
        stable_softmax(np.zeros((2, 2)), axis=(0, -2))
    with pytest.raises(TypeError):
        stable_softmax(np.zeros((2, 2)), axis=1.0)  # type: ignore[arg-type]
    for f in (stable_cross_entropy, stable_cross_entropy_gradient):
        with pytest.raises(TypeError, match="one int"):
            f(np.zeros((2, 2)), 0, axis=(0, 1))  # type: ignore[arg-type]


def test_no_axes_at_all_is_rows_of_one() -> None:
    assert (stable_softmax(np.zeros((2, 3)), axis=()) == 1.0).all()


@METHOD_PARAMETERS
@pytest.mark.parametrize("operation", LABELLED)
def test_labels_broadcast_and_are_checked(method: Method, operation: str) -> None:
    x, f = cube(method.formats[-1]), getattr(method, operation)
    labels = np.array([0, 1, 2, 3])
    expected = f(x, np.tile(labels, (3, 1)).astype(np.uint64))
    assert expected.shape == (x.shape if operation in ELEMENTWISE else (3, 4))
    assert same_bits(f(x, labels), expected)
    assert same_bits(f(x.T, labels[:, np.newaxis], axis=0), np.moveaxis(expected.T, 0, 0))
    for outside in (5, -1, 2**40):
        with pytest.raises(IndexError, match=f"label {outside} is outside .* K = 5"):
            f(x, outside)
    with pytest.raises(TypeError, match="float64"):
        f(x, 1.0)
    with pytest.raises(TypeError, match="bool"):
        f(x, True)
    with pytest.raises(ValueError, match=r"\(7,\).*\(3, 4\)"):
        f(x, np.zeros(7, int))


@METHOD_PARAMETERS
def test_the_label_that_is_outside_is_named_and_not_its_neighbour(method: Method) -> None:
    x = cube(method.formats[-1])[0]
    for outside in (5, -1):
        for place in range(4):
            labels = np.array([0, 4, 1, 0])
            labels[place] = outside
            with pytest.raises(IndexError, match=f"^label {outside} is outside"):
                method.cross_entropy(x, labels)
    with pytest.raises(IndexError, match=f"^label {2**70} is outside"):
        method.cross_entropy(x, [4, 2**70, 1, 0])


@METHOD_PARAMETERS
def test_labels_that_are_none(method: Method) -> None:
    x = cube(method.formats[-1])[0]
    with pytest.raises(TypeError, match="masked labels"):
        method.cross_entropy(x, np.ma.masked_array([0, 1, 2, 3], [0, 0, 1, 0]))
    for no_labels in ([], np.array([]), np.zeros(0, np.int8)):  # a list of none is of fp64
        assert method.cross_entropy(x[:0], no_labels).shape == (0,)
    with pytest.raises(ValueError, match="do not broadcast"):
        method.cross_entropy(x, [])


@METHOD_PARAMETERS
def test_a_number_without_axes_gives_a_scalar(method: Method) -> None:
    """As NumPy's ufuncs; SciPy's own tests of softmax ask for it."""
    dtype = widest(method)
    for x in (np.asarray(3.0, dtype), dtype.type(3.0)):
        for axis in (None, ()):
            for operation, expected in zip(UNLABELLED, (1, 0, 3), strict=True):
                got = getattr(method, operation)(x, axis=axis)
                assert type(got) is dtype.type
                assert abs(got - expected) <= 4 * np.finfo(dtype).eps
    assert type(method.cross_entropy(np.zeros(2, dtype), 0)) is dtype.type
    for operation in LABELLED:
        with pytest.raises(np.exceptions.AxisError):
            getattr(method, operation)(dtype.type(3.0), 0)


@METHOD_PARAMETERS
def test_no_axis_makes_every_number_a_row(method: Method) -> None:
    x = cube(method.formats[-1])
    ones = method.softmax(x, axis=())
    assert same_bits(ones, np.ones_like(x)) or method.name == "fast"
    assert (abs(ones - 1) <= np.finfo(x.dtype).eps).all()  # x times its rounded reciprocal
    for call in (method.log_softmax, method.log_sum_exp):
        assert call(x, axis=()).shape == x.shape
    assert method.log_sum_exp(x, axis=(), keepdims=True).shape == x.shape


@METHOD_PARAMETERS
@pytest.mark.parametrize("axis", [np.int8(1), np.uint64(1), np.array(1), [1], (np.int64(-2),)])
def test_integers_of_numpy_are_axes(method: Method, axis: Any) -> None:
    x = cube(method.formats[-1])
    assert same_bits(method.log_sum_exp(x, axis=axis), method.log_sum_exp(x, axis=1))
    assert same_bits(method.softmax(x, axis=axis), method.softmax(x, axis=1))


@METHOD_PARAMETERS
@pytest.mark.parametrize("axis", [1.0, "1", np.array([0, 1]), np.array([]), (0, 1.5), {1}])
def test_an_axis_that_is_none_is_named(method: Method, axis: Any) -> None:
    x = cube(method.formats[-1])
    for operation in UNLABELLED:
        with pytest.raises(
            TypeError, match=r"axis must be an int, a tuple of ints or None"
        ) as told:
            getattr(method, operation)(x, axis=axis)
        assert repr(axis) in str(told.value)
    for operation in LABELLED:
        with pytest.raises(TypeError, match=r"axis"):
            getattr(method, operation)(x, 0, axis=axis)


@METHOD_PARAMETERS
def test_integers_beyond_2_to_the_53_are_rounded(method: Method) -> None:
    if "fp64" not in method.formats or method.name == "naive":
        return
    x = np.array([2**53 + 1, 2**53 - 1, 0])
    assert same_bits(method.softmax(x), method.softmax(x.astype(np.float64)))
    near = np.array([2**53, 2**53 + 1])
    assert same_bits(method.softmax(near), method.softmax(near[[0, 0]]))
    assert method.softmax(np.array([2**64 - 1, 0], np.uint64)).tolist() == [1, 0]
    with pytest.raises(TypeError, match="object"):
        method.softmax([2**70, 0])


@METHOD_PARAMETERS
@pytest.mark.parametrize("operation", OPERATIONS)
def test_help_says_how_to_call(method: Method, operation: str) -> None:
    """The signature is the public one, the source the formula's; the docstring says the rest."""
    f = getattr(method, operation)
    parameters = inspect.signature(f).parameters
    assert parameters["x"].kind is inspect.Parameter.POSITIONAL_ONLY
    assert parameters["axis"].kind is inspect.Parameter.KEYWORD_ONLY
    assert ("keepdims" in parameters) == (operation == "log_sum_exp")
    assert ("y" in parameters) == (operation in LABELLED)
    assert f.__name__ == f"{method.name}_{operation}"
    assert f"bounds.{f.__name__}" in pydoc.render_doc(f).replace("\b", "")
    assert ">>>" in f.__doc__
    assert pickle.loads(pickle.dumps(f)) is f
    if method.name != "fast":
        assert "docs/contracts.md" in f.__doc__
        assert f"def {f.__name__}(x: Rows" in inspect.getsource(f)
