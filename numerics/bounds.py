"""Rounding-error bounds: one function per method and operation, each with its theorem.

Every function takes `RowFacts` and returns, for each output, a bound on the *absolute* error in
units of u:

    |computed - exact| <= u * bound

Infinity means that the theorem claims nothing there (overflow, for the unshifted formulas).

The theorems are those of Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and
softmax functions", IMA J. Numer. Anal. 41 (2021), doi:10.1093/imanum/draa038, in componentwise
form and with these refinements:

- *Their exp and log err by at most u.* NumPy's do not: `ELEMENTARY` says by how much they err.
- *Their sum is sequential*, n - 1 roundings. NumPy's is pairwise: `summation_depth`.
- *max - min* is the worst case of m - x_i; here each exponential pays its own m - x_i, and the
  denominator their average weighted by the exponentials.
- *First order in u.* Here (1 + u)^T <= e^(Tu) is kept whole (`compounded`), since u = 2^-11 is not
  small.
- *No underflow.* Here a result below the smallest normal number may err by half the spacing of
  subnormal numbers, which is u * smallest_normal.

So for example `stable_softmax` has the published n + 2 + 2R, R = max - min, as its worst case when
exp errs by u and the sum is sequential.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import FP16, FP32, FP64, FloatArray, Format

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Elementary:
    """Largest relative error, in units of u, of NumPy's exp and log in one format."""

    exp: float
    log: float


ELEMENTARY = {
    # Computed in fp32 and rounded: 1 + 2^-11. On CPUs with fp16 arithmetic Intel's SVML computes
    # them in fp16, to within one ulp = 2u; that is taken.
    FP16.name: Elementary(exp=2.0, log=2.0),
    # NumPy's own AVX2 and AVX-512 kernels, "max relative error measured across all 32-bit FP's"
    # 2.1264e-07 and 2.359e-07 (loops_exponent_log.dispatch.c.src), here with the last digit up,
    # since those are rounded; all other paths are closer.
    FP32.name: Elementary(exp=2.1265e-07 * 2**24, log=2.360e-07 * 2**24),
    # SVML's high-accuracy variants, Tang's table-driven ones, and the C libraries: within one ulp.
    FP64.name: Elementary(exp=2.0, log=2.0),
}

FP32_IN_FP16 = FP32.unit_roundoff / FP16.unit_roundoff
"""One rounding in fp32, in units of the u of fp16: `rows.row_sum` adds fp16 rows in fp32."""


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
        largest = np.asarray(self.original.max(axis=1, keepdims=True), dtype=np.float64)
        return np.asarray(~np.isfinite(largest), dtype=np.bool_)

    @cached_property
    def x(self) -> Array:
        """The logits in fp64, special rows replaced by zeros."""
        return np.where(self.special, 0.0, self.original.astype(np.float64))

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
    def log_sum(self) -> Array:
        """log sum_j exp(x_j - m) >= 0, shape (rows, 1)."""
        return np.asarray(np.log(self.shifted_exp.sum(axis=1, keepdims=True)), dtype=np.float64)

    @cached_property
    def log_sum_exp(self) -> Array:
        """y = m + log sum_j exp(x_j - m), shape (rows, 1)."""
        return self.shift + self.log_sum

    @cached_property
    def softmax(self) -> Array:
        """p_i."""
        total = self.shifted_exp.sum(axis=1, keepdims=True)
        return np.asarray(self.shifted_exp / total, dtype=np.float64)

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


Bound: TypeAlias = Callable[[RowFacts], Array]


def compounded(roundings: Array, format: Format) -> Array:
    """((1 - u)^-T - 1) / u: the relative error of T factors (1 + delta)^(+-1), in units of u.

    T may be fractional, and infinite. Uses (1 - u)^-T <= exp(T u / (1 - u)).
    """
    u = format.unit_roundoff
    with np.errstate(over="ignore"):
        return np.asarray(np.expm1(roundings * u / (1 - u)) / u, dtype=np.float64)


# --- The shifted formulas ------------------------------------------------------------------------


def _shifted_exp(rows: RowFacts) -> Array:
    """Roundings in exp(x_i - m): m - x_i for the shift, and exp itself, but exp(0) = 1 is exact."""
    return rows.gap + np.where(rows.gap > 0, ELEMENTARY[rows.format.name].exp, 0.0)


def _shifted_sum(rows: RowFacts) -> Array:
    """Roundings in sum_j exp(x_j - m): those of each term by its weight, underflow, and summation.

    A term that underflows errs by up to exp * u * smallest_normal, absolutely; the sum is >= 1.
    """
    count = rows.x.shape[1]
    shortfall = np.maximum(rows.format.smallest_normal - rows.shifted_exp, 0)
    underflow = ELEMENTARY[rows.format.name].exp * shortfall.sum(axis=1, keepdims=True)
    depth = summation_depth(count) * (FP32_IN_FP16 if rows.format == FP16 else 1.0)
    return np.asarray(rows.mean(_shifted_exp(rows)) + underflow + depth, dtype=np.float64)


def stable_softmax(rows: RowFacts) -> Array:
    """exp(x_i - m) / sum_j exp(x_j - m).

    Roundings: those of the numerator, those of the sum, and 1 for the division (in fp16 once
    more, to round). At most n + 2 + 2R when exp errs by u and the sum is sequential:
    Blanchard, Higham & Higham (2021), theorem on Algorithm 3.2 with shift.
    """
    exp = ELEMENTARY[rows.format.name].exp
    division = 1 + (FP32_IN_FP16 if rows.format == FP16 else 0.0)
    roundings = _shifted_exp(rows) + _shifted_sum(rows) + division
    return _relative(rows.softmax, roundings, rows.format) + (exp + 1) * rows.format.smallest_normal


def _relative(exact: Array, roundings: Array, format: Format) -> Array:
    """exact * compounded(roundings), 0 where the exact value is 0."""
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        return np.where(exact > 0, exact * compounded(roundings, format), 0.0)


def _log_of_sum(rows: RowFacts) -> Array:
    """Error of the computed log sum_j exp(x_j - m): the sum's relative error, and that of log."""
    u = rows.format.unit_roundoff
    argument = _shifted_sum(rows) / (1 - u)
    return argument + ELEMENTARY[rows.format.name].log * (rows.log_sum + u * argument)


def _final_rounding(exact: Array, before: Array, format: Format) -> Array:
    """Error after the last addition: what went in, plus one rounding of what came out."""
    magnitude = np.where(np.isfinite(exact), np.abs(exact), 0.0)
    with np.errstate(over="ignore"):
        return magnitude + (1 + format.unit_roundoff) * before + format.smallest_normal


def stable_log_sum_exp(rows: RowFacts) -> Array:
    """m + log sum_j exp(x_j - m): |y| for the addition, and the error of the logarithm.

    The relative bound of Blanchard, Higham & Higham (2021) divides this by |y|; near y = 0 only
    the absolute one says anything.
    """
    return _final_rounding(rows.log_sum_exp, _log_of_sum(rows), rows.format)[:, 0]


def stable_log_softmax(rows: RowFacts) -> Array:
    """(x_i - m) - log sum_j exp(x_j - m): shift, logarithm, and the last subtraction.

    Absolute: of a result far below 1 it may leave no digit, and on confident rows it does.
    """
    before = rows.gap + _log_of_sum(rows)
    return _final_rounding(rows.surprise, before, rows.format)


def stable_cross_entropy(rows: RowFacts) -> Array:
    """log_sum_exp(x) - x_y: the error of log_sum_exp, and the last subtraction."""
    before = stable_log_sum_exp(rows)
    return _final_rounding(rows.at_label(rows.surprise), before, rows.format)


# --- The unshifted formulas ----------------------------------------------------------------------


def _underflowing_exp(rows: RowFacts) -> tuple[Array, Array]:
    """Roundings in exp(x_i), and in sum_j exp(x_j); infinite where exp underflows to nothing.

    Below the smallest normal number exp errs by exp * u * smallest_normal, absolutely.
    """
    exp = ELEMENTARY[rows.format.name].exp
    log_tiny = math.log(rows.format.smallest_normal)
    with np.errstate(over="ignore", under="ignore"):
        term = exp * np.exp(np.maximum(log_tiny - rows.x, 0))
        relative_floor = np.exp(log_tiny - rows.log_sum_exp)
        total = exp * np.maximum(rows.softmax, relative_floor).sum(axis=1, keepdims=True)
    return term, total + summation_depth(rows.x.shape[1])


def _unless_overflow(rows: RowFacts, bound: Array) -> Array:
    """The bound, or infinity where a term or the sum may overflow, and on special rows."""
    largest = math.log(rows.format.largest)
    _, total = _underflowing_exp(rows)
    slack = total * rows.format.unit_roundoff
    overflow = (rows.log_sum_exp + slack > largest) | (rows.shift > rows.format.exp_overflow)
    return np.where(rows.special | overflow, math.inf, bound)


def naive_softmax(rows: RowFacts) -> Array:
    """exp(x_i) / sum_j exp(x_j): n + 3 when exp errs by u and the sum is sequential.

    Roundings: exp + those of the sum + 1 (division). Blanchard, Higham & Higham (2021), the
    unshifted case.
    """
    term, total = _underflowing_exp(rows)
    bound = _relative(rows.softmax, term + total + 1, rows.format) + rows.format.smallest_normal
    return _unless_overflow(rows, bound)


def naive_log_sum_exp(rows: RowFacts) -> Array:
    """log sum_j exp(x_j): relative 1 + (n + 1)/|y| when exp and log err by u."""
    u = rows.format.unit_roundoff
    _, total = _underflowing_exp(rows)
    argument = total / (1 - u)
    with np.errstate(over="ignore"):
        logarithm = ELEMENTARY[rows.format.name].log * (np.abs(rows.log_sum_exp) + u * argument)
    return _unless_overflow(rows, argument + logarithm + rows.format.smallest_normal)[:, 0]


def naive_log_softmax(rows: RowFacts) -> Array:
    """log of the naive softmax: its relative error rho becomes -log(1 - rho), and log adds its own.

    Nothing is claimed where the softmax may have lost all digits (rho >= 1).
    """
    u = rows.format.unit_roundoff
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rho = u * naive_softmax(rows) / rows.softmax
        argument = np.where(rho < 1, -np.log1p(-np.minimum(rho, 1)) / u, math.inf)
    log = ELEMENTARY[rows.format.name].log
    bound = argument + log * (rows.surprise + u * argument) + rows.format.smallest_normal
    return np.where(np.isnan(bound), math.inf, bound)


def naive_cross_entropy(rows: RowFacts) -> Array:
    """-log of the naive softmax at the label: as `naive_log_softmax`."""
    return rows.at_label(naive_log_softmax(rows))
