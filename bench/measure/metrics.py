"""Error metrics: what a subject returned against the exact values. Total: no NaN, no exception.

    ulp error = |got - exact| / ulp(exact)

with `exact` unrounded and ulp taken in the format under test at the binade of `exact`, floored at
the spacing of subnormal numbers; a correctly rounded result is never above 0.5. A failure (NaN,
infinity or 0 where the truth is an ordinary number, or anything else where the truth is NaN or
infinite) is counted and never averaged away. Knows no subject.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bench.runs.records import SURVIVAL_THRESHOLDS, Summary
from bench.truth.exact import NARROW, Exact
from numerics.formats import FloatArray, Format

LARGEST = float(np.finfo(np.float64).max)
ROW_SUMS = {"softmax": 1.0, "cross_entropy_gradient": 0.0}
"""What the results of a row add up to."""


@dataclass(frozen=True)
class Errors:
    """One entry for each output of a batch, flat; `width` is the length of a row of outputs."""

    ulp: npt.NDArray[np.float64]
    relative: npt.NDArray[np.float64]
    absolute: npt.NDArray[np.float64]
    magnitude: npt.NDArray[np.float64]
    nan: npt.NDArray[np.bool_]
    infinity: npt.NDArray[np.bool_]
    lost_to_zero: npt.NDArray[np.bool_]
    missed_special: npt.NDArray[np.bool_]
    misrounded: npt.NDArray[np.bool_]
    width: int


def errors(got: FloatArray, exact: Exact, format: Format, width: int) -> Errors:
    """Compare each output of a batch with its exact value.

    `ulp` is infinity for NaN, infinite and missed special outputs; for a value that was lost to
    zero it is finite, and the value is counted as a failure all the same.
    """
    value = got.astype(np.float64).ravel()
    special = ~np.isfinite(exact.significand)
    truth = exact.rounded(format).astype(np.float64)
    with np.errstate(all="ignore"):
        matches = (value == truth) | (np.isnan(value) & np.isnan(truth))
        scaled = np.ldexp(value, -exact.exponent) - exact.significand
        distance = np.minimum(np.abs(scaled - exact.fraction), LARGEST)
        ulp = np.where(special, np.where(matches, 0.0, np.inf), distance)
        ulp = np.where(np.isfinite(value) | special, ulp, np.where(matches, 0.0, np.inf))
        size = np.abs(exact.significand + exact.fraction)
        magnitude = np.minimum(np.ldexp(size, exact.exponent), LARGEST)
        # Where the error has more ulps than fp64 can count, the truth is nothing beside it.
        beyond = np.abs(value - np.ldexp(exact.significand, exact.exponent))
        absolute = np.where(distance < LARGEST, np.ldexp(ulp, exact.exponent), beyond)
        absolute = np.minimum(absolute, LARGEST)
        relative = np.minimum(np.where(size > 0, ulp / size, 0.0), LARGEST)
    measured = np.isfinite(ulp) & ~special & np.isfinite(value)
    ordinary = ~special & (magnitude >= format.smallest_normal)
    return Errors(
        ulp=ulp,
        relative=np.where(measured, relative, 0.0),
        absolute=np.where(measured, absolute, 0.0),
        magnitude=np.where(measured, magnitude, 0.0),
        nan=np.isnan(value) & ~special,
        infinity=np.isinf(value) & ~special & ~matches,
        lost_to_zero=(value == 0) & ordinary,
        missed_special=special & ~matches,
        misrounded=~matches,
        width=width,
    )


def summarize(batches: Sequence[Errors]) -> Summary:
    """The figures of all batches of a case together."""
    ulp = np.concatenate([batch.ulp for batch in batches])
    finite = ulp[np.isfinite(ulp)]
    measured = finite.size > 0

    def largest(name: str) -> float | None:
        return max(_max(getattr(batch, name)) for batch in batches) if measured else None

    def count(name: str) -> int:
        return sum(int(getattr(batch, name).sum()) for batch in batches)

    return Summary(
        elements=ulp.size,
        max_ulp=float(finite.max()) if measured else None,
        mean_ulp=_mean(finite) if measured else None,
        p99_ulp=float(np.percentile(finite, 99, method="higher")) if measured else None,
        max_relative=largest("relative"),
        normwise_relative=max(map(_normwise, batches)) if measured else None,
        max_absolute=largest("absolute"),
        nan_failures=count("nan"),
        infinity_failures=count("infinity"),
        lost_to_zero=count("lost_to_zero"),
        missed_special=count("missed_special"),
        misrounded=count("misrounded"),
        survival=_survival(ulp),
    )


def _max(values: npt.NDArray[np.float64]) -> float:
    return float(values.max(initial=0.0))


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(min((values / values.size).sum(), LARGEST))


def _normwise(batch: Errors) -> float:
    error = batch.absolute.reshape(-1, batch.width).max(axis=1)
    norm = batch.magnitude.reshape(-1, batch.width).max(axis=1)
    with np.errstate(over="ignore"):
        ratio = np.divide(error, norm, out=np.zeros_like(error), where=norm > 0)
    return min(_max(ratio), LARGEST)


def _survival(ulp: npt.NDArray[np.float64]) -> list[int]:
    position = np.searchsorted(np.sort(ulp), SURVIVAL_THRESHOLDS, side="right")
    counts = [int(n) for n in ulp.size - position]
    while counts and counts[-1] == 0:
        counts.pop()
    return counts


def sum_defect(got: FloatArray, total: float = 1.0) -> float | None:
    """Largest |sum p - total| of the rows, summed without rounding; None when no row is finite."""
    rows = got.astype(np.float64)
    defects = [_defect(row, total) for row in rows if np.isfinite(row).all()]
    return max(defects, default=None)


def _defect(row: npt.NDArray[np.float64], total: float) -> float:
    try:
        return abs(math.fsum(row) - total)
    except OverflowError:
        return LARGEST


def bits(batches: Sequence[FloatArray]) -> str:
    """sha256 of the outputs, little-endian and in C order; all NaN count as one."""
    digest = hashlib.sha256()
    for got in batches:
        canonical = np.where(np.isnan(got), np.array(np.nan, got.dtype), got)
        digest.update(canonical.astype(got.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def exact_hex(exact: Exact, index: int) -> str:
    """The exact value as a hexadecimal literal, to a multiple of 2^-20 ulp and no further.

    That is what the certified oracle promises: of a value far below the smallest subnormal number
    it knows no digit, and 0 is printed. `float.fromhex` takes it, rounding to the nearest double.
    """
    significand = float(exact.significand[index])
    if not math.isfinite(significand):
        return significand.hex()
    grid = Fraction(NARROW)
    value = Fraction(significand) + round(Fraction(float(exact.fraction[index])) / grid) * grid
    if value == 0:
        return "0x0p+0"
    digits = abs(value.numerator)
    bits_after_point = digits.bit_length() - 1
    exponent = int(exact.exponent[index]) - (value.denominator.bit_length() - 1) + bits_after_point
    padded = f"{digits << -bits_after_point % 4:x}"
    return f"{'-' if value < 0 else ''}0x{padded[0]}.{padded[1:] or '0'}p{exponent:+d}"
