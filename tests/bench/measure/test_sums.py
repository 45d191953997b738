"""Rows that add up to 1, or not: what NumPy's `choice` takes of them, and what a verdict says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.judge.verdict import Scope, complete
from bench.judge.verdicts import Cell, Verdict
from bench.measure import sums
from bench.measure.sums import Sums
from bench.show import why_words
from bench.subjects import specs
from bench.subjects.isolated import Here
from bench.truth import ahead
from numerics import exact_softmax


@pytest.mark.parametrize(
    ("dtype", "refused"), [("float32", lambda n: 50 < n < 130), ("float64", lambda n: n == 0)]
)
def test_nearest_numbers_of_fp32_are_refused_as_fp64(dtype: str, refused: Any) -> None:
    x = np.random.default_rng(7).normal(size=(200, 2)).astype(dtype)
    found = sums.of_rows(exact_softmax(x))
    assert (found.rows, found.refused) == (200, 0)
    assert refused(found.refused_as_fp64)
    assert found.defect <= 2 * float(np.finfo(dtype).eps)


def test_what_is_far_from_1_is_refused_as_it_is() -> None:
    rows = np.array([[0.5, 0.499], [0.5, 0.5]], np.float32)
    found = sums.of_rows(rows)
    assert (found.rows, found.refused, found.refused_as_fp64) == (2, 1, 1)
    assert found.defect == pytest.approx(0.001, rel=1e-4)  # fp32's places of 0.499
    assert sums.together([found, Sums(3, 0.5, 1, 2)]) == Sums(5, 0.5, 2, 3)


def off_by_a_thousandth(x: Any) -> Any:
    return (exact_softmax(x) * x.dtype.type(1.001)).astype(x.dtype)


def test_a_verdict_counts_them() -> None:
    scope = Scope(("softmax",), ("fp32",), only=("case 'normal 1'",))
    home = Here(specs.of_function(off_by_a_thousandth, "softmax"))
    found = complete(home, ahead.kept, lambda things, *_: things, scope)
    (line,) = why_words.sums(found)
    assert line == (
        "rows of softmax are 1 in sum within fp32 0.001; numpy's Generator.choice refuses 1,000 of "
        "1,000 fp32 rows, 1,000 of 1,000 fp32 rows as fp64: docs/verdict.md#rows-that-sum-to-1"
    )


def test_nothing_is_said_where_nothing_was_asked() -> None:
    none = [Cell("softmax", "fp32", True), Cell("softmax", "fp64", True, sums=Sums())]
    assert list(why_words.sums(Verdict("mine", "", "quick", none))) == []
    taken = [Cell("softmax", "fp64", True, sums=Sums(10, 2e-16, 0, 0))]
    (line,) = why_words.sums(Verdict("mine", "", "quick", taken))
    assert line.endswith("fp64 2e-16; numpy's Generator.choice takes all of them")
