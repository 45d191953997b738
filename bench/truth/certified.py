"""The certified oracle: exact values from the stages of `numerics.exact`, with their proved error.

`evaluate` gives the `Exact` of `reference.compute`, a thousand times faster: fractions within
2^-20 ulp, significands rounded right. Each stage encloses the outputs, and what an enclosure leaves
open goes on to the next one; `decimals` ends with whatever is left. Nothing here computes an
exponential. It is not believed: `audit` holds it to mpmath.

Where a softmax is so near a power of two that no stage sees on which side, algebra does: it is
below 1/t if t logits are the largest and another one is finite; of two that differ, the larger
has more than 1/2; equal ones have 1/n. So does 1 - p_y, the gradient at the label: of a logit of
-inf it is 1, and of one that others can be seen beside less; of two that differ, it is p of the
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.truth.exact import NARROW, Exact
from bench.truth.places import AT_POWER, SURE, UNSURE, Places, places
from numerics.exact import decimals
from numerics.exact.decimals import Interval
from numerics.exact.rounding import lowest_unit, magnitudes
from numerics.exact.stages import BATCH, LONGEST, Stage, flushes_subnormal, stages_of
from numerics.formats import FP64, FloatArray, Format
from numerics.method import ELEMENTWISE, LABELLED
from numerics.rows import POLICIES, Labels, Special, at_label, special_rows

SHARES = ("softmax", "cross_entropy_gradient")
"""The operations whose results are 1 at most in magnitude."""

Last: TypeAlias = Callable[..., None]
"""What is done with the outputs that no other stage tells."""


class FlushedError(RuntimeError):
    """The processor takes subnormal numbers for 0: something in this process has told it to."""


def evaluate(operation: str, x: FloatArray, labels: Labels, format: Format) -> Exact:
    """Exact values of an operation on rows of shape (rows, K), flat; special rows by the policy.

    Labels are for the operations that take them, from 0 to K - 1.
    """
    return _evaluated(operation, x, labels, format, None, _decide).exact()


def estimate(
    operation: str, x: FloatArray, labels: Labels, format: Format
) -> tuple[Exact, npt.NDArray[np.bool_]]:
    """The same for the outputs that the second array has as True, shape (rows,) or (rows, K).

    The others, few of most rows, would take the later stages a multiple of the time. They have what
    the first one says: to search with, not to report.
    """
    found = _evaluated(operation, x, labels, format, 1, _leave)
    return found.exact(), found.knowledge == SURE


def _evaluated(
    operation: str, x: FloatArray, labels: Labels, format: Format, count: int | None, last: Last
) -> Places:
    """By so many stages, and then by `last`."""
    if flushes_subnormal():
        raise FlushedError("subnormal numbers are flushed to 0 in this process: no exact values")
    found = Places.empty(x.shape if operation in ELEMENTWISE else x.shape[:1])
    stages = stages_of(format)[:count] if x.shape[1] <= LONGEST else ()
    height = max(1, BATCH // x.shape[1])
    for start in range(0, len(x), height):
        rows = slice(start, start + height)
        _batch(stages, operation, x[rows], labels[rows], found[rows], format, last)
    return found


def _batch(
    stages: Sequence[Stage],
    operation: str,
    x: FloatArray,
    labels: Labels,
    out: Places,
    format: Format,
    last: Last,
) -> None:
    """Rows of -inf alone count as equal logits, as the policy has it."""
    special = _special(operation, x)
    if special:
        x = x.copy()
        for at, _ in special:
            x[at] = 0
    with np.errstate(all="ignore"):
        _fill(stages, operation, x, labels, out, format, None, last)
    for at, value in special:
        if not np.isfinite(value).all():
            out.significand[at], out.fraction[at] = value, 0.0
            out.exponent[at] = lowest_unit(format)


def _special(operation: str, x: FloatArray) -> Special:
    """Rows that the policy decides; looking at all logits at once is quicker than row by row."""
    if magnitudes(x).max(initial=0) < magnitudes(np.array(np.inf, x.dtype)):
        return []
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of NaN
        return special_rows(POLICIES[operation], x.max(axis=1), x.shape[1])


def _fill(
    stages: Sequence[Stage],
    operation: str,
    x: FloatArray,
    labels: Labels,
    out: Places,
    format: Format,
    wanted: npt.NDArray[np.bool_] | None,
    last: Last,
) -> None:
    """What a stage tells, and then the others about rows with outputs that it leaves open."""
    if not stages:
        last(operation, x, labels, out, format, wanted)
        return
    for where, value in stages[0].operations[operation](x, labels, wanted):
        found = places(value.enclosed(), format)
        out.put(where, found, None if wanted is None else wanted[where])
    if operation in SHARES:
        _take_sides(x, labels if operation in LABELLED else None, out, format)
    elif operation == "log_sum_exp":
        _doubt_signs(x, out)
    if format == FP64 and operation not in SHARES:
        _doubt_overflow(operation, x, labels, out)
    unsure = out.knowledge != SURE
    at = np.flatnonzero(unsure.reshape(len(x), -1).any(axis=1))
    if at.size:
        some = out[at]
        _fill(stages[1:], operation, x[at], labels[at], some, format, unsure[at], last)
        out.put(at, some)


def _doubt_signs(x: FloatArray, out: Places) -> None:
    """Where m and l cancel to nearly nothing, the sign of that may be in doubt."""
    nothing = (out.significand == 0) & (np.abs(out.fraction) <= NARROW)
    if nothing.any():
        out.knowledge[nothing & (x.max(axis=1) != 0)] = UNSURE


def _doubt_overflow(operation: str, x: FloatArray, labels: Labels, out: Places) -> None:
    """Infinities of finite logits: there are numbers beyond the largest of fp64."""
    infinite = np.isinf(out.significand)
    if infinite.any():
        logits = {
            "log_softmax": x,
            "log_sum_exp": x.max(axis=1),
            "cross_entropy": at_label(x, labels),
        }[operation]
        out.knowledge[infinite & np.isfinite(logits)] = UNSURE


def _take_sides(x: FloatArray, labels: Labels | None, out: Places, format: Format) -> None:
    """On which side of a power of two a softmax or 1 - p_y is, where algebra says it."""
    row, column = np.nonzero(out.knowledge == AT_POWER)
    if not row.size:
        return
    inverse = np.ldexp(1.0, 1 - format.precision - out.exponent[row, column])
    equal, below, above = _sides_of_softmax(x, row, column, inverse)
    if labels is not None:
        found = _sides_at_label(x, row, column, inverse)
        at = labels[row] == column
        equal, below, above = np.where(at, found, (equal, below, above))
    sign = np.copysign(1.0, out.significand[row, column])
    fraction = sign * out.fraction[row, column]
    hidden = 2.0 ** (format.precision - 1)
    out.significand[row, column] = sign * np.where(below, 2 * hidden, hidden)
    fraction = np.where(below, np.minimum(2 * fraction, 0), np.maximum(fraction, 0))
    out.fraction[row, column] = np.where(equal, 0.0, sign * fraction)
    out.exponent[row, column] -= below
    known = np.where(equal | below | above, np.uint8(SURE), np.uint8(UNSURE))
    out.knowledge[row, column] = known


Sides = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
"""Of outputs next to a power of two: whether each is equal to it, below it, above it."""


def _sides_of_softmax(x: FloatArray, row: Labels, column: Labels, inverse: FloatArray) -> Sides:
    """Of the softmax of logits, each next to 1 / inverse."""
    finite, tied, of_largest = _counted(x, row, column)
    equal, of_two = tied == finite, (inverse == 2) & (finite == 2)
    below = ~equal & np.where(of_largest, inverse == tied, of_two)
    return equal, below, ~equal & of_largest & of_two


def _sides_at_label(x: FloatArray, row: Labels, column: Labels, inverse: FloatArray) -> Sides:
    """Of 1 - p of logits, each next to 1 / inverse: of two finite ones, p of the other."""
    finite, tied, of_largest = _counted(x, row, column)
    masked, of_two = np.isneginf(x[row, column]), (inverse == 2) & (finite == 2)
    equal = masked | (of_two & (tied == 2))
    below = ~equal & ((inverse == 1) | (of_two & of_largest))
    # One of two largest logits has less than 1/2 where a third has some; all others then have more.
    above = (inverse == 2) & ~of_largest & (finite == 2)
    above |= (inverse == 2) & of_largest & (tied == 2) & (finite > 2)
    return equal, below, ~equal & above


def _counted(x: FloatArray, row: Labels, column: Labels) -> tuple[Labels, Labels, Labels]:
    """How many logits of a row are finite, how many are the largest, and whether this one is."""
    rows, which = np.unique(row, return_inverse=True)
    largest = x[rows].max(axis=1)
    finite = np.count_nonzero(x[rows] > -np.inf, axis=1)[which]
    tied = np.count_nonzero(x[rows] == largest[:, np.newaxis], axis=1)[which]
    return finite, tied, x[row, column] == largest[which]


def _leave(
    operation: str,
    x: FloatArray,
    labels: Labels,
    out: Places,
    format: Format,
    wanted: npt.NDArray[np.bool_] | None,
) -> None:
    """Nothing: rows of no stage at all are NaN then."""
    if wanted is None:
        out.significand[...], out.fraction[...], out.knowledge[...] = np.nan, 0.0, UNSURE
        out.exponent[...] = 0


def _decide(
    operation: str,
    x: FloatArray,
    labels: Labels,
    out: Places,
    format: Format,
    wanted: npt.NDArray[np.bool_] | None,
) -> None:
    """The last stage, output by output."""
    shape = out.significand.shape
    asked = np.ones(shape, np.bool_) if wanted is None else wanted
    rows: dict[int, decimals.Row] = {}
    for at in zip(*map(np.ndarray.tolist, np.nonzero(asked)), strict=True):
        i = at[0]
        row = rows.setdefault(i, decimals.Row(x[i]))
        result, logit = row.sought(
            operation, at[-1] if len(at) == 2 else int(labels[i]), int(labels[i])
        )
        parts = _known(result, format) if logit is None else _narrowed(row, result, logit)
        out.significand[at], out.fraction[at], out.exponent[at] = parts
        out.knowledge[at] = SURE


Parts = tuple[float, float, int]


def _known(operation: str, format: Format) -> Parts:
    """Of a logit of -inf."""
    value = decimals.OF_MINUS_INFINITY[operation]
    if math.isinf(value):
        return value, 0.0, lowest_unit(format)
    (significand, exponent), fraction = _place(Fraction(value), format)
    return float(significand), float(fraction), exponent


def _narrowed(row: decimals.Row, operation: str, logit: Fraction) -> Parts:
    intervals = row.intervals(operation, logit)
    return next(parts for one in intervals if (parts := _parts(one, row.format)) is not None)


def _parts(interval: Interval, format: Format) -> Parts | None:
    """The three numbers, if an interval has one answer and is narrow."""
    (low, of_low), (high, of_high) = (_place(end, format) for end in interval)
    if low != high or abs(of_high - of_low) > NARROW or (of_low < 0 < of_high and not low[0]):
        return None
    return float(low[0]), float((of_low + of_high) / 2), low[1]


def _place(x: Fraction, format: Format) -> tuple[tuple[int, int], Fraction]:
    """(significand, exponent) and the fraction of a rational number."""
    lowest = lowest_unit(format)
    unit = lowest
    if x:
        binade = abs(x).numerator.bit_length() - x.denominator.bit_length()
        binade -= abs(x) < Fraction(2) ** binade
        unit = max(binade - format.precision + 1, lowest)
    scaled = x / Fraction(2) ** unit
    return (round(scaled), unit), scaled - round(scaled)
