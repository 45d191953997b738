"""Exact values, unrounded, as arrays of three numbers each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from numerics.formats import FloatArray, Format


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
