"""Functions on the arrays of other libraries, one of which is this test's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bench.subjects import arrays, specs
from bench.subjects.arrays import Arrays
from numerics import stable_softmax

HERE = f"{__name__}:softmax@mine"


@dataclass
class Tensor:
    """An array that only its own library understands; it has no fp64."""

    values: Any


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    assert isinstance(x, Tensor)
    return Tensor(stable_softmax(x.values, axis=dim))


def _to_native(x: Any) -> Tensor:
    array = np.asarray(x)
    return Tensor(array.astype(np.float32) if array.dtype == np.float64 else array)


@pytest.fixture(autouse=True)
def _mine(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(device: str) -> Arrays:
        if device:
            raise RuntimeError(f"no device {device}")
        return Arrays("mine", "dim", _to_native, lambda y: np.asarray(y.values))

    monkeypatch.setitem(arrays.LIBRARIES, "mine", made)


def test_arrays_are_converted_both_ways_over_any_axis() -> None:
    subjects, _ = specs.load([HERE])
    (one,) = subjects.values()
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    assert (one.functions["softmax"](x, axis=0) == stable_softmax(x, axis=0)).all()
    assert one.over_axis("softmax")


def test_a_format_that_is_silently_replaced_is_not_offered() -> None:
    subjects, _ = specs.load([HERE])
    (one,) = subjects.values()
    assert dict(one.refused) == {("softmax", "fp64"): "mine makes float32 of float64"}


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(specs.SpecError, match="RuntimeError: no device moon"):
        specs.load([f"{HERE}:moon"])


def test_an_at_sign_in_a_path_is_no_library() -> None:
    assert specs.parsed("a@b/mine.py:softmax").module == "a@b/mine.py"
    assert specs.parsed("a@b/mine.py:softmax@mine").arrays == "mine"
    assert specs.parsed("torch:logsumexp").operation == "log_sum_exp"


@pytest.mark.parametrize(
    "spec", ["torch:softmax", "torch.nn.functional:softmax", "jax.nn:softmax", "torch:logsumexp"]
)
def test_a_function_of_a_library_by_its_name_alone(spec: str) -> None:
    library = spec.partition(".")[0].partition(":")[0]
    pytest.importorskip(library)
    subjects, _ = specs.load([spec])
    (one,) = subjects.values()
    (operation,) = one.functions
    x = np.random.default_rng(1).normal(size=(3, 4))
    expected, _ = specs.load([library])
    theirs = expected[library].functions[operation]
    for axis in (0, -1):
        got = one.functions[operation](x, axis=axis)
        assert got.dtype == x.dtype
        assert np.allclose(got, theirs(x, axis=axis), rtol=1e-14)
