"""Exact values, unrounded, as arrays of three numbers each.

Rounding to a format is integer arithmetic on mpmath's mantissa and exponent, because `float(mpf)`
misrounds subnormal numbers (mpmath#942).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray, Format

Parts: TypeAlias = tuple[int, float, int]

NARROW = 2.0**-20
"""Ulps that a fraction may be off by, where the certified oracle gives it."""


class DisagreementError(RuntimeError):
    """mpmath says something else than the certified oracle; `row` is the file that has the row."""

    def __init__(self, message: str, row: Path) -> None:  # noqa: D107
        super().__init__(f"{message}; kept in {row}")
        self.row = row


@dataclass(frozen=True)
class Exact:
    """Unrounded values (significand + fraction) * 2^exponent, flat, one for each output.

    2^exponent is the ulp of the format at the binade of the value, floored at the spacing of
    subnormal numbers; the significand is an integer, and |fraction| <= 1/2. So the significand
    alone is the value rounded to nearest, ties to even. NaN and infinities stand in the
    significand.
    """

    significand: npt.NDArray[np.float64]
    fraction: npt.NDArray[np.float64]
    exponent: npt.NDArray[np.int32]

    def rounded(self, format: Format) -> FloatArray:
        """The floating-point numbers nearest to the values; beyond the largest, infinity."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.significand, self.exponent).astype(format.dtype)

    def __getitem__(self, part: slice) -> Exact:
        """A slice of the outputs."""
        return Exact(self.significand[part], self.fraction[part], self.exponent[part])


LAYOUT = np.dtype([("significand", "<f8"), ("fraction", "<f8"), ("exponent", "<i4")])


def unpack(packed: npt.NDArray[np.void]) -> Exact:
    """The three numbers of each output, apart."""
    return Exact(packed["significand"], packed["fraction"], packed["exponent"])


def split(value: Any, format: Format) -> Parts:
    """An mpf as (significand, fraction, exponent) of `Exact`, by integer arithmetic alone."""
    sign, mantissa, exponent, bits = value._mpf_
    mantissa = int(mantissa)
    if mantissa == 0:
        raise ValueError(f"{value} has no parts: zero, NaN and infinity are treated apart")
    binade = max(exponent + bits - 1, format.min_exponent)
    ulp_exponent = binade - format.precision + 1
    shift = exponent - ulp_exponent
    if shift >= 0:
        return (-1 if sign else 1) * (mantissa << shift), 0.0, ulp_exponent
    if bits + shift < -1:  # far below half an ulp: exp(-1e9) has no room for 2^-shift
        fraction = math.ldexp(mantissa / (1 << bits), bits + shift)
        return 0, -fraction if sign else fraction, ulp_exponent
    unit = 1 << -shift
    significand, remainder = divmod(mantissa, unit)
    if 2 * remainder > unit or (2 * remainder == unit and significand % 2):
        significand, remainder = significand + 1, remainder - unit
    fraction = remainder / unit
    return (
        (-significand, -fraction, ulp_exponent) if sign else (significand, fraction, ulp_exponent)
    )
