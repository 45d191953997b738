"""What is done beside a formula: how sums go, what is taken for 0, what is cut off.

Each rule looks at rows of `telling.habits` and says what it sees, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.inputs import telling
from bench.inputs.cases import Batch
from bench.judge.suspects.contest import AT_LEAST, FEWEST, Hypothesis, Places, flat, places
from bench.judge.suspects.explanation import Habit
from numerics.formats import FloatArray, Format

Values = npt.NDArray[np.float64]
FAR, CLOSE = 16, 8
"""A sum in another order is told by `FAR` places, and met within 1/`CLOSE` of that."""
EXP_ERRS = 3
"""Places by which an exponential may err and still be one."""
POLYNOMIAL = 64
"""Units of u by which an exponential has to err before it is called a short polynomial."""


@dataclass(frozen=True)
class Shown:
    """What came back for the rows of `telling.habits`, and the formula behind it, if known."""

    operation: str
    format: Format
    rows: Mapping[str, Batch]
    outputs: Mapping[str, FloatArray]
    formula: Hypothesis | None

    def last(self, name: str) -> FloatArray:
        """The outputs of the last logits; of log-sum-exp and cross-entropy, of the rows."""
        got = self.outputs[name]
        return got[:, -1] if got.ndim == 2 else got

    def probability(self, name: str) -> Values:
        """The probability of the last logit, as far as outputs say."""
        got = self.last(name).astype(np.float64)
        with np.errstate(over="ignore"):
            if self.operation == "log_softmax":
                return np.exp(got)
            return np.exp(-got) if self.operation == "cross_entropy" else got

    def says(self, name: str, in_order: bool = False, reciprocal: bool = False) -> Places:
        """What the formula would say to some rows, in another arithmetic."""
        assert self.formula is not None
        by = replace(self.formula.arithmetic, in_order=in_order, reciprocal=reciprocal)
        return flat([self.rows[name]], self.format, self.formula.suspect.program(by), by.work)


def found(shown: Shown) -> list[Habit]:
    """All that is seen."""
    return [habit for rule in RULES for habit in [rule(shown)] if habit is not None]


def _floor(shown: Shown) -> Habit | None:
    """Probabilities far below any number that are one and the same, and not 0."""
    if shown.operation == "log_sum_exp":
        return None
    alone, among = (shown.probability(name) for name in (telling.DEEP, telling.DEEP_AMONG_MORE))
    both = np.concatenate([alone, among])
    if not (np.isfinite(both).all() and alone.min() > 0 and among.min() > 0):
        return None
    if np.ptp(alone) > alone.max() / 64 or np.ptp(among) > among.max() / 64:
        return None
    of_terms = among.max() < alone.max() / 4  # a term has a larger share of a smaller sum
    what = "exponential" if of_terms else "probability"
    return Habit(f"no {what} below {alone.max():.2g}", 1.0, both.size)


def _flushed(shown: Shown) -> Habit | None:
    """Subnormal numbers taken for 0, of results or exponentials; not by the formula alone."""
    reductions = ("log_softmax", "cross_entropy")
    if shown.formula is None or shown.operation in reductions:
        return None
    if shown.operation == "log_sum_exp":
        lost = _zeros(shown, telling.TINY)
        seen = "subnormal logits or results taken for 0"
        return Habit(seen, lost, 24) if lost >= AT_LEAST else None
    terms, results = (
        _zeros(shown, name) for name in (telling.SUBNORMAL_TERMS, telling.SUBNORMAL_RESULTS)
    )
    of_all = results >= AT_LEAST
    if not of_all and (terms < AT_LEAST or results > 1 - AT_LEAST):
        return None
    what, share = ("results", results) if of_all else ("exponentials", terms)
    return Habit(f"subnormal {what} taken for 0", share, 24)


def _zeros(shown: Shown, name: str) -> float:
    """The share of the last outputs that are 0; none are where the formula itself says so."""
    says = shown.says(name).reshape(shown.outputs[name].shape)
    kept = says[:, -1] if says.ndim == 2 else says
    return float(np.mean(shown.last(name) == 0)) if kept.any() else 0.0


def _reciprocal(shown: Shown) -> Habit | None:
    """Of rows [0, x], p_1 is 1/s, and p_2 is e/s or e times that: which e can it have been?"""
    elementwise = shown.operation in ("softmax", "cross_entropy_gradient")
    if shown.formula is None or not elementwise:
        return None
    if np.array_equal(shown.says(telling.HALVES), shown.says(telling.HALVES, reciprocal=True)):
        return None
    got = shown.outputs[telling.HALVES]
    first = got[:, :1] + (shown.operation == "cross_entropy_gradient")
    quotient, product = (_reached(shown, first, got[:, 1:], way) for way in (False, True))
    told = int(np.count_nonzero(quotient != product))
    share = int(np.count_nonzero(product & ~quotient)) / max(told, 1)
    if told < FEWEST or share < AT_LEAST:
        return None
    return Habit("a product with 1 / sum, not a quotient", share, told)


def _reached(
    shown: Shown, first: FloatArray, second: FloatArray, reciprocal: bool
) -> npt.NDArray[np.bool_]:
    """Whether an exponential near the right one leads to both outputs of a row."""
    assert shown.formula is not None
    by = replace(shown.formula.arithmetic, reciprocal=reciprocal)
    middle = np.exp(shown.rows[telling.HALVES].x[:, 1:].astype(by.work))
    found = np.zeros(middle.shape, np.bool_)
    for step in range(-EXP_ERRS, EXP_ERRS + 1):
        terms = middle + step * np.spacing(middle)
        total = by.sum(np.concatenate([np.ones_like(terms), terms], axis=1))
        p_1, p_2 = (by.ratio(e, total).astype(second.dtype) for e in (np.ones_like(terms), terms))
        found |= (p_1 == first) & (p_2 == second)
    return found[:, 0]


def _in_order(shown: Shown) -> Habit | None:
    """A long sum from left to right loses digits in a way of its own."""
    if shown.formula is None:
        return None
    got = places(np.ascontiguousarray(shown.outputs[telling.LONG])).ravel()
    pairwise, in_order = (shown.says(telling.LONG, in_order=one) for one in (False, True))
    off = np.abs(in_order - pairwise)
    # Of a reduction there are six outputs, and half of them that agree so closely are no accident.
    least = min(FEWEST, got.size // 2)
    count = int(np.count_nonzero(off > FAR))
    if count < least:
        return None
    share = float(np.mean((np.abs(got - in_order) <= off // CLOSE)[off > FAR]))
    return Habit("the sum from left to right", share, count) if share >= AT_LEAST else None


def _polynomial(shown: Shown) -> Habit | None:
    """An exponential that errs, and in the same way in each octave: exp(t) = 2^k p(t - k ln 2)."""
    first = shown.outputs[telling.OCTAVES]
    got = (first[:, 0] if first.ndim == 2 else first).astype(np.float64)
    if shown.operation in ("log_sum_exp", "cross_entropy"):
        term = np.expm1(got)
    else:
        term = np.expm1(-got) if shown.operation == "log_softmax" else 1 / got - 1
    exact = np.exp(shown.rows[telling.OCTAVES].x[:, 1].astype(np.float64))
    errors = (term / exact - 1).reshape(3, -1)
    mean = errors.mean(axis=0)
    largest = float(np.abs(mean).max())
    if not largest > POLYNOMIAL * shown.format.unit_roundoff:
        return None
    alike = np.abs(errors - mean) <= largest / 8
    share = float(alike.mean())
    name = f"a short polynomial for exp, off by up to {largest:.1g} of it"
    return Habit(name, share, errors.size) if share >= AT_LEAST else None


RULES: tuple[Callable[[Shown], Habit | None], ...] = (
    _floor, _flushed, _reciprocal, _in_order, _polynomial
)  # fmt: skip
