"""What rounding-error theorems rest on: NumPy's own errors, and the facts of a batch of rows.

Holds no bound of any method; those are in `numerics.bounds`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import BF16, FP16, FP32, FP64, FloatArray, Format

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Elementary:
    """Largest relative error, in units of u, of NumPy's elementary functions in one format."""

    exp: float
    log: float
    log1p: float
    exp2: float
    log2: float


ELEMENTARY = {
    # Computed in fp32 and rounded: 1 + 2^-11. On CPUs with fp16 arithmetic Intel's SVML computes
    # them in fp16, to within one ulp = 2u; that is taken.
    FP16.name: Elementary(exp=2.0, log=2.0, log1p=2.0, exp2=2.0, log2=2.0),
    # Computed in fp32 by the C library, to within two ulp = 4 u of fp32 = 2^-14 u, and rounded.
    BF16.name: Elementary(**dict.fromkeys(("exp", "log", "log1p", "exp2", "log2"), 1 + 2.0**-13)),
    # exp: NumPy's own AVX2 and AVX-512 kernels, "max relative error measured across all 32-bit
    # FP's" 2.1264e-07 (loops_exponent_log.dispatch.c.src), here with the last digit up, since it
    # is rounded. For log the same comment says 2.359e-07 = 3.96 u, but log(0x1.7e29c4p-1) errs by
    # 4.577 u; that is the most in [1/2, 2), all of which tests/numerics/test_bounds.py measures.
    # The others: within two ulp = 4 u. A scan of every fp32 number finds 1.866 u for log1p on a
    # processor without AVX-512. On one with it, an earlier dense scan, not of all numbers, found
    # 3.399 u, and samples of exp2 and log2 found 2.9 and 2.5 u.
    FP32.name: Elementary(exp=2.1265e-07 * 2**24, log=4.6, log1p=4.0, exp2=4.0, log2=4.0),
    # C libraries and, since NumPy 2.0, SVML's high-accuracy variants stay within one ulp = 2 u.
    # NumPy 1.26 has SVML's faster ones: 1.82 u measured for exp, 3.25 u for log.
    FP64.name: Elementary(exp=3.0, log=4.0, log1p=4.0, exp2=4.0, log2=4.0),
}


def fp32_in(format: Format) -> float:
    """One rounding in fp32, in units of the u of a format of 16 bits, whose sums are fp32."""
    return FP32.unit_roundoff / format.unit_roundoff


def before_narrowing(format: Format) -> float:
    """Roundings, in units of u, of what is computed with a sum: one in fp32 before that to 16 bits.

    Wider formats have none besides their own.
    """
    return fp32_in(format) if format.bits == 16 else 0.0


def on_sums(format: Format) -> tuple[Elementary, float]:
    """For what is computed from a row's sum: errors of elementary functions, and one rounding.

    In units of the u of the format; sums of fp16 and bf16 rows are fp32.
    """
    if format.bits != 16:
        return ELEMENTARY[format.name], 1.0
    unit = fp32_in(format)
    errors = {name: value * unit for name, value in vars(ELEMENTARY[FP32.name]).items()}
    return Elementary(**errors), unit


def summation_depth(n: int) -> int:
    """Roundings on the longest path of NumPy's pairwise sum of n contiguous numbers.

    By first-order error analysis of any summation tree (Higham, Accuracy and Stability of
    Numerical Algorithms, section 4.2), the relative error of a sum of non-negative numbers is at
    most depth * u. NumPy builds a tree of all numbers, or adds the first one to a tree of the
    others: eight accumulators in blocks of up to 128, blocks in pairs (`pairwise_sum` in
    loops_utils.h.src).

    >>> [summation_depth(n) for n in (1, 5, 600, 50257)]
    [0, 4, 23, 25]
    """
    return 0 if n == 1 else max(1 + _pairwise_depth(n - 1), _pairwise_depth(n))


def _pairwise_depth(n: int) -> int:
    if n < 8:
        return n - 1
    if n <= 128:
        return n // 8 - 1 + 3 + n % 8
    half = n // 2 - (n // 2) % 8
    return 1 + max(_pairwise_depth(half), _pairwise_depth(n - half))


@dataclass(frozen=True)
class RowFacts:
    """What the theorems need to know about a batch of rows.

    `x` has shape (rows, K) and was rounded to `format`; everything is computed from it in fp64,
    which is exact enough for a bound. A special row (NaN, +inf, or only -inf) is replaced by zeros:
    its result is a published constant, rounded twice at most, which any bound for equal logits
    covers.
    """

    original: FloatArray
    format: Format
    labels: npt.NDArray[np.intp]

    @cached_property
    def special(self) -> npt.NDArray[np.bool_]:
        """Rows that the special-value policy covers, shape (rows, 1)."""
        largest = self._wide.max(axis=1, keepdims=True)
        return np.asarray(~np.isfinite(largest), dtype=np.bool_)

    @cached_property
    def x(self) -> Array:
        """The logits in fp64, special rows replaced by zeros."""
        return np.where(self.special, 0.0, self._wide)

    @cached_property
    def _wide(self) -> Array:
        """The logits in fp64: ml_dtypes warns of NaN in a maximum, NumPy of a signalling one."""
        with np.errstate(invalid="ignore"):
            return self.original.astype(np.float64)

    @cached_property
    def shift(self) -> Array:
        """m = max_j x_j, shape (rows, 1)."""
        return np.asarray(self.x.max(axis=1, keepdims=True), dtype=np.float64)

    @cached_property
    def gap(self) -> Array:
        """m - x_i >= 0; halved before the subtraction, which may overflow to inf as it should."""
        with np.errstate(over="ignore"):
            return np.asarray(2.0 * (self.shift / 2 - self.x / 2))

    @cached_property
    def shifted_exp(self) -> Array:
        """exp(x_i - m)."""
        with np.errstate(under="ignore"):
            return np.asarray(np.exp(-self.gap))

    @cached_property
    def other_exp(self) -> Array:
        """exp(x_j - m) with 0 in place of one largest term."""
        others = self.shifted_exp.copy()
        np.put_along_axis(others, self.x.argmax(axis=1, keepdims=True), 0, axis=1)
        return others

    @cached_property
    def others(self) -> Array:
        """r = sum_j exp(x_j - m) - 1, shape (rows, 1)."""
        return np.asarray(self.other_exp.sum(axis=1, keepdims=True), dtype=np.float64)

    @cached_property
    def log_sum(self) -> Array:
        """log sum_j exp(x_j - m) = log1p(r) >= 0, shape (rows, 1)."""
        return np.asarray(np.log1p(self.others), dtype=np.float64)

    @cached_property
    def log_sum_exp(self) -> Array:
        """y = m + log sum_j exp(x_j - m), shape (rows, 1)."""
        return self.shift + self.log_sum

    @cached_property
    def softmax(self) -> Array:
        """p_i."""
        return np.asarray(self.shifted_exp / (1 + self.others), dtype=np.float64)

    @cached_property
    def gradient(self) -> Array:
        """|p_i - [i = y]|: at the label the sum of the other terms, in which nothing cancels."""
        return self.with_label(
            self.softmax, self.without_label.sum(axis=1) / (1 + self.others)[:, 0]
        )

    @cached_property
    def without_label(self) -> Array:
        """exp(x_j - m) with 0 in place of the label's."""
        return self.with_label(self.shifted_exp, 0.0)

    @cached_property
    def surprise(self) -> Array:
        """-log p_i >= 0."""
        return np.asarray(self.gap + self.log_sum, dtype=np.float64)

    def mean(self, values: Array) -> Array:
        """sum_i p_i values_i, shape (rows, 1); an entry of probability 0 adds nothing."""
        with np.errstate(invalid="ignore", under="ignore"):
            terms = np.where(self.softmax > 0, self.softmax * values, 0.0)
        return np.asarray(terms.sum(axis=1, keepdims=True), dtype=np.float64)

    def at_label(self, values: Array) -> Array:
        """The column of each row that its label names, shape (rows,)."""
        picked = np.take_along_axis(values, self.labels[:, np.newaxis], axis=1)
        return np.asarray(picked[:, 0], dtype=np.float64)

    def with_label(self, values: Array, at_label: npt.ArrayLike) -> Array:
        """Values with others, shape (rows,), in the column of each row that its label names."""
        changed = values.copy()
        changed[np.arange(len(values)), self.labels] = at_label
        return changed


Bound: TypeAlias = Callable[[RowFacts], Array]


LARGEST_FACTOR = 8
"""No factor that a theorem counts is off by more than so many u; the most is log's 4.6."""


def on_a_logarithm(roundings: Array, format: Format) -> Array:
    """What a product of factors (1 + e_k u)^(+-1), sum |e_k| = T, adds to a logarithm, in u.

    |log(1 + x)| <= |x| / (1 - |x|), so with no |e_k| above 8 the sum of the logarithms is at most
    T u / (1 - 8 u), whichever way each factor goes.
    """
    return np.asarray(roundings / (1 - LARGEST_FACTOR * format.unit_roundoff), dtype=np.float64)


def compounded(roundings: Array, format: Format) -> Array:
    """Relative error, in units of u, of a product of factors (1 + e_k u)^(+-1), sum |e_k| = T.

    T may be fractional, and infinite. The logarithm of the product is at most that of
    `on_a_logarithm`.
    """
    u = format.unit_roundoff
    with np.errstate(over="ignore"):
        return np.asarray(np.expm1(on_a_logarithm(roundings, format) * u) / u, dtype=np.float64)
