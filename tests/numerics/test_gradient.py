"""The gradient of cross-entropy: a slope, digits where p_y is near 1, rows that add up to 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from bench.inputs.cases import at_effort
from bench.inputs.formats import FORMATS
from bench.measure.accuracy import measure
from bench.subjects.subject import SUBJECTS
from bench.truth import audited
from numerics import FP32, FP64, METHODS, Method, bounds, exact_cross_entropy
from numerics.facts import RowFacts
from numerics.formats import FloatArray

METHOD_PARAMETERS = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
KEEPING = ("log1p", "compensated", "widened", "fast", "exact")
"""Methods whose bound is relative at the label, too."""
Function = Callable[..., Any]

STEP = 2.0**-17
STEEPEST = 1 / (6 * math.sqrt(3))
"""The most that the third derivative of log-sum-exp along an axis, p (1 - p) (1 - 2 p), can be."""


# --- Gradcheck: the title of the lab promised it -------------------------------------------------


def logits() -> tuple[FloatArray, Any]:
    """Multiples of 2^-12, so that x + h and x - h are numbers; the labels run through the row."""
    rng = np.random.default_rng(19)
    x = np.round(rng.normal(scale=2.0, size=(12, 6)) * 2.0**12) / 2.0**12
    x[::3, 0] += 12
    return x, np.arange(12) % 6


def by_differences(x: FloatArray, labels: Any) -> tuple[FloatArray, FloatArray]:
    """Central differences of the correctly rounded cross-entropy, and how far off they may be.

    (L(x + h) - L(x - h)) / 2h is the slope but for h^2/6 of the third derivative; each L is rounded
    by half an ulp.
    """
    slopes, errors = np.empty_like(x), np.empty_like(x)
    for column in range(x.shape[1]):
        step = np.zeros(x.shape[1])
        step[column] = STEP
        above, below = (exact_cross_entropy(x + sign * step, labels) for sign in (1, -1))
        slopes[:, column] = (above - below) / (2 * STEP)
        rounded = (np.spacing(above) + np.spacing(below)) / 2 + np.spacing(above - below) / 2
        errors[:, column] = STEP**2 / 6 * STEEPEST + rounded / (2 * STEP)
    return slopes, errors


def is_the_slope(f: Function, bound: FloatArray) -> bool:
    """Whether a gradient is within its bound and that of the differences, everywhere."""
    x, labels = logits()
    slopes, errors = by_differences(x, labels)
    return bool((abs(f(x, labels) - slopes) <= errors + bound).all())


def bound_of(method: Method) -> FloatArray:
    x, labels = logits()
    found = bounds.of(method.name)["cross_entropy_gradient"](RowFacts(x, FP64, labels))
    return np.asarray(found * FP64.unit_roundoff)


@METHOD_PARAMETERS
def test_it_is_the_slope_of_the_exact_cross_entropy(method: Method) -> None:
    if "fp64" in method.formats:
        assert is_the_slope(method.cross_entropy_gradient, bound_of(method))


def test_what_is_no_slope_is_found_out() -> None:
    gradient, softmax = METHODS["exact"].cross_entropy_gradient, METHODS["exact"].softmax
    bound = bound_of(METHODS["exact"])
    wrong: tuple[Function, ...] = (
        lambda x, y: softmax(x),
        lambda x, y: -gradient(x, y),
        lambda x, y: gradient(x, (y + 1) % x.shape[1]),
        lambda x, y: gradient(x, y) / len(x),
        lambda x, y: gradient(x, y) * (1 + 2.0**-20),
    )
    assert [f for f in wrong if is_the_slope(f, bound)] == []


def test_differences_in_mpmath_have_the_digits_of_a_confident_row() -> None:
    """There the slope is 1e-26, far below what differences of fp64 numbers can tell."""
    x, labels, step = np.array([[60.0, 0.5, -1.0]]), np.array([0]), mpf(2) ** -200
    with mp.workprec(1000):

        def loss(row: list[Any]) -> Any:
            return mp.log(mp.fsum(map(mp.exp, row))) - row[0]

        row = [mpf(v) for v in x[0].tolist()]
        moved = (
            [*row[:i], row[i] + sign * step, *row[i + 1 :]] for i in range(3) for sign in (1, -1)
        )
        losses = [loss(one) for one in moved]
        slopes = [(a - b) / (2 * step) for a, b in zip(losses[::2], losses[1::2], strict=True)]
        # The third derivative is no more than the slope itself, and the step squared is nothing.
        for name in ("log1p", "compensated", "fast", "exact"):
            method = METHODS[name]
            got = method.cross_entropy_gradient(x, labels)[0].tolist()
            facts = RowFacts(x, FP64, labels)
            bound = bounds.of(name)["cross_entropy_gradient"](facts)[0].tolist()
            for value, slope, most in zip(got, slopes, bound, strict=True):
                allowed = most * FP64.unit_roundoff + abs(slope) * mpf(2) ** -300
                assert abs(mpf(value) - slope) <= allowed, name


# --- Digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [FP32, FP64], ids=lambda format: format.name)
def test_compensated_errs_by_at_most_3_ulp(format: Any) -> None:
    for case in at_effort("quick"):
        batches = case.batches(format)
        if case.family != "special" and all(batch.labels_in_range for batch in batches):
            exact = audited.of((batches, format.name))
            subject = SUBJECTS["compensated"]
            record = measure(subject, "cross_entropy_gradient", case, format, exact)
            assert record.summary is not None
            assert (record.summary.max_ulp or 0.0) <= 3, case.name


@pytest.mark.parametrize("name", [name for name in METHODS if name != "exact"])
@pytest.mark.parametrize("format_name", ["fp32", "fp64"])
def test_what_is_left_of_p_minus_1_on_a_confident_row(name: str, format_name: str) -> None:
    """Nothing, from a gap of about log(1/u) on, if 1 is subtracted; fp16 is added up in fp32."""
    method, format = METHODS[name], FORMATS[format_name]
    if format_name not in method.formats:
        return
    gap = math.ceil(-math.log(format.unit_roundoff)) + 1
    x = np.array([[gap, 0.0]] if name != "naive" else [[0.0, -gap]]).astype(format.dtype)
    got = method.cross_entropy_gradient(x, np.zeros(1, np.intp))[0]
    assert got[1] > 0
    assert bool(got[0] < 0) == (name in KEEPING)


@METHOD_PARAMETERS
def test_other_entries_are_those_of_softmax(method: Method) -> None:
    """Bit for bit, but where the sum is split at the label."""
    for name in method.formats:
        if name not in FORMATS:
            continue
        x = np.random.default_rng(20).normal(scale=4, size=(40, 9)).astype(FORMATS[name].dtype)
        labels = np.arange(40) % 9
        others = np.arange(9) != labels[:, np.newaxis]
        with np.errstate(all="ignore"):
            gradient, softmax = method.cross_entropy_gradient(x, labels), method.softmax(x)
        ulps = abs(gradient - softmax)[others] / np.spacing(softmax)[others]
        assert ulps.max() <= (2 if method.name in ("log1p", "widened", "compensated") else 0)


@pytest.mark.parametrize("name", ["stable", "log1p", "compensated", "exact"])
def test_a_common_offset_that_is_exact_changes_no_bit(name: str) -> None:
    f = METHODS[name].cross_entropy_gradient
    x = np.random.default_rng(6).integers(-64, 64, size=(20, 30)) / 16
    labels = np.arange(20)
    assert (f(x, labels) == f(x + 32, labels)).all()


@METHOD_PARAMETERS
def test_equal_logits_of_a_power_of_two_add_up_to_0(method: Method) -> None:
    """Where all terms are 1: of logits that are 0 to those that subtract no largest one."""
    logit = 0.0 if method.name in ("naive", "two_pass", "fast") else 1.5
    for name in method.formats:
        if name not in FORMATS:
            continue
        for length in (2, 4, 64):
            x = np.full((3, length), logit, FORMATS[name].dtype)
            got = method.cross_entropy_gradient(x, 1)
            assert method.name == "division_free" or (got.sum(axis=1, dtype=np.float64) == 0).all()


def test_the_only_tie_of_exact_is_a_uniform_row() -> None:
    """1/n - 1 is a midpoint for n = 2^(precision + 1) alone, and goes to even: -1."""
    for length, expected in ((2**11, -(1 - 2.0**-11)), (2**12, -1.0), (2**13, -1.0)):
        x = np.zeros((1, length), np.float16)
        assert METHODS["exact"].cross_entropy_gradient(x, 5)[0, 5] == expected
