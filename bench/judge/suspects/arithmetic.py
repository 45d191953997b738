"""What a formula is computed with: formats, the way to add up, and the freedom that it leaves.

Two programs with one formula differ by a unit or two: their exponentials err, and they add up in
another order. `varied` makes such programs, so that what a formula says is an interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from numerics.formats import BF16, FP16, FP32, FP64, FloatArray, Format

Rounding: TypeAlias = Callable[[FloatArray], FloatArray]
VARIANTS = 6
"""Programs of each formula; more would widen the intervals by little."""


@dataclass(frozen=True)
class Arithmetic:
    """A way to compute a formula; `words` says what is odd about it, in a sentence on the formula.

    `work` is the format of every step. `kept` rounds what is added up, with each addition if
    `stepwise`, and else once at the end. `in_order`: sums go from left to right. `reciprocal`: it
    multiplies by 1/s. `noise`: a stream for one of the possible programs, whose exponentials and
    logarithms err by up to `errs` places.
    """

    words: str
    work: np.dtype[Any]
    kept: Rounding | None = None
    stepwise: bool = True
    in_order: bool = False
    reciprocal: bool = False
    noise: np.random.Generator | None = None
    errs: int = 1

    def exp(self, x: FloatArray) -> FloatArray:
        """exp; that of 0 is 1 everywhere."""
        return self._nudged(np.exp(x), x != 0)

    def exp2(self, x: FloatArray) -> FloatArray:
        """2^x."""
        return self._nudged(np.exp2(x), x != 0)

    def log(self, x: FloatArray) -> FloatArray:
        """log; that of 1 is 0 everywhere."""
        return self._nudged(np.log(x), x != 1)

    def log1p(self, x: FloatArray) -> FloatArray:
        """log(1 + x)."""
        return self._nudged(np.log1p(x), x != 0)

    def sum(self, x: FloatArray) -> FloatArray:
        """Sum of each row, shape (rows, 1)."""
        if self.noise is not None:
            x = x[:, self.noise.permutation(x.shape[1])]
        if self.kept is not None and self.stepwise:
            return self._one_by_one(x, self.kept)
        wide = x.astype(np.float32) if x.itemsize == 2 else x
        total: FloatArray
        if self.in_order:
            total = np.add.accumulate(wide, axis=1)[:, -1:]
        else:
            total = np.add.reduce(wide, axis=1, keepdims=True)
        return total if self.kept is None else self.kept(total).astype(x.dtype)

    def ratio(self, x: FloatArray, total: FloatArray) -> FloatArray:
        """x / total."""
        return x * (1 / total) if self.reciprocal else x / total

    def _one_by_one(self, x: FloatArray, kept: Rounding) -> FloatArray:
        total = np.zeros((len(x), 1), x.dtype)
        for column in x.T:
            total = kept(total + kept(column[:, np.newaxis])).astype(x.dtype)
        return total

    def _nudged(self, y: FloatArray, inexact: Any) -> FloatArray:
        """Some results a little up or down. Of 16 bits every program rounds a wider result."""
        if self.noise is None or y.itemsize == 2:
            return y
        by = self.noise.integers(-self.errs, self.errs + 1, size=y.shape) * (
            inexact & np.isfinite(y) & (y != 0)
        )
        nudged: FloatArray = y + by.astype(y.dtype) * np.spacing(np.where(by, y, 1))
        return nudged

    def varied(self, seed: int) -> Iterator[Arithmetic]:
        """The same without noise first, then `VARIANTS` programs."""
        yield self
        for number in range(VARIANTS):
            yield replace(self, noise=np.random.default_rng([seed, number]))


def to_fp16(x: FloatArray) -> FloatArray:
    """The nearest numbers of fp16, in the format of x."""
    return x.astype(np.float16).astype(x.dtype)


def to_bf16(x: FloatArray) -> FloatArray:
    """The nearest numbers of bf16, in the format of x; the upper half of fp32, ties to even."""
    bits = x.astype(np.float32).view(np.uint32)
    rounded = bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)
    nearest: FloatArray = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isfinite(x), nearest, x).astype(x.dtype)


def arithmetics(format: Format) -> list[Arithmetic]:
    """The ways for a format, the plain one first."""
    plain = Arithmetic("", format.dtype)
    if format == FP64:
        return [plain, Arithmetic("everything in fp32", FP32.dtype)]
    # bf16 is not added up in fp16, which has less range: on most rows both sums are the same.
    sums = [row for row in SUMS if format != BF16 or row[1] is to_bf16]
    found = [plain, *(_with_sums(plain, *row) for row in sums)]
    if format == FP32:
        found += [Arithmetic("everything in fp64, rounded once", FP64.dtype),
                  Arithmetic("everything in fp16", FP16.dtype)]  # fmt: skip
    else:
        found.append(Arithmetic("everything in fp32, rounded once", FP32.dtype))
    return found


SUMS: tuple[tuple[str, Rounding, bool], ...] = (
    ("the sum kept in fp16", to_fp16, True),
    ("the sum rounded to fp16", to_fp16, False),
    ("the sum kept in bf16", to_bf16, True),
    ("the sum rounded to bf16", to_bf16, False),
)


def _with_sums(plain: Arithmetic, words: str, kept: Rounding, stepwise: bool) -> Arithmetic:
    return replace(plain, words=words, kept=kept, stepwise=stepwise)
