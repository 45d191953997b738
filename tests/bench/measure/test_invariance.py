"""Whether bits depend on the call: what each check passes, and what it says of a function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.measure import invariance
from bench.measure.invariance import CHECKS, SHAPES, measure
from bench.runs.records import Invariance
from bench.subjects.subject import SUBJECTS, Subject
from numerics import ELEMENTWISE, FORMATS, OPERATIONS

STABLE = SUBJECTS["stable"]
FP32 = FORMATS["fp32"]
NUMBERS = sum(rows * length for rows, length in SHAPES)
ROWS = sum(rows for rows, _ in SHAPES)
OUTPUTS = sum(NUMBERS if name in ELEMENTWISE else ROWS for name in OPERATIONS)


def found(subject: Subject) -> dict[str, Invariance]:
    return {one.check: one for one in measure(subject, FP32)}


def alone(function: Any, operation: str = "softmax") -> Subject:
    return replace(STABLE, name="planted", functions={operation: function})


def test_every_check_compares_every_output_of_every_operation() -> None:
    of_stable = found(STABLE)
    assert list(of_stable) == [check.name for check in CHECKS]
    for check in CHECKS:
        one = of_stable[check.name]
        assert (one.outputs, one.message) == (OUTPUTS, ""), check.name
        assert not (check.promised and one.differing)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_subject_without_axis_is_never_asked_for_one(operation: str) -> None:
    function = STABLE.functions[operation]

    def along_the_last(*arguments: Any) -> Any:
        return function(*arguments)

    checked = found(replace(alone(along_the_last, operation), takes_axis=False))
    assert "moved axis" not in checked
    assert len(checked) == len(CHECKS) - 1
    assert {one.message for one in checked.values()} == {""}
    assert {one.outputs for one in checked.values()} == {
        NUMBERS if operation in ELEMENTWISE else ROWS
    }


def test_a_function_that_writes_to_its_input_is_told_in_every_check_that_passes_it() -> None:
    def writes(x: Any, axis: int = -1) -> Any:
        got = STABLE.functions["softmax"](x, axis=axis)
        x[...] = 0
        return got

    checked = found(alone(writes))
    assert checked["same call twice"].message == "ValueError: wrote to its input"
    assert checked["same call twice"].outputs == 0


def test_padding_with_minus_infinity_is_seen_where_it_changes_bits() -> None:
    def of_its_length(x: Any, axis: int = -1) -> Any:
        return STABLE.functions["softmax"](x, axis=axis) * x.dtype.type(x.shape[-1])

    checked = found(alone(of_its_length))
    assert checked["-inf padding"].message == ""
    assert checked["-inf padding"].outputs == NUMBERS
    assert checked["-inf padding"].differing > NUMBERS // 2
    assert checked["F order"].differing == 0


PLANTED = {
    "same call twice": lambda x, got, count: got + (count % 2),
    "F order": lambda x, got, _: got + (not x.flags.c_contiguous and x.strides[0] == x.itemsize),
    "row alone": lambda x, got, _: got + (len(x) == 1),
    "strided": lambda x, got, _: got + (x.strides[-1] == 2 * x.itemsize),
    "reversed strides": lambda x, got, _: got + (x.strides[-1] < 0),
    "permuted row": lambda x, got, _: got * (1 + np.arange(x.shape[1], dtype=x.dtype)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_dependence_is_found_by_its_check(name: str) -> None:
    count = iter(range(10**6))

    def planted(x: Any, axis: int = -1) -> Any:
        got = STABLE.functions["softmax"](x, axis=axis)
        return np.asarray(PLANTED[name](x, got, next(count)), x.dtype)

    differing = {check: one.differing for check, one in found(alone(planted)).items()}
    assert differing[name] > 0
    if name != "same call twice":
        assert differing["same call twice"] == 0


@pytest.mark.parametrize("wrong", [lambda got: got.astype(np.float64), lambda got: got[:1]])
def test_another_dtype_or_shape_is_no_match(wrong: Any) -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="returned"):
        invariance._bits((wrong(x), x), FP32)
    with pytest.raises(ValueError, match="returned"):
        invariance._bits((x, wrong(x)), FP32)
