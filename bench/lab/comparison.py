"""naive against stable on the lab's eight cases, side by side. Computes; writes nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.inputs.cases import CASES, LAB_LABEL, Case
from numerics import FORMATS, METHODS, Format, Method

LAB_METHODS = ("naive", "stable")


@dataclass(frozen=True)
class Outcome:
    """What one implementation made of one case: its output, and the figures the lab asks for.

    `cross_entropy` is a float, or the message of the IndexError where label 1 does not exist.
    """

    output: list[float]
    has_nan: bool
    sum: float
    largest: float
    cross_entropy: float | str


@dataclass(frozen=True)
class Comparison:
    """Both implementations on one case in one format.

    `relative_difference` is |naive - stable| / stable for each entry, NaN where naive is not valid.
    """

    case: str
    format: str
    naive: Outcome
    stable: Outcome
    relative_difference: list[float]


def run_lab() -> list[Comparison]:
    """The eight cases in all three formats, in the lab's order."""
    cases = [case for case in CASES if case.family == "lab"]
    return [_compare(case, format) for case in cases for format in FORMATS.values()]


def _compare(case: Case, format: Format) -> Comparison:
    x = case.batches(format)[0].x[0]
    naive, stable = (_outcome(METHODS[name], x) for name in LAB_METHODS)
    return Comparison(
        case=case.name,
        format=format.name,
        naive=naive,
        stable=stable,
        relative_difference=list(map(_relative_difference, naive.output, stable.output)),
    )


def _outcome(method: Method, x: Any) -> Outcome:
    with np.errstate(all="ignore"):  # naive warns where it breaks; its NaNs are the finding
        output = [float(p) for p in method.softmax(x)]
        try:
            cross_entropy: float | str = float(method.cross_entropy(x, LAB_LABEL))
        except IndexError as error:
            cross_entropy = f"IndexError: {error}"
    has_nan = any(math.isnan(p) for p in output)
    return Outcome(
        output=output,
        has_nan=has_nan,
        sum=math.nan if has_nan else math.fsum(output),
        largest=math.nan if has_nan else max(output),
        cross_entropy=cross_entropy,
    )


def _relative_difference(naive: float, stable: float) -> float:
    if math.isnan(naive):
        return math.nan
    return abs(naive - stable) / stable if stable else abs(naive - stable)
