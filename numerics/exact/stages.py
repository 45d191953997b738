"""From a fast stage to a sure one: what a stage leaves undecided goes on to the next.

A stage takes a block of rows and yields answers: where they belong, the rounded numbers, and which
of them its error bound leaves undecided. Knows neither axes nor special rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.exact import decimals, double_double, extended, gradient, logs, plain
from numerics.exact.rounding import Flags, codes_of, magnitudes
from numerics.exact.values import Answer
from numerics.formats import FP64, FloatArray, Format, format_of
from numerics.method import ELEMENTWISE
from numerics.rows import Labels, at_least_fp32

BATCH = 2**17
"""Logits that a stage sees at a time, unless a row has more: so one logarithm is many at once."""

LONGEST = 2**32
"""Logits of a row up to which the constants of the stages hold; longer ones go to `decimals`."""

Operation: TypeAlias = Callable[[FloatArray, Labels, Flags | None], Iterator[Answer]]


@dataclass(frozen=True)
class Stage:
    """A precision: its name and the operations."""

    name: str
    operations: dict[str, Operation]


def _stage(name: str, module: Any) -> Stage:
    """A later stage, which has no way of its own with 16 bits."""
    operations: dict[str, Operation] = {
        "softmax": lambda x, labels, wanted: module.softmax(at_least_fp32(x), wanted),
        "log_softmax": lambda x, labels, wanted: logs.log_softmax(module, at_least_fp32(x), wanted),
        "log_sum_exp": lambda x, labels, wanted: logs.log_sum_exp(module, at_least_fp32(x)),
        "cross_entropy": lambda x, labels, wanted: logs.cross_entropy(
            module, at_least_fp32(x), labels
        ),
        "cross_entropy_gradient": lambda x, labels, wanted: gradient.cross_entropy_gradient(
            module, at_least_fp32(x), labels, wanted
        ),
    }
    return Stage(name, operations)


PLAIN = Stage(
    "plain",
    {
        "softmax": lambda x, labels, wanted: plain.softmax(x),
        "log_softmax": lambda x, labels, wanted: plain.log_softmax(x),
        "log_sum_exp": lambda x, labels, wanted: plain.log_sum_exp(x),
        "cross_entropy": lambda x, labels, wanted: plain.cross_entropy(x, labels),
        "cross_entropy_gradient": (
            lambda x, labels, wanted: plain.cross_entropy_gradient(x, labels)
        ),
    },
)
EXTENDED = _stage("extended", extended)
DOUBLE_DOUBLE = _stage("double_double", double_double)
STAGES = (PLAIN, EXTENDED, DOUBLE_DOUBLE)
"""All stages but the last, `decimals`, which decides everything."""


def stages_of(format: Format) -> tuple[Stage, ...]:
    """The stages that a format goes through."""
    return STAGES[1:] if format == FP64 else STAGES


def flushes_subnormal() -> bool:
    """Whether the processor takes subnormal numbers for 0; other libraries may have made it."""
    return math.ldexp(1.0, -1074) * 1.0 == 0.0


def evaluate(
    operation: str,
    x: FloatArray,
    labels: Labels,
    stages: Sequence[Stage],
    counts: Counter[str] | None = None,
) -> FloatArray:
    """One operation on rows with at least one finite logit each and no NaN or +inf.

    `counts` gains the number of outputs that each stage leaves undecided.
    """
    out = np.empty(x.shape if operation in ELEMENTWISE else x.shape[:1], x.dtype)
    if x.shape[1] > LONGEST:
        stages = ()
    _fill(operation, x, labels, stages, Counter() if counts is None else counts, out, None)
    if flushes_subnormal():
        rows = _subnormal_rows(x)
        part = out[rows]
        _decide(operation, x[rows], labels[rows], part, None)
        out[rows] = part
    return out


def _subnormal_rows(x: FloatArray) -> npt.NDArray[np.intp]:
    """Rows with a subnormal logit, told by the bits."""
    format = format_of(x.dtype)
    magnitude = magnitudes(x)
    smallest_normal = magnitude.dtype.type(1 << (format.precision - 1))
    return np.flatnonzero(((magnitude > 0) & (magnitude < smallest_normal)).any(axis=1))


def _fill(
    operation: str,
    x: FloatArray,
    labels: Labels,
    stages: Sequence[Stage],
    counts: Counter[str],
    out: FloatArray,
    wanted: Flags | None,
) -> None:
    """Write the outputs that are wanted, all when that is None."""
    if not stages:
        _decide(operation, x, labels, out, wanted)
        return
    stage, *later = stages
    height = max(1, BATCH // x.shape[1])
    for start in range(0, len(x), height):
        rows = slice(start, start + height)
        wanted_here = None if wanted is None else wanted[rows]
        undecided = _try(stage, operation, x[rows], labels[rows], out[rows], wanted_here)
        if undecided is None:
            continue
        counts[stage.name] += int(np.count_nonzero(undecided))
        at = np.flatnonzero(undecided.reshape(len(undecided), -1).any(axis=1))
        if at.size == len(undecided):
            _fill(operation, x[rows], labels[rows], later, counts, out[rows], undecided)
        else:
            some = out[rows][at]
            _fill(operation, x[rows][at], labels[rows][at], later, counts, some, undecided[at])
            out[rows][at] = some


def _try(
    stage: Stage,
    operation: str,
    x: FloatArray,
    labels: Labels,
    out: FloatArray,
    wanted: Flags | None,
) -> Flags | None:
    """Write what a stage finds for a block of rows; what it leaves undecided, or None."""
    left: Flags | None = None
    format = format_of(x.dtype)
    for where, value in stage.operations[operation](x, labels, wanted):
        rounded, undecided = value.rounded(format)
        del value  # the stage may have its memory for the next piece
        if wanted is None:
            out[where] = rounded
        else:
            out[where] = np.where(wanted[where], rounded, out[where])
        if left is not None or undecided.any():
            left = np.zeros(out.shape, np.bool_) if left is None else left
            left[where] = undecided if wanted is None else undecided & wanted[where]
    return left if left is not None and left.any() else None


def _decide(
    operation: str, x: FloatArray, labels: Labels, out: FloatArray, wanted: Flags | None
) -> None:
    """The last stage, row by row; writes bits, which no mode of the processor flushes to 0."""
    codes = codes_of(out)
    for i, (logits, label) in enumerate(zip(x, labels.tolist(), strict=True)):
        if wanted is not None and not wanted[i].any():
            continue
        row = decimals.Row(logits)
        if out.ndim == 2:
            at = range(logits.size) if wanted is None else np.flatnonzero(wanted[i]).tolist()
            codes[i, at] = [row.bits(operation, j, label) for j in at]
        else:
            codes[i] = row.bits(operation, label, label)
