"""The last stage: one row in decimal arithmetic, at doubling precision until all is decided.

`decimal` rounds exp and ln correctly at any precision; everything else is exact in fractions, and
numbers come and go as bits, so that no processor mode for subnormal numbers matters.

It always ends. By Lindemann's theorem, as Weierstrass completed it (1885), exponentials of
different algebraic numbers are linearly independent over the algebraic numbers. So
exp(x_i) / sum_j exp(x_j), or that less 1, is rational only if all finite logits are equal; then it
is 1/n, or 1/n - 1, which is treated apart. And sum_j exp(x_j) = exp(q) for a rational q only if the
sum has one term; so log-sum-exp, and what differs from it by a rational number, is irrational but
where one logit is finite, which is treated apart. An irrational number is no midpoint of two
floating-point numbers, and intervals that shrink around it leave every midpoint outside in the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from typing import TypeAlias

from numerics.exact.rounding import codes_of
from numerics.formats import FloatArray, Format, format_of

DIGITS = 60
"""Decimal digits of the first attempt."""

OF_MINUS_INFINITY = {
    "softmax": 0.0,
    "log_softmax": -math.inf,
    "cross_entropy": math.inf,
    "cross_entropy_gradient": -1.0,
}
"""What a logit of -inf has."""

Interval: TypeAlias = tuple[Fraction, Fraction]
"""Two ends that are not part of it; or one number, if both are equal."""


class Row:
    """The exact logits of a row with at least one finite logit, and enclosures of the results."""

    def __init__(self, row: FloatArray) -> None:
        """Take the logits from the bits of a row of one of the formats."""
        self.format = format_of(row.dtype)
        self.logits = [number_of(code, self.format) for code in codes_of(row).tolist()]
        self.counts = Counter(x for x in self.logits if x is not None)
        self.largest = max(self.counts)
        self._found: dict[tuple[str, Fraction], int] = {}

    def bits(self, operation: str, i: int, label: int) -> int:
        """Bits of an operation's result for the logit i, or for the row; the label is y."""
        result, x = self.sought(operation, i, label)
        if x is None:
            return bits_of(OF_MINUS_INFINITY[result], self.format)
        if (result, x) not in self._found:  # equal logits have equal results
            self._found[result, x] = self._rounded(self.intervals(result, x))
        return self._found[result, x]

    def sought(self, operation: str, i: int, label: int) -> tuple[str, Fraction | None]:
        """Which result that is, of which logit: the gradient is softmax but for the label."""
        if operation == "log_sum_exp":
            return operation, self.largest
        of_softmax = operation == "cross_entropy_gradient" and i != label
        return "softmax" if of_softmax else operation, self.logits[i]

    def intervals(self, operation: str, x: Fraction) -> Iterator[Interval]:
        """Ever smaller ones around an operation's result for a logit, in a gradient the label's."""
        m, logs = self.largest, self._logs()
        if operation == "softmax":
            return self._softmax(x)
        if operation == "cross_entropy_gradient":
            return self._less_one(x)
        if operation == "log_softmax":
            return ((x - m - high, x - m - low) for low, high in logs)
        less = x if operation == "cross_entropy" else 0
        return ((m - less + low, m - less + high) for low, high in logs)

    def _rounded(self, intervals: Iterator[Interval]) -> int:
        return next(
            bits for low, high in intervals if (bits := rounded(low, high, self.format)) is not None
        )

    def _softmax(self, x: Fraction) -> Iterator[Interval]:
        if len(self.counts) == 1:
            yield (Fraction(1, self.counts[x]),) * 2
            return
        for (low, high), context in self._sums():
            of_x = _exp(x - self.largest, context)
            yield of_x[0] / (1 + high), of_x[1] / (1 + low)

    def _less_one(self, x: Fraction) -> Iterator[Interval]:
        """p - 1; for a largest logit -r / (1 + r), so that no digit of a small r is asked for."""
        if len(self.counts) > 1 and x == self.largest:
            return ((-high / (1 + high), -low / (1 + low)) for (low, high), _ in self._sums())
        return ((low - 1, high - 1) for low, high in self._softmax(x))

    def _logs(self) -> Iterator[Interval]:
        """l = log1p(r), exactly 0 where no other logit is finite."""
        if self.counts.total() == 1:
            yield Fraction(0), Fraction(0)
            return
        for (low, high), context in self._sums():
            yield _log1p(low, context)[0], _log1p(high, context)[1]

    def _sums(self) -> Iterator[tuple[Interval, Context]]:
        """r = sum_j exp(x_j - m) - 1 in ever smaller intervals, and in which context."""
        digits = DIGITS
        while True:
            context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
            low = high = Fraction(self.counts[self.largest] - 1)
            for x, count in self.counts.items():
                if x != self.largest:
                    below, above = _exp(x - self.largest, context)
                    low, high = low + count * below, high + count * above
            yield (low, high), context
            digits *= 2


# --- Enclosures ----------------------------------------------------------------------------------


def _exp(x: Fraction, context: Context) -> Interval:
    """exp(x), x <= 0; from 0 where it is too small to be worth its digits."""
    if x == 0:
        return Fraction(1), Fraction(1)
    if x < -7 * context.prec:
        return Fraction(0), Fraction(1, 10 ** (3 * context.prec))
    with localcontext(context):
        # x is rounded by 10^(1 - prec) of itself, at most; exp is, too.
        return _around((Decimal(x.numerator) / x.denominator).exp(), 7 * context.prec + 2, context)


def _log1p(x: Fraction, context: Context) -> Interval:
    """log1p(x), x >= 0; between x - x^2/2 and x where x is small."""
    if x < Fraction(1, 10**context.prec):
        return x - x * x / 2, x
    # With as many digits more as 1 + x needs to keep those of x.
    digits = context.prec + 2 + int(1 / x).bit_length() * 302 // 1000
    with localcontext(Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)):
        total = 1 + x
        return _around((Decimal(total.numerator) / total.denominator).ln(), 10, context)


def _around(x: Decimal, units: int, context: Context) -> Interval:
    """All numbers within units * 10^(1 - prec) of x, relative to it."""
    middle, error = Fraction(x), Fraction(units, 10 ** (context.prec - 1))
    return middle * (1 - error), middle * (1 + error)


# --- Rounding, and bits --------------------------------------------------------------------------


def rounded(low: Fraction, high: Fraction, format: Format) -> int | None:
    """Bits of what every number of an interval is rounded to, or None when that differs."""
    if low == high:
        return _nearest(low, format, round)
    below, above = _nearest(low, format, math.ceil), _nearest(high, format, math.floor)
    return below if below == above else None


def _nearest(x: Fraction, format: Format, tie: Callable[[Fraction], int]) -> int:
    """Bits of x rounded to nearest; a number that ends in 1/2 goes where `tie` sends it."""
    exponent = abs(x).numerator.bit_length() - x.denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent
    lowest = format.min_exponent - format.precision + 1
    unit = max(exponent - format.precision + 1, lowest) if x else lowest
    scaled = x / Fraction(2) ** unit
    whole = tie(scaled) if scaled.denominator == 2 else math.floor(scaled + Fraction(1, 2))
    # The upper end of an interval of negative numbers may be 0; an exact 0 is +0.
    negative = x < 0 or (x == 0 and tie is math.floor)
    return _assembled(abs(whole), unit - lowest, negative, format)


def _assembled(whole: int, place: int, negative: bool, format: Format) -> int:
    """Bits of +-whole 2^(place + lowest); a carry moves into the exponent by itself."""
    bits = whole + (place << (format.precision - 1))
    infinity = bits_of(math.inf, format)
    return min(bits, infinity) | (_sign(format) if negative else 0)


def bits_of(x: float, format: Format) -> int:
    """Bits of an infinity, or of a number that the format has."""
    if math.isfinite(x):
        return _nearest(Fraction(x), format, round)
    infinity = (2 * format.max_exponent + 1) << (format.precision - 1)
    return infinity | (_sign(format) if x < 0 else 0)


def number_of(bits: int, format: Format) -> Fraction | None:
    """The number of the format with these bits; None for an infinity or NaN."""
    fraction_bits = format.precision - 1
    exponent = (bits & (_sign(format) - 1)) >> fraction_bits
    fraction = bits & ((1 << fraction_bits) - 1)
    if exponent == 2 * format.max_exponent + 1:
        return None
    if exponent:
        fraction, exponent = fraction | 1 << fraction_bits, exponent - 1
    lowest = format.min_exponent - format.precision + 1
    value = fraction * Fraction(2) ** (exponent + lowest)
    return -value if bits & _sign(format) else value


def _sign(format: Format) -> int:
    return 1 << (8 * format.dtype.itemsize - 1)
