"""The formulas that people write for softmax and its siblings, each a few lines of NumPy.

A formula gets rows of shape (rows, K), labels, a shift and an arithmetic (`by`), and returns rows,
or a number for each of shape (rows, 1). The shift is what it subtracts from the logits first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from bench.judge.suspects.arithmetic import Arithmetic
from numerics.formats import FloatArray
from numerics.rows import Labels, less_one_at, put_at, row_at

Shift: TypeAlias = Callable[[FloatArray], FloatArray]
Formula: TypeAlias = Callable[[FloatArray, Labels, Shift, Arithmetic], FloatArray]


# --- Shifts --------------------------------------------------------------------------------------


def row(x: FloatArray) -> FloatArray:
    """The largest logit of the row."""
    largest: FloatArray = x.max(axis=1, keepdims=True)
    return largest


def nothing(x: FloatArray) -> FloatArray:
    """0."""
    return np.zeros((len(x), 1), x.dtype)


def batch(x: FloatArray) -> FloatArray:
    """The largest logit of all rows."""
    return np.full((len(x), 1), x.max(), x.dtype)


def clamped(x: FloatArray) -> FloatArray:
    """The largest logit of the row, or 0 where that is larger."""
    return np.maximum(row(x), x.dtype.type(0))


# --- Softmax -------------------------------------------------------------------------------------


def quotient(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """e_i / s, e_i = exp(x_i - m), s = sum e_j."""
    exponentials = by.exp(x - shift(x))
    return by.ratio(exponentials, by.sum(exponentials))


def exp_of_rest(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """exp(x_i - (m + log s))."""
    return by.exp(x - log_sum_exp(x, y, shift, by).astype(x.dtype))


def exp_of_log_softmax(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """exp((x_i - m) - log s)."""
    return by.exp(log_softmax(x, y, shift, by).astype(x.dtype))


def quotient_of_powers_of_2(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """2^(c (x_i - m)) over the sum of them, c = log2(e) rounded."""
    exponentials = by.exp2((x - shift(x)) * x.dtype.type(math.log2(math.e)))
    return by.ratio(exponentials, by.sum(exponentials))


# --- Log-softmax ---------------------------------------------------------------------------------


def log_softmax(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """(x_i - m) - log s."""
    shifted = x - shift(x)
    return shifted - by.log(by.sum(by.exp(shifted)))


def rest(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """x_i - (m + log s)."""
    return x - log_sum_exp(x, y, shift, by).astype(x.dtype)


def log_of_softmax(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """log(e_i / s)."""
    return by.log(quotient(x, y, shift, by).astype(x.dtype))


def log1p_of_others(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """(x_i - m) - log1p(r), r the sum of all terms but a largest one."""
    return x - shift(x) - by.log1p(_others(x, by))


def rest_of_log1p(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """x_i - (m + log1p(r))."""
    return x - log_sum_exp_of_others(x, y, shift, by).astype(x.dtype)


def _others(x: FloatArray, by: Arithmetic) -> FloatArray:
    """The sum of all exponentials but that of one largest logit."""
    exponentials = by.exp(x - row(x))
    np.put_along_axis(exponentials, x.argmax(axis=1, keepdims=True), 0, axis=1)
    return by.sum(exponentials)


# --- Log-sum-exp ---------------------------------------------------------------------------------


def log_sum_exp(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """m + log s."""
    return shift(x) + by.log(by.sum(by.exp(x - shift(x))))


def log_sum_exp_of_others(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """m + log1p(r)."""
    return shift(x) + by.log1p(_others(x, by))


def one_after_another(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """log(exp(y) + exp(x_j)) for one j after another."""
    found = x[:, :1]
    for column in range(1, x.shape[1]):
        both = np.concatenate([found, x[:, column : column + 1]], axis=1)
        larger = row(both)
        found = larger + by.log1p(by.exp(both.min(axis=1, keepdims=True) - larger))
    return found


# --- Cross-entropy and its gradient --------------------------------------------------------------


def rest_at_label(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """(m + log s) - x_y."""
    return log_sum_exp(x, y, shift, by) - row_at(x, y)


def log_softmax_at_label(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """log s - (x_y - m)."""
    shifted = x - shift(x)
    return by.log(by.sum(by.exp(shifted))) - row_at(shifted, y)


def log_of_softmax_at_label(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """-log(e_y / s)."""
    return -row_at(log_of_softmax(x, y, shift, by), y)


def log1p_at_label(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """log1p(r) - (x_y - m)."""
    return by.log1p(_others(x, by)) - row_at(x - shift(x), y)


def others_at_label(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
    """e_i / (t + e_y), and -t / (t + e_y) at the label, t the sum without its term."""
    exponentials = by.exp(x - shift(x))
    others = by.sum(put_at(exponentials.copy(), y, 0))
    total = others + row_at(exponentials, y)
    return put_at(by.ratio(exponentials, total), y, -by.ratio(others, total))


def less_one(softmax: Formula) -> Formula:
    """A softmax from which 1 is subtracted at the label."""

    def gradient(x: FloatArray, y: Labels, shift: Shift, by: Arithmetic) -> FloatArray:
        return less_one_at(softmax(x, y, shift, by), y)

    return gradient


# --- The table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suspect:
    """A formula under the name that a verdict gives it. `cure`: a key of `cures.CURES`."""

    name: str
    formula: Formula
    shift: Shift
    cure: str = ""

    def program(self, by: Arithmetic) -> Callable[[FloatArray, Labels], FloatArray]:
        """The formula in an arithmetic, as a function of rows and labels."""
        return lambda x, y: self.formula(x, y, self.shift, by)


TEXTBOOK, SUBTRACTED = "exponentials over their sum", "exp of the logits minus log-sum-exp"
LOGARITHM, REST = "shifted logits minus the log of the sum", "logits minus log-sum-exp"
OF_SHIFT = ", shifted by the row's largest logit"
UNSHIFTED = ", without a shift"
OF_BATCH = ", shifted by the largest logit of the whole batch"
OF_CLAMPED = ", shifted by the row's largest logit or 0"
_SHIFTS: tuple[tuple[str, Shift, str], ...] = (
    (OF_SHIFT, row, "shift"),
    (UNSHIFTED, nothing, "no shift"),
    (OF_BATCH, batch, "batch"),
    (OF_CLAMPED, clamped, "clamped"),
)


def _shifted(name: str, formula: Formula, cure: str = "shift") -> tuple[Suspect, ...]:
    """A formula with each shift."""
    return tuple(
        Suspect(name + words, formula, shift, cure if shift is row else key)
        for words, shift, key in _SHIFTS
    )


_SOFTMAX = (
    *_shifted(TEXTBOOK, quotient),
    Suspect(SUBTRACTED, exp_of_rest, row, "subtraction"),
    Suspect("exp of the log-softmax", exp_of_log_softmax, row, "subtraction"),
    Suspect("powers of 2 over their sum, with log2(e) rounded", quotient_of_powers_of_2, row,
            "base 2"),
)  # fmt: skip
SUSPECTS: dict[str, tuple[Suspect, ...]] = {
    "softmax": _SOFTMAX,
    "log_softmax": (
        *_shifted(LOGARITHM, log_softmax, "log of a sum"),
        Suspect(REST, rest, row, "subtraction"),
        Suspect("the log of softmax", log_of_softmax, row, "log of softmax"),
        Suspect("the log of softmax" + UNSHIFTED, log_of_softmax, nothing, "no shift"),
        Suspect("shifted logits minus log1p of the other terms", log1p_of_others, row),
        Suspect("logits minus log-sum-exp by log1p", rest_of_log1p, row, "subtraction"),
    ),
    "log_sum_exp": (
        Suspect("the largest logit plus the log of the sum", log_sum_exp, row, "log of a sum"),
        Suspect("the log of the sum" + UNSHIFTED, log_sum_exp, nothing, "no shift"),
        Suspect("the largest logit of the whole batch plus the log of the sum", log_sum_exp, batch,
                "batch"),
        Suspect("the largest logit or 0 plus the log of the sum", log_sum_exp, clamped, "clamped"),
        Suspect("the largest logit plus log1p of the other terms", log_sum_exp_of_others, row),
        Suspect("logaddexp, one logit after another", one_after_another, row, "one by one"),
    ),
    "cross_entropy": (
        *_shifted("log-sum-exp minus the label's logit", rest_at_label, "subtraction"),
        Suspect("minus the log-softmax of the label", log_softmax_at_label, row, "log of a sum"),
        Suspect("minus the log of the label's softmax", log_of_softmax_at_label, row,
                "log of softmax"),
        Suspect("minus the log of the label's softmax" + UNSHIFTED, log_of_softmax_at_label,
                nothing, "no shift"),
        Suspect("log1p of the other terms minus the label's shifted logit", log1p_at_label, row),
    ),
    "cross_entropy_gradient": (
        *(Suspect(f"softmax minus 1 at the label: {one.name}", less_one(one.formula), one.shift,
                  one.cure if one.cure != "shift" else "minus 1") for one in _SOFTMAX),
        Suspect("softmax, and at the label minus the sum of the others", others_at_label, row,
                "shift"),
    ),
}  # fmt: skip
"""By operation, what is most usual first."""
