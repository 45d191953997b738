"""Identities that every method keeps, and agreement with SciPy as in the lab's Block F."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.inputs.cases import CASES, Batch, Case
from bench.inputs.formats import FORMATS
from bench.measure.accuracy import complaints, measure
from bench.subjects.subject import of_method
from bench.truth.reference import compute
from numerics import (
    METHODS,
    OPERATIONS,
    Format,
    Method,
    bounds,
    log_sum_exp,
    stable_log_sum_exp,
    stable_softmax,
)
from tests.strategies import finite_rows, formats

METHOD_PARAMETERS = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@METHOD_PARAMETERS
@settings(max_examples=60)
@given(data=st.data(), format=formats)
def test_every_finite_row_is_within_its_bound(
    method: Method, data: st.DataObject, format: Format
) -> None:
    if format.name not in method.formats:
        return
    x = data.draw(finite_rows(format))
    case = Case("drawn", "random", "by hypothesis", lambda format, rng: [x])
    exact = compute(case.batches(format), format)
    with np.errstate(all="ignore"):
        for operation in OPERATIONS:
            subject = replace(of_method(method), bounds=bounds.of(method.name))
            record = measure(subject, operation, case, format, exact)
            assert complaints(subject, record) == [], x


@pytest.mark.parametrize(
    ("method", "format_name"),
    [(method, name) for method in METHODS.values() for name in method.formats if name in FORMATS],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_permutation_of_a_row_permutes_the_result_within_the_bound(
    method: Method, format_name: str
) -> None:
    format = FORMATS[format_name]
    x = np.random.default_rng(5).normal(size=(1, 50)).astype(format.dtype)
    case = Case("permuted", "random", "a permutation", lambda f, rng: [x[:, ::-1]])
    exact = compute([Batch(x[:, ::-1], np.array([0]))], format)
    subject = of_method(method)
    assert complaints(subject, measure(subject, "softmax", case, format, exact)) == []


def test_equal_logits_of_any_size_are_uniform() -> None:
    for value in (0.0, 88.0, 1e4, -1e300):
        assert (stable_softmax(np.full(8, value)) == 0.125).all()


@pytest.mark.parametrize("format_name", ["fp16", "fp32", "fp64"])  # bf16 has no bits to spare
def test_exact_shift_changes_no_bit_of_stable_softmax(format_name: str) -> None:
    dtype = FORMATS[format_name].dtype
    x = (np.random.default_rng(6).integers(-64, 64, size=(20, 30)) / 16).astype(dtype)
    assert (stable_softmax(x) == stable_softmax(x + dtype.type(32))).all()


def test_the_lab_names() -> None:
    assert log_sum_exp is stable_log_sum_exp


# Block F of the lab: fp64, the cases that are not adversarial, 1e-15 as the lab states it.
BLOCK_F = ("small magnitudes", "mixed magnitudes", "all identical", "verb vocabulary")


@pytest.mark.parametrize("name", BLOCK_F)
def test_stable_agrees_with_scipy(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    x = case.batches(FORMATS["fp64"])[0].x[0]
    np.testing.assert_allclose(stable_softmax(x), scipy.special.softmax(x), rtol=0, atol=1e-15)
    np.testing.assert_allclose(log_sum_exp(x), scipy.special.logsumexp(x), rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    "name", ["large positive", "large negative", "masked entry", "single element"]
)
def test_scipy_is_stable_on_the_adversarial_cases_too(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    x = case.batches(FORMATS["fp64"])[0].x[0]
    np.testing.assert_allclose(stable_softmax(x), scipy.special.softmax(x), rtol=0, atol=1e-15)
    np.testing.assert_allclose(log_sum_exp(x), scipy.special.logsumexp(x), rtol=1e-15, atol=0)
