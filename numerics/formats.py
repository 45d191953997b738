"""The formats and their constants: three of IEEE 754, and bf16. Knows nothing of softmax.

NumPy has no bf16. The package `ml_dtypes` brings its dtype, and nothing here imports it: who passes
an array of it has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    `precision` counts the bits of the significand, the hidden one included; `max_exponent` is
    the exponent of the largest binade. All else follows from these two. Properties are Python
    floats, exact in every format.

    >>> FP32.unit_roundoff == 2**-24
    True
    >>> FP16.largest
    65504.0
    """

    name: str
    precision: int
    max_exponent: int

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The native NumPy dtype; TypeError for bf16 as long as nobody has imported ml_dtypes."""
        try:
            return np.dtype(self.dtype_name)
        except TypeError:
            message = "bf16 needs ml_dtypes: pip install 'softmax-numerics[bf16]', and import it"
            raise TypeError(message) from None

    @property
    def dtype_name(self) -> str:
        """The name of the dtype, which is known without it.

        >>> BF16.dtype_name
        'bfloat16'
        """
        return self.name.replace("fp", "float").replace("bf", "bfloat")

    @property
    def bits(self) -> int:
        """Of a number: sign and exponent, and the significand without its hidden bit.

        >>> FP16.bits, BF16.bits, FP64.bits
        (16, 16, 64)
        """
        return self.precision + (self.max_exponent + 1).bit_length()

    @property
    def unit_roundoff(self) -> float:
        """u = 2^-precision: the largest relative error of one rounding to nearest."""
        return math.ldexp(1.0, -self.precision)

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal binade."""
        return 1 - self.max_exponent

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return math.ldexp(2.0 - 2.0 * self.unit_roundoff, self.max_exponent)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with full precision."""
        return math.ldexp(1.0, self.min_exponent)

    @property
    def smallest_subnormal(self) -> float:
        """The smallest positive number, which is the spacing of all subnormal numbers."""
        return math.ldexp(1.0, self.min_exponent - self.precision + 1)

    @cached_property
    def exp_overflow(self) -> float:
        """The largest number of the format whose exponential does not exceed `largest`."""
        return self._rounded_towards_zero(math.log(self.largest))

    @cached_property
    def exp_underflow(self) -> float:
        """The smallest number of the format whose exponential is at least `smallest_normal`."""
        return self._rounded_towards_zero(math.log(self.smallest_normal))

    def _rounded_towards_zero(self, value: float) -> float:
        nearest = self.dtype.type(value)
        # As floats: comparing a NumPy scalar with a Python float would round the latter first.
        if abs(float(nearest)) <= abs(value):
            return float(nearest)
        return float(np.nextafter(nearest, self.dtype.type(0)))


FP16 = Format("fp16", precision=11, max_exponent=15)
FP32 = Format("fp32", precision=24, max_exponent=127)
FP64 = Format("fp64", precision=53, max_exponent=1023)

BF16 = Format("bf16", precision=8, max_exponent=127)

FORMATS: dict[str, Format] = {format.name: format for format in (FP16, FP32, FP64)}
"""The formats that NumPy has."""
ALL_FORMATS = {format.name: format for format in (FP16, BF16, FP32, FP64)}
"""And the one that `ml_dtypes` brings."""
_BY_DTYPE = {format.dtype: format for format in FORMATS.values()}


def format_of(dtype: npt.DTypeLike) -> Format:
    """The format of a dtype in any byte order; TypeError for a dtype that is none of the four.

    >>> format_of(np.float16).name
    'fp16'
    >>> format_of(">f8").name
    'fp64'
    """
    native = np.dtype(dtype).newbyteorder("=")
    if native in _BY_DTYPE:
        return _BY_DTYPE[native]
    if native.name == BF16.dtype_name:
        return BF16
    names = "float16, float32, float64 or bfloat16"
    raise TypeError(f"expected {names}, not dtype {np.dtype(dtype)}")
