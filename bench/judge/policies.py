"""What a subject returns for rows with NaN, +inf or nothing but -inf, by name.

A policy is a formula for the outputs of a row; a row keeps it where half of the digits of each
output are those of the formula. The first of each table is the one that README publishes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.kinds import EMPTY, PLUS_INF, WITH_NAN
from bench.measure.contract import another_value
from numerics.formats import FloatArray, format_of

Row: TypeAlias = npt.NDArray[np.float64]
OTHER = "something else"


@dataclass(frozen=True)
class Policy:
    """A name, and the outputs for a row and its label."""

    name: str
    outputs: Callable[[Row, int], Any]


def _constant(name: str, value: float) -> Policy:
    return Policy(name, lambda x, label: np.full(x.shape, value))


def _number(name: str, value: float) -> Policy:
    return Policy(name, lambda x, label: value)


def _softmax(x: Row) -> Row:
    """Of the logits that are numbers; NaN counts as -inf."""
    shown = np.where(np.isnan(x), -np.inf, x)
    if np.isposinf(shown).any():
        one_hot: Row = np.isposinf(shown) / np.isposinf(shown).sum()
        return one_hot
    if np.isneginf(shown).all():
        return np.full(x.shape, np.nan)
    e = np.exp(shown - shown.max())
    result: Row = e / e.sum()
    return result


def _log_softmax(x: Row) -> Row:
    shown = np.where(np.isnan(x), -np.inf, x)
    if np.isposinf(shown).any():
        with np.errstate(divide="ignore"):
            return np.log(_softmax(x))
    if np.isneginf(shown).all():
        return np.full(x.shape, np.nan)
    shifted = shown - shown.max()
    result: Row = shifted - np.log(np.exp(shifted).sum())
    return result


def _log_sum_exp(x: Row) -> float:
    largest = float(np.fmax.reduce(x))
    if not math.isfinite(largest):
        return largest
    shown = np.where(np.isnan(x), -np.inf, x)
    return float(largest + np.log(np.exp(shown - largest).sum()))


def _alone(function: Callable[[Row], Row]) -> Callable[[Row, int], Row]:
    return lambda x, label: np.where(np.isnan(x), np.nan, function(x))


def _beside_infinity(elsewhere: float) -> Callable[[Row, int], Row]:
    return lambda x, label: np.where(np.isposinf(x), np.nan, elsewhere)


def _where_label_is_not(x: Row, label: int) -> float:
    return math.nan if np.isposinf(x[label]) else math.inf


NAN_ROW = _constant("NaN row", math.nan)
NAN = _number("NaN", math.nan)
ZEROS = _constant("zeros", 0.0)
POLICIES: dict[tuple[str, str], tuple[Policy, ...]] = {
    ("softmax", EMPTY): (
        Policy("uniform", lambda x, label: np.full(x.shape, 1 / x.size)),
        NAN_ROW, ZEROS, _constant("ones", 1.0)),
    ("softmax", PLUS_INF): (
        NAN_ROW, Policy("one-hot", lambda x, label: _softmax(x)),
        Policy("NaN at +inf, 0 elsewhere", _beside_infinity(0.0)), ZEROS),
    ("softmax", WITH_NAN): (
        NAN_ROW, Policy("NaN itself alone", _alone(_softmax)),
        Policy("dropped", lambda x, label: _softmax(x)), ZEROS),
    ("log_softmax", EMPTY): (
        Policy("uniform", lambda x, label: np.full(x.shape, -math.log(x.size))),
        NAN_ROW, ZEROS, _constant("-inf", -math.inf)),
    ("log_softmax", PLUS_INF): (
        NAN_ROW, Policy("one-hot", lambda x, label: _log_softmax(x)),
        Policy("NaN at +inf, -inf elsewhere", _beside_infinity(-math.inf)),
        _constant("-inf", -math.inf), ZEROS),
    ("log_softmax", WITH_NAN): (
        NAN_ROW, Policy("NaN itself alone", _alone(_log_softmax)),
        Policy("dropped", lambda x, label: _log_softmax(x))),
    ("log_sum_exp", EMPTY): (_number("-inf", -math.inf), NAN, _number("0", 0.0)),
    ("log_sum_exp", PLUS_INF): (_number("+inf", math.inf), NAN, _number("0", 0.0)),
    ("log_sum_exp", WITH_NAN): (
        NAN, Policy("dropped", lambda x, label: _log_sum_exp(x)),
        _number("-inf", -math.inf), _number("0", 0.0)),
    ("cross_entropy", EMPTY): (
        Policy("log K", lambda x, label: math.log(x.size)), NAN,
        _number("+inf", math.inf), _number("0", 0.0)),
    ("cross_entropy", PLUS_INF): (
        NAN, Policy("+inf unless the label is there", _where_label_is_not),
        _number("+inf", math.inf), _number("0", 0.0)),
    ("cross_entropy", WITH_NAN): (
        NAN, _number("0", 0.0),
        Policy("dropped", lambda x, label: _log_sum_exp(x) - x[label])),
}  # fmt: skip


def _less_one(policy: Policy) -> Policy:
    """The policy of a gradient that is made of softmax."""

    def outputs(x: Row, label: int) -> Row:
        return np.asarray(policy.outputs(x, label) - (np.arange(x.size) == label))

    return Policy(policy.name, outputs)


POLICIES |= {
    ("cross_entropy_gradient", kind): tuple(map(_less_one, POLICIES["softmax", kind]))
    for kind in (EMPTY, PLUS_INF, WITH_NAN)
}


def published(operation: str, kind: str) -> str:
    """The name of the policy that README publishes, nothing where there is none."""
    known = POLICIES.get((operation, kind), ())
    return known[0].name if known else ""


def named(operation: str, kind: str, x: FloatArray, label: int, got: FloatArray) -> str:
    """The name of the policy that the output of a row keeps."""
    row = x.astype(np.float64)
    # A logarithm near 0 is a difference, of which the formulas here keep no more.
    floor = 0.0 if operation == "softmax" else 2 * format_of(x.dtype).unit_roundoff
    with np.errstate(all="ignore"):
        for policy in POLICIES.get((operation, kind), ()):
            if not another_value(got, policy.outputs(row, label), floor):
                return policy.name
    return OTHER
