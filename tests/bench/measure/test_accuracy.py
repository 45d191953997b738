"""measure() and its verdict: wrong methods are planted here, and must turn it red."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from bench.inputs.cases import CASES, Case
from bench.measure.accuracy import complaints, measure
from bench.runs.files import to_json
from bench.runs.records import Claim, Record
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth import audited
from bench.truth.exact import Exact
from numerics import FORMATS, METHODS, OPERATIONS, exact_softmax
from numerics.facts import RowFacts

STABLE = SUBJECTS["stable"]
NAMES = ("large positive", "all -inf", "normal 1", "confident", "mask -inf", "plus inf")
NAMES += ("single element",)
CHOSEN = {case.name: case for case in CASES if case.name in NAMES}
LONG = Case("long", "random", "", lambda format, rng: [rng.normal(size=(1, 4096))])


@functools.cache
def exact_for(case: Case, format_name: str) -> dict[str, Exact]:
    return audited.of((case.batches(FORMATS[format_name]), format_name))


def planted_subject(function: Callable[..., Any], operation: str) -> Subject:
    """Something that claims to be as good as `stable`."""
    return replace(STABLE, name="planted", functions={operation: function})


def complaints_about(
    function: Callable[..., Any], case: Case, format_name: str, operation: str = "softmax"
) -> list[str]:
    subject = planted_subject(function, operation)
    return complaints(subject, record_of(function, case, format_name, operation))


def record_of(
    function: Callable[..., Any], case: Case, format_name: str, operation: str = "softmax"
) -> Record:
    subject = planted_subject(function, operation)
    with np.errstate(all="ignore"):
        exact = exact_for(case, format_name)
        return measure(subject, operation, case, FORMATS[format_name], exact)


@pytest.mark.parametrize("case", CHOSEN.values(), ids=lambda case: case.slug)
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_stable_has_nothing_to_complain_of(case: Case, format_name: str, operation: str) -> None:
    function = STABLE.functions[operation]
    assert complaints_about(function, case, format_name, operation) == []


def no_shift(x: Any) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def narrow_accumulator(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    total = np.cumsum(e, axis=1, dtype=np.float16)[:, -1:].astype(x.dtype)
    return e / total


def one_ulp_off(x: Any) -> Any:
    right = STABLE.functions["softmax"](x)
    return right + np.spacing(right)


def ten_ulp_off(x: Any) -> Any:
    right = STABLE.functions["softmax"](x)
    return (right + 10 * np.spacing(right)).astype(x.dtype)


def forgotten_max(x: Any) -> Any:
    return np.log(np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1))


def nan_for_empty_rows(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("planted", "case", "format_name", "operation"),
    [
        (no_shift, CHOSEN["large positive"], "fp32", "softmax"),
        (narrow_accumulator, LONG, "fp32", "softmax"),
        (narrow_accumulator, LONG, "fp16", "softmax"),
        (one_ulp_off, CHOSEN["single element"], "fp64", "softmax"),
        (one_ulp_off, CHOSEN["single element"], "fp32", "softmax"),
        (one_ulp_off, CHOSEN["single element"], "fp16", "softmax"),
        (ten_ulp_off, CHOSEN["normal 1"], "fp64", "softmax"),
        (forgotten_max, CHOSEN["normal 1"], "fp32", "log_sum_exp"),
        (nan_for_empty_rows, CHOSEN["all -inf"], "fp32", "softmax"),
        (lambda x: np.nan_to_num(STABLE.functions["softmax"](x)), CHOSEN["plus inf"], "fp64",
         "softmax"),
    ],
    ids=["no_shift", "fp16_sum_in_fp32", "fp16_sum_in_fp16", "one_ulp_off_fp64", "one_ulp_off_fp32",
         "one_ulp_off_fp16", "ten_ulp_off", "forgotten_max",
         "nan_for_empty_rows", "hides_nan"],
)  # fmt: skip
def test_planted_faults_are_caught(
    planted: Callable[..., Any], case: Case, format_name: str, operation: str
) -> None:
    found = complaints_about(planted, case, format_name, operation)
    assert found
    assert "bound" in found[0]


def at_minus_inf(value: float) -> Callable[[Any], Any]:
    def planted(x: Any) -> Any:
        return np.where(np.isneginf(x), x.dtype.type(value), STABLE.functions["softmax"](x))

    return planted


def log_at_minus_inf(value: float) -> Callable[[Any], Any]:
    def planted(x: Any) -> Any:
        return np.where(np.isneginf(x), x.dtype.type(value), STABLE.functions["log_softmax"](x))

    return planted


def raises_a_flag(x: Any) -> Any:
    np.float64(1e300) * np.float64(1e300)
    return STABLE.functions["softmax"](x)


@pytest.mark.parametrize(
    ("planted", "operation", "message"),
    [
        (log_at_minus_inf(np.nan), "log_softmax", "must be"),
        (log_at_minus_inf(-1.0), "log_softmax", "must be"),
        (at_minus_inf(-0.0), "softmax", "not exactly"),
        (at_minus_inf(1e-45), "softmax", "not exactly"),
        (raises_a_flag, "softmax", "overflow"),
    ],
    ids=["nan_at_mask", "number_at_mask", "minus_zero", "tiny", "flag"],
)
def test_planted_offences_against_the_policy_are_caught(
    planted: Callable[..., Any], operation: str, message: str
) -> None:
    found = complaints_about(planted, CHOSEN["mask -inf"], "fp32", operation)
    assert any(message in complaint for complaint in found), found


def wrong_dtype(x: Any) -> Any:
    return STABLE.functions["softmax"](x.astype(np.float64))


def wrong_shape(x: Any) -> Any:
    return STABLE.functions["softmax"](x)[0]


def writes_to_its_input(x: Any) -> Any:
    np.exp(x, out=x)
    return x / x.sum(axis=1, keepdims=True)


def raises(x: Any) -> Any:
    raise ZeroDivisionError("on purpose")


def exits(x: Any) -> Any:
    raise SystemExit(3)


class Unprintable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError


def raises_what_cannot_be_shown(x: Any) -> Any:
    raise Unprintable


def raises_at_length(x: Any) -> Any:
    raise ValueError("two\nlines, a $, a \0 " + 1000 * "x")


@pytest.mark.parametrize(
    ("planted", "outcome", "message"),
    [
        (wrong_dtype, "wrong result", "returned float64 of shape .* expected float32"),
        (wrong_shape, "wrong result", r"of shape \(5,\), expected float32 of shape \(1000, 5\)"),
        (writes_to_its_input, "wrote to input", "wrote to its input"),
        (raises, "raised", "ZeroDivisionError: on purpose"),
        (exits, "raised", "SystemExit: 3"),
        (raises_what_cannot_be_shown, "raised", r"^Unprintable: <"),
        (raises_at_length, "raised", r"^ValueError: two lines, a \?, a \? x{200,}"),
    ],
)
def test_what_a_subject_does_wrong_is_recorded_and_no_crash(
    planted: Callable[..., Any], outcome: str, message: str
) -> None:
    record = record_of(planted, CHOSEN["normal 1"], "fp32")
    assert record.outcome == outcome
    assert len(record.message) <= 400, "a run file with it could not be read"
    with pytest.raises(AssertionError, match=message):
        assert not complaints(STABLE, record), complaints(STABLE, record)[0]


def test_labels_out_of_range_are_recorded_as_undefined() -> None:
    case = next(case for case in CASES if case.name == "single element")
    entropy = STABLE.functions["cross_entropy"]
    record = record_of(entropy, case, "fp64", "cross_entropy")
    assert (record.outcome, complaints(STABLE, record)) == ("undefined", [])
    assert record.message.startswith("IndexError: label 1")
    silent = record_of(lambda x, y: x[:, 0], case, "fp64", "cross_entropy")
    assert "expected an IndexError" in complaints(STABLE, silent)[0]


def test_a_gradient_that_is_lost_on_confident_rows_is_counted() -> None:
    """p_y - 1 is 0 there; the sum of the row tells, too."""
    case = Case("certain", "random", "", lambda f, rng: [[[18.5, 0.0, 0.5], [1.0, 19.5, 0.0]]])
    found = {
        name: record_of(
            METHODS[name].cross_entropy_gradient, case, "fp32", "cross_entropy_gradient"
        )
        for name in ("stable", "log1p")
    }
    summaries = {name: record.summary for name, record in found.items()}
    assert [one.lost_to_zero for one in summaries.values() if one] == [2, 0]
    defects = {name: record.sum_defect or 0.0 for name, record in found.items()}
    assert defects["stable"] > 1e-9
    assert defects["log1p"] < 1e-14


def test_a_gradient_has_0_at_other_masks_and_minus_1_at_its_own() -> None:
    case = CHOSEN["mask -inf"]
    gradient = METHODS["stable"].cross_entropy_gradient
    planted: dict[int, Callable[..., Any]] = {0: gradient, 1: lambda x, y: -gradient(x, y)}
    for wrong, f in planted.items():
        record = record_of(f, case, "fp32", "cross_entropy_gradient")
        assert bool(record.nonzero_at_minus_inf) == bool(wrong)  # -0 is not +0


def test_flags_witness_and_json() -> None:
    record = record_of(no_shift, CHOSEN["large positive"], "fp32")
    assert {"overflow", "invalid value"} <= set(record_flags(no_shift, "large positive"))
    assert record.worst
    assert record.worst["got"] == "nan"
    assert float.fromhex(record.worst["x"][1]) == 92.0
    assert float.fromhex(record.worst["exact"]) == 1.0
    plain = record.as_json()
    assert plain["nan_failures"] == 1
    assert "NaN" not in to_json(plain)


def record_flags(function: Callable[..., Any], name: str) -> tuple[str, ...]:
    subject = Subject("planted", {"softmax": function}, tuple(FORMATS))
    case = CHOSEN[name]
    return measure(subject, "softmax", case, FORMATS["fp32"], exact_for(case, "fp32")).flags


def test_stable_raises_no_flags() -> None:
    assert record_flags(STABLE.functions["softmax"], "large positive") == ()


def test_widths_are_told_apart() -> None:
    case = Case("widths", "random", "", lambda f, rng: [rng.normal(size=(1, k)) for k in (3, 9, 4)])
    record = record_of(STABLE.functions["softmax"], case, "fp32")
    assert [width for width, _ in record.max_ulp_by_width] == [3, 4, 9]


def test_a_claim_is_the_largest_share_of_a_bound_and_what_it_was_taken_of() -> None:
    """Rows of one logit, whose log-sum-exp is the logit: every figure is known by heart."""
    widths = [np.array([[1.0], [2.0], [-4.0]]), np.array([[0.5, -np.inf]])]
    case = Case("pinned", "random", "", lambda format, rng: [x.copy() for x in widths])
    ulps = {1.0: 0, 2.0: 3, -4.0: 10, 0.5: 1}  # of error

    def off(x: Any) -> Any:
        right = x[:, 0]
        return right + np.array([ulps[float(v)] for v in right]) * np.spacing(np.abs(right))

    def bound(rows: RowFacts) -> Any:  # in u: twice as many as ulps of a power of two
        return np.select([rows.x[:, 0] == 2, rows.x[:, 0] == 1], [24.0, np.inf], 16.0)

    subject = replace(STABLE, functions={"log_sum_exp": off}, bounds={"log_sum_exp": bound})
    exact = exact_for(case, "fp64")
    record = measure(subject, "log_sum_exp", case, FORMATS["fp64"], exact)
    assert record.claim == Claim(
        ratio=5.0,  # at -4: 10 ulp of 4 are 80 u, and 16 are allowed
        ulp=10.0,
        bound_ulp=2.0,
        claimed=3,
        broken=1,
        broken_widths=(1,),
    )
    assert "1 of 3 outputs exceed the bound, in rows of length 1" in complaints(subject, record)[0]
    exact_subject = replace(subject, bounds={"log_sum_exp": lambda rows: np.zeros(len(rows.x))})
    claim = measure(exact_subject, "log_sum_exp", case, FORMATS["fp64"], exact).claim
    assert claim is not None
    assert (claim.claimed, claim.broken, claim.broken_widths) == (4, 3, (1, 2))


def test_of_a_result_below_the_normal_range_the_part_of_an_ulp_counts() -> None:
    """fp64 has no number for that distance: half an ulp is u times the smallest normal number."""
    tails = [-740.0 - i for i in range(4)]
    case = Case("below", "random", "", lambda format, rng: [[[0.0, tail] for tail in tails]])
    smallest = FORMATS["fp64"].smallest_normal
    subject = replace(
        STABLE,
        functions={"softmax": exact_softmax},
        bounds={"softmax": lambda rows: np.where(rows.softmax < 0.5, smallest, np.inf)},
    )
    record = measure(subject, "softmax", case, FORMATS["fp64"], exact_for(case, "fp64"))
    in_ulps = [mp.exp(tail) / mp.ldexp(1, -1074) for tail in tails]
    worst = float(max(abs(value - mp.nint(value)) for value in in_ulps))
    assert record.claim is not None
    assert record.claim.ratio == pytest.approx(2 * worst, rel=2.0**-20)
    assert (record.claim.claimed, record.claim.broken, record.claim.bound_ulp) == (4, 0, 0.5)


def test_every_flag_is_recorded_once_and_in_order() -> None:
    def flagged(x: Any) -> Any:
        for _ in range(2):
            np.float64(1e300) * np.float64(1e300)
            np.float64(1.0) / np.float64(0.0)
        return STABLE.functions["softmax"](x)

    assert record_flags(flagged, "normal 1") == ("divide by zero", "overflow")
    found = complaints_about(flagged, CHOSEN["normal 1"], "fp32")
    assert len(found) == 2
