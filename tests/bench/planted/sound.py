"""Functions that a verdict has to let pass, each with what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from bench.judge.conditions import CONSISTENT, STRICT, Conditions
from numerics import METHODS

FEW_ULP = {"compensated": 1.0, "exact": 0.5}
"""What these methods promise; the others have bounds that grow with K and the gaps."""


LOSES_SMALL_LOSSES = ("stable", "division_free", "online", "two_pass", "base2")
"""The logarithm of a sum near 1 is 0 in these methods, as docs/methods.md says: a failure. So is
p - 1, as docs/gradient.md says.
"""
SLOW_PATHS = ("online", "exact", "base2")
"""`online` goes through rows in Python; `exact` needs its last stages for subnormal results, and
`np.exp2` takes many times as long for them on processors with AVX-512.
"""
ALWAYS = (
    ("exact", "softmax"),
    ("fast", "softmax"),
    ("log1p", "cross_entropy"),
    ("fast", "cross_entropy_gradient"),
)


@dataclass(frozen=True)
class Sound:
    """Functions by operation, in a format, and the conditions that they keep.

    `always`: judged in every run of the tests, the others with --whole-verdicts.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    asked: Conditions
    formats: tuple[str, ...] = ("fp32",)
    always: bool = False


def two_lines(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def wrapped(x: Any, axis: int = -1) -> Any:
    return pytest.importorskip("scipy.special").logsumexp(x, axis=axis)


def _of_method(name: str, operation: str, format_name: str) -> Sound:
    method = METHODS[name]
    formats = (format_name if format_name in method.formats else method.formats[0],)
    limit = dict.fromkeys(formats, FEW_ULP[name]) if name in FEW_ULP else {}
    functions = {operation: getattr(method, operation)}
    asked = replace(
        STRICT,
        max_ulp=limit,
        no_failures=operation == "softmax" or name not in LOSES_SMALL_LOSSES,
        steady_time=name not in SLOW_PATHS,
    )
    always = (name, operation) in ALWAYS
    return Sound(f"{name} {operation}", functions, asked, formats, always)


SOUND: tuple[Sound, ...] = (
    *(_of_method(name, "softmax", "fp32") for name in METHODS if name != "naive"),
    *(_of_method(name, "cross_entropy", "fp64") for name in METHODS if name != "naive"),
    *(_of_method(name, "cross_entropy_gradient", "fp32") for name in METHODS if name != "naive"),
    Sound("two lines of NumPy", {"softmax": two_lines},
          Conditions(no_failures=True, special_rows=CONSISTENT, max_ulp={"fp32": 100.0}),
          always=True),
    Sound("a wrapper of SciPy", {"log_sum_exp": wrapped},
          Conditions(special_rows=CONSISTENT), always=True),
)  # fmt: skip
