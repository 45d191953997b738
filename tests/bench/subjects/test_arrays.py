"""Functions on the arrays of other libraries, one of which is this test's own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.subjects import arrays, specs
from bench.subjects.arrays import Arrays
from numerics import stable_cross_entropy, stable_softmax

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


def cross_entropy(x: Any, y: Any, reduction: str = "mean") -> Any:
    losses = stable_cross_entropy(x, y)
    return losses if reduction == "none" else losses.mean()


def test_a_loss_is_asked_for_each_row_and_not_for_their_mean() -> None:
    (one,) = specs.load([f"{__name__}:cross_entropy"])[0].values()
    x, labels = np.random.default_rng(1).normal(size=(3, 4)), np.array([0, 3, 1])
    got = one.functions["cross_entropy"](x, labels)
    assert got.tolist() == stable_cross_entropy(x, labels).tolist()


def test_a_reduction_without_a_name_by_default_is_left_alone() -> None:
    def softmax(x: Any, reduction: Any = None) -> Any:
        assert reduction is None
        return stable_softmax(x)

    one = specs.of_function(softmax, "softmax")
    assert one.functions["softmax"](np.zeros((1, 2))).tolist() == [[0.5, 0.5]]


def test_a_function_that_is_here_gets_the_arrays_that_are_asked_for() -> None:
    def mine(x: Tensor) -> Tensor:
        return softmax(x)

    one = specs.of_function(mine, "softmax", "mine")
    assert one.functions["softmax"](np.zeros((1, 2), np.float32)).tolist() == [[0.5, 0.5]]
    assert one.origins["softmax"].endswith("=softmax@mine")
    assert ("softmax", "fp64") in one.refused
    with pytest.raises(specs.SpecError, match="expected one of torch, "):
        specs.of_function(mine, "softmax", "pandas")


def test_a_function_has_the_name_by_which_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def built_in(x: Any) -> Any:
        return stable_softmax(x)

    def origin() -> str:
        return specs.of_function(built_in, "softmax").origins["softmax"]

    assert "<locals>" in origin()
    monkeypatch.setattr(sys.modules[__name__], "built_in", built_in, raising=False)
    assert origin() == f"{__name__}:built_in=softmax"


def test_what_is_set_of_a_library_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(threads=7)
    row = ("mine", lambda one: one.threads, lambda one, n: setattr(one, "threads", n))
    monkeypatch.setattr(arrays, "SETTINGS", (row, ("not imported", *row[1:])))
    monkeypatch.setitem(sys.modules, "mine", library)  # type: ignore[arg-type]
    with arrays.left_as_it_was():
        library.threads = 1
    assert library.threads == 7


@pytest.mark.parametrize(("library", "setting"), [(one[0], one) for one in arrays.SETTINGS])
def test_settings_are_those_that_are_changed(library: str, setting: Any) -> None:
    there = pytest.importorskip(library)
    _, get, _ = setting
    before = get(there)
    with arrays.left_as_it_was():
        arrays.named(library)
    assert get(there) == before


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


def test_what_was_compiled_for_many_shapes_is_forgotten() -> None:
    forgotten: list[int] = []
    asked: list[int] = []
    call = arrays.forgetful(lambda x, axis: asked.append(x.size), lambda: forgotten.append(x.size))
    for x in [np.zeros(k) for k in range(arrays.MOST_SHAPES)] * 3:
        call(x, axis=-1)
    assert not forgotten
    for x in (np.zeros(0), np.zeros(arrays.MOST_SHAPES), np.zeros(0)):
        call(x, axis=-1)
    assert forgotten == [arrays.MOST_SHAPES]
    call(np.zeros(0), axis=0)  # which is compiled anew, too
    assert len(asked) == 3 * arrays.MOST_SHAPES + 4
