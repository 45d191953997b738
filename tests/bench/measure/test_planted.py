"""A fault planted in each method, which its bound or the policy must turn red."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.inputs.cases import CASES
from bench.measure.accuracy import complaints, measure
from bench.subjects.subject import SUBJECTS
from bench.truth import audited
from bench.truth.exact import Exact
from numerics import FORMATS, base2, compensated, log1p, online, rows, two_pass, widened
from numerics.fast import few, half, kernels
from numerics.rows import row_sum

BY_NAME = {case.name: case for case in CASES}
Patch = Callable[[pytest.MonkeyPatch], None]


@functools.cache
def exact_for(case_name: str, format_name: str) -> dict[str, Exact]:
    return audited.of((BY_NAME[case_name].batches(FORMATS[format_name]), format_name))


def all_complaints(method: str, operation: str, format_name: str, case_name: str) -> list[str]:
    case, format = BY_NAME[case_name], FORMATS[format_name]
    exact = exact_for(case_name, format_name)
    with np.errstate(all="ignore"):
        record = measure(SUBJECTS[method], operation, case, format, exact)
    return complaints(SUBJECTS[method], record)


def without_all_maxima(patch: pytest.MonkeyPatch) -> None:
    def others(x: Any, shifted: Any) -> Any:
        return row_sum(np.where(shifted == 0, 0, np.exp(shifted)).astype(x.dtype))

    patch.setattr(log1p, "_others", others)


def masked_blocks_shifted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(online, "_finite", lambda largest: largest)


def no_rescale(patch: pytest.MonkeyPatch) -> None:
    def running(x: Any) -> Any:
        total = row_sum(np.exp(x[:, : online.BLOCK] - x[:, : online.BLOCK].max(1, keepdims=True)))
        for start in range(online.BLOCK, x.shape[1], online.BLOCK):
            block = x[:, start : start + online.BLOCK]
            total = total + row_sum(np.exp(block - block.max(1, keepdims=True)))
        return x.max(1, keepdims=True), total

    patch.setattr(online, "_running", running)


def too_far_reaching(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(two_pass, "REACH", {name: 1e6 * r for name, r in two_pass.REACH.items()})


def wrong_ln2(patch: pytest.MonkeyPatch) -> None:
    parts = {name: (high, low * 1.01) for name, (high, low) in two_pass.LN2.items()}
    patch.setattr(two_pass, "LN2", parts)


def wrong_base(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(base2, "_exp", lambda shifted: np.exp2(shifted * shifted.dtype.type(1.4427)))


def low_part_lost(patch: pytest.MonkeyPatch) -> None:
    expm1 = compensated._expm1
    patch.setattr(compensated, "_expm1", lambda high, low: expm1(high, np.zeros_like(low)))


def tails_one_by_one(patch: pytest.MonkeyPatch) -> None:
    ldexp = np.ldexp
    row_sum_of_pairs = compensated._row_sum

    def flushed(high: Any, low: Any) -> Any:
        tiny = np.finfo(high.dtype).smallest_normal
        at_scale = ldexp(ldexp(high, -130), 130)
        return row_sum_of_pairs(np.where(abs(at_scale) < tiny, 0, at_scale), low)

    patch.setattr(compensated, "_row_sum", flushed)


def narrow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(widened, "_wider", lambda x: x)


def never_shifted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "NUMBERS", 0)
    patch.setattr(kernels, "_shift", lambda x, exponentials, sums: [])


def never_shifted_if_few(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "QUIET", {4: (np.dtype(np.float32), 1e3)})


def largest_term_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "NUMBERS", 0)
    patch.setattr(kernels, "MANY", 0)  # as in a large block
    patch.setattr(kernels, "_sum_of_others", lambda e: kernels.row_sums(e) - 1)


def all_largest_terms_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "NUMBERS", 0)
    patch.setattr(kernels, "MANY", 0)  # as in a large block
    patch.setattr(kernels, "_sum_of_others", lambda e: kernels.row_sums(e - np.floor(e)))


def one_long_sum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "row_sums", lambda x: np.add.accumulate(x, -1)[..., -1:])
    patch.setattr(kernels, "row_sums", few.row_sums)


def cut_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(half, "HALF", np.int32(0))


def label_subtracted(patch: pytest.MonkeyPatch) -> None:
    def put_at(x: Any, labels: Any, values: Any) -> Any:
        return rows.put_at(x, labels, 0) if np.isscalar(values) else rows.less_one_at(x, labels)

    patch.setattr(log1p, "put_at", put_at)


def label_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(few, "NUMBERS", 0)
    patch.setattr(kernels, "put_at", lambda x, labels, values: x)


def largest_left_out(patch: pytest.MonkeyPatch) -> None:
    without = compensated._sum_without
    patch.setattr(
        compensated,
        "_sum_without",
        lambda label, a, b, n: without((n + np.log2(a)).argmax(axis=1), a, b, n),
    )


PLANTED: list[tuple[Patch, str, str, str, str]] = [
    (without_all_maxima, "log1p", "log_softmax", "fp32", "equal"),
    (masked_blocks_shifted, "online", "softmax", "fp64", "mask left"),
    (no_rescale, "online", "softmax", "fp32", "ascending"),
    (too_far_reaching, "two_pass", "softmax", "fp32", "offset"),
    (wrong_ln2, "two_pass", "softmax", "fp32", "near overflow"),
    (wrong_base, "base2", "softmax", "fp32", "normal 5"),
    (low_part_lost, "compensated", "softmax", "fp32", "normal 5"),
    (tails_one_by_one, "compensated", "log_softmax", "fp32", "confident and long"),
    (narrow, "widened", "softmax", "fp32", "normal 5"),
    (never_shifted, "fast", "softmax", "fp32", "large positive"),
    (never_shifted_if_few, "fast", "softmax", "fp32", "large positive"),
    (largest_term_kept, "fast", "log_softmax", "fp32", "confident"),
    (all_largest_terms_lost, "fast", "log_softmax", "fp32", "equal"),
    (one_long_sum, "fast", "softmax", "fp32", "normal 5 K=4096"),
    (cut_off, "fast", "softmax", "fp16", "normal 5"),
    (label_subtracted, "log1p", "cross_entropy_gradient", "fp32", "label likeliest"),
    (label_kept, "fast", "cross_entropy_gradient", "fp32", "label likeliest"),
    (largest_left_out, "compensated", "cross_entropy_gradient", "fp64", "label least likely"),
]


@pytest.mark.parametrize(
    ("fault", "method", "operation", "format_name", "case_name"),
    PLANTED,
    ids=[f"{fault.__name__}-{method}" for fault, method, *_ in PLANTED],
)
def test_a_fault_turns_red_what_was_green(
    fault: Patch,
    method: str,
    operation: str,
    format_name: str,
    case_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert all_complaints(method, operation, format_name, case_name) == []
    fault(monkeypatch)
    assert all_complaints(method, operation, format_name, case_name)


def test_a_result_that_should_be_zero_may_not_be_anything() -> None:
    """In fp64 an error of 1 where the truth is 0 has more ulps than there are numbers."""
    case, format = BY_NAME["single element"], FORMATS["fp64"]
    exact = exact_for("single element", "fp64")
    for wrong in (1.0, 1e6, 1e300, 1e-10):
        functions = {"log_softmax": lambda x, wrong=wrong: np.full_like(x, wrong)}
        for name in ("stable", "two_pass", "division_free", "compensated"):
            subject = dataclasses.replace(SUBJECTS[name], functions=functions)
            record = measure(subject, "log_softmax", case, format, exact)
            assert complaints(subject, record), (name, wrong)
