"""Functions by the ideas of the suspects, written apart from them: other exponentials, other sums.

And functions of another kind, of which no formula is to be named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics import METHODS


def exp(x: Any) -> Any:
    """From a wider format: not the bits of NumPy's own."""
    wide = np.longdouble if x.dtype == np.float64 else np.float64
    return np.exp(x.astype(wide)).astype(x.dtype)


def added(x: Any) -> Any:
    """Every other one, then the rest: another order than NumPy's."""
    return np.sum(x[:, ::2], axis=1, keepdims=True) + np.sum(x[:, 1::2], axis=1, keepdims=True)


def at(x: Any, y: Any) -> Any:
    return x[np.arange(len(x)), y]


def one_hot(x: Any, y: Any) -> Any:
    return np.eye(x.shape[1], dtype=x.dtype)[y]


def tops(x: Any) -> Any:
    return np.sort(x, axis=1)[:, -1:]


# --- Formulas ------------------------------------------------------------------------------------


def without_a_shift(x: Any) -> Any:
    e = exp(x)
    return e / added(e)


def by_the_rows_largest(x: Any) -> Any:
    e = exp(x - tops(x))
    return e / added(e)


def by_the_batchs_largest(x: Any) -> Any:
    e = exp(x - x.ravel()[x.argmax()])
    return e / added(e)


def clamped_at_0(x: Any) -> Any:
    e = exp(x - np.where(tops(x) > 0, tops(x), x.dtype.type(0)))
    return e / added(e)


def normalised_in_the_exponent(x: Any) -> Any:
    return exp(x - log_sum_exp(x)[:, np.newaxis])


def exp_of_a_log_softmax(x: Any) -> Any:
    return exp(log_softmax(x))


def by_powers_of_2(x: Any) -> Any:
    log2e = x.dtype.type(1.4426950408889634)
    e = np.exp2(((x - tops(x)) * log2e).astype(np.float64)).astype(x.dtype)
    return e / added(e)


def log_softmax(x: Any) -> Any:
    return x - tops(x) - np.log(added(exp(x - tops(x))))


def log_softmax_without_a_shift(x: Any) -> Any:
    return x - np.log(added(exp(x)))


def log_softmax_of_the_batch(x: Any) -> Any:
    return x - x.max() - np.log(added(exp(x - x.max())))


def log_softmax_clamped(x: Any) -> Any:
    m = np.maximum(tops(x), 0)
    return x - m - np.log(added(exp(x - m)))


def less_the_log_sum_exp(x: Any) -> Any:
    return x - log_sum_exp(x)[:, np.newaxis]


def log_of_softmax(x: Any) -> Any:
    return np.log(by_the_rows_largest(x))


def by_log1p(x: Any) -> Any:
    e = exp(x - tops(x))
    return x - tops(x) - np.log1p(added(np.sort(e, axis=1)[:, :-1]))


def log_sum_exp(x: Any) -> Any:
    return tops(x)[:, 0] + np.log(added(exp(x - tops(x))))[:, 0]


def log_of_the_sum(x: Any) -> Any:
    return np.log(added(exp(x)))[:, 0]


def log_sum_exp_of_the_batch(x: Any) -> Any:
    return x.max() + np.log(added(exp(x - x.max())))[:, 0]


def log_sum_exp_clamped(x: Any) -> Any:
    m = np.maximum(tops(x), 0)
    return m[:, 0] + np.log(added(exp(x - m)))[:, 0]


def loss(x: Any, y: Any) -> Any:
    return log_sum_exp(x) - at(x, y)


def loss_of_log_softmax(x: Any, y: Any) -> Any:
    return -at(log_softmax(x), y)


def loss_of_softmax(x: Any, y: Any) -> Any:
    return -np.log(at(by_the_rows_largest(x), y))


def loss_without_a_shift(x: Any, y: Any) -> Any:
    return log_of_the_sum(x) - at(x, y)


def gradient(x: Any, y: Any) -> Any:
    return by_the_rows_largest(x) - one_hot(x, y)


def gradient_without_a_shift(x: Any, y: Any) -> Any:
    return without_a_shift(x) - one_hot(x, y)


def gradient_of_log_softmax(x: Any, y: Any) -> Any:
    return exp(log_softmax(x)) - one_hot(x, y)


# --- Arithmetic ----------------------------------------------------------------------------------


def _kept_in(narrow: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def softmax(x: Any) -> Any:
        e = exp(x - tops(x))
        total = narrow(e[:, :1])
        for column in range(1, x.shape[1]):
            total = narrow(total + narrow(e[:, column : column + 1]))
        return e / total.astype(x.dtype)

    return softmax


def _bf16(x: Any) -> Any:
    """By arithmetic, not bits: cut to eight binary places."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 256) / 256, exponent).astype(np.float32)


sum_in_fp16 = _kept_in(lambda x: x.astype(np.float16))
sum_in_bf16 = _kept_in(_bf16)


def softmax_in_fp32(x: Any) -> Any:
    return by_the_rows_largest(x.astype(np.float32)).astype(x.dtype)


def log_softmax_in_fp32(x: Any) -> Any:
    return log_softmax(x.astype(np.float32)).astype(x.dtype)


def log_softmax_in_fp64(x: Any) -> Any:
    return log_softmax(x.astype(np.float64)).astype(x.dtype)


# --- Habits --------------------------------------------------------------------------------------


def from_left_to_right(x: Any) -> Any:
    e = exp(x - tops(x))
    total = e[:, 0]
    for column in range(1, x.shape[1]):
        total = total + e[:, column]
    return e / total[:, np.newaxis]


def log_from_left_to_right(x: Any) -> Any:
    e = exp(x - tops(x))
    return tops(x)[:, 0] + np.log(np.cumsum(e, axis=1)[:, -1])


def times_the_reciprocal(x: Any) -> Any:
    e = exp(x - tops(x))
    return e * np.reciprocal(added(e))


def flushes_results(x: Any) -> Any:
    out = by_the_rows_largest(x)
    return np.where(out < np.finfo(x.dtype).smallest_normal, 0, out).astype(x.dtype)


def flushes_exponentials(x: Any) -> Any:
    e = exp(x - tops(x))
    e[e < np.finfo(x.dtype).smallest_normal] = 0
    return e / added(e)


def flushes_logits(x: Any) -> Any:
    tiny = np.abs(x) < np.finfo(x.dtype).smallest_normal
    return log_sum_exp(np.where(tiny, x.dtype.type(0), x))


def clips_probabilities(x: Any) -> Any:
    return np.clip(by_the_rows_largest(x), 1e-7, 1).astype(x.dtype)


def clips_in_the_log(x: Any) -> Any:
    return np.log(np.maximum(by_the_rows_largest(x), x.dtype.type(1e-12)))


def adds_a_little_to_the_probability(x: Any, y: Any) -> Any:
    return -np.log(at(by_the_rows_largest(x), y) + x.dtype.type(1e-9))


def clips_exponentials(x: Any) -> Any:
    e = np.maximum(exp(x - tops(x)), x.dtype.type(1e-10))
    return e / added(e)


def has_a_short_exponential(x: Any) -> Any:
    """2^k times the first five terms of the series."""
    t = (x - tops(x)).astype(np.float64)
    k = np.rint(t / np.log(2))
    f = t - k * np.log(2)
    e = np.ldexp(1 + f * (1 + f * (1 / 2 + f * (1 / 6 + f / 24))), k.astype(int))
    return (e / e.sum(axis=1, keepdims=True)).astype(x.dtype)


def log_of_a_short_sum(x: Any) -> Any:
    t = (x - tops(x)).astype(np.float64)
    k = np.rint(t / np.log(2))
    f = t - k * np.log(2)
    e = np.ldexp(1 + f * (1 + f * (1 / 2 + f / 6)), k.astype(int))
    return (tops(x)[:, 0] + np.log1p(e.sum(axis=1) - 1)).astype(x.dtype)


# --- Of another kind -----------------------------------------------------------------------------


def compound_interest(x: Any) -> Any:
    e = np.maximum(1 + (x - tops(x)) / 1024, 0) ** 1024
    return (e / e.sum(axis=1, keepdims=True)).astype(x.dtype)


def tempered(x: Any) -> Any:
    return by_the_rows_largest(x * x.dtype.type(1.0001))


def among_one_more(x: Any) -> Any:
    """Attention's "softmax off by one"."""
    e = exp(x - np.maximum(tops(x), 0))
    return e / (added(e) + exp(-np.maximum(tops(x), 0)))


@dataclass(frozen=True)
class Suspected:
    """A function, and what must be named: its formula, and a habit if any.

    `alike`: other formulas do the same in this format.
    """

    function: Callable[..., Any]
    operation: str
    formula: str
    habit: str = ""
    formats: tuple[str, ...] = ("fp32",)
    alike: bool = False

    @property
    def name(self) -> str:
        return f"{getattr(self.function, '__name__', '')} {self.formula}"


BOTH = ("fp32", "fp64")
EOS = "exponentials over their sum, "
ROW, BATCH, CLAMPED = (
    f"shifted by {of}" for of in ("the row's largest logit", "the largest logit of the whole batch",
                                  "the row's largest logit or 0")
)  # fmt: skip
LOS = "shifted logits minus the log of the sum, "
LESS_1 = "softmax minus 1 at the label: "
SUSPECTED: tuple[Suspected, ...] = (
    Suspected(without_a_shift, "softmax", EOS[:-2] + ", without a shift", formats=BOTH),
    Suspected(by_the_rows_largest, "softmax", EOS + ROW, formats=BOTH),
    Suspected(by_the_batchs_largest, "softmax", EOS + BATCH, formats=BOTH),
    Suspected(clamped_at_0, "softmax", EOS + CLAMPED, formats=BOTH),
    Suspected(normalised_in_the_exponent, "softmax", "exp of the logits minus log-sum-exp",
              formats=BOTH),
    Suspected(exp_of_a_log_softmax, "softmax", "exp of the log-softmax", formats=BOTH),
    Suspected(by_powers_of_2, "softmax", "powers of 2 over their sum, with log2(e) rounded"),
    Suspected(log_softmax, "log_softmax", LOS + ROW, formats=BOTH),
    Suspected(log_softmax_without_a_shift, "log_softmax", LOS + "without a shift", formats=BOTH),
    Suspected(log_softmax_of_the_batch, "log_softmax", LOS + BATCH),
    Suspected(log_softmax_clamped, "log_softmax", LOS + CLAMPED),
    Suspected(less_the_log_sum_exp, "log_softmax", "logits minus log-sum-exp", formats=BOTH),
    Suspected(log_of_softmax, "log_softmax", "the log of softmax", formats=BOTH),
    Suspected(by_log1p, "log_softmax", "shifted logits minus log1p of the other terms"),
    Suspected(log_sum_exp, "log_sum_exp", "the largest logit plus the log of the sum",
              formats=BOTH),
    Suspected(log_of_the_sum, "log_sum_exp", "the log of the sum, without a shift"),
    Suspected(log_sum_exp_of_the_batch, "log_sum_exp",
              "the largest logit of the whole batch plus the log of the sum"),
    Suspected(log_sum_exp_clamped, "log_sum_exp",
              "the largest logit or 0 plus the log of the sum"),
    Suspected(loss, "cross_entropy", "log-sum-exp minus the label's logit, " + ROW, formats=BOTH),
    Suspected(loss_of_log_softmax, "cross_entropy", "minus the log-softmax of the label",
              formats=BOTH),
    Suspected(loss_of_softmax, "cross_entropy", "minus the log of the label's softmax"),
    Suspected(loss_without_a_shift, "cross_entropy",
              "log-sum-exp minus the label's logit, without a shift"),
    Suspected(gradient, "cross_entropy_gradient", LESS_1 + EOS + ROW, formats=BOTH),
    Suspected(gradient_without_a_shift, "cross_entropy_gradient", LESS_1 + EOS + "without a shift"),
    Suspected(gradient_of_log_softmax, "cross_entropy_gradient", LESS_1 + "exp of the log-softmax"),
    Suspected(sum_in_fp16, "softmax", EOS + ROW + ", the sum kept in fp16"),
    Suspected(sum_in_bf16, "softmax", EOS + ROW + ", the sum kept in bf16"),
    Suspected(softmax_in_fp32, "softmax", EOS + ROW + ", everything in fp32", formats=("fp64",)),
    Suspected(log_softmax_in_fp32, "log_softmax", LOS + ROW + ", everything in fp32, rounded once",
              formats=("fp16",), alike=True),
    Suspected(log_softmax_in_fp64, "log_softmax", LOS + ROW + ", everything in fp64, rounded once",
              alike=True),
    Suspected(from_left_to_right, "softmax", EOS + ROW, "the sum from left to right", BOTH),
    Suspected(log_from_left_to_right, "log_sum_exp", "the largest logit plus the log of the sum",
              "the sum from left to right"),
    Suspected(times_the_reciprocal, "softmax", EOS + ROW, "a product with 1 / sum", BOTH),
    Suspected(flushes_results, "softmax", EOS + ROW, "subnormal results taken for 0", BOTH),
    Suspected(flushes_exponentials, "softmax", EOS + ROW, "subnormal exponentials taken for 0"),
    Suspected(flushes_logits, "log_sum_exp", "the largest logit plus the log of the sum",
              "subnormal logits or results taken for 0"),
    Suspected(clips_probabilities, "softmax", "", "no probability below 1e-07"),
    Suspected(clips_in_the_log, "log_softmax", "", "no probability below 1e-12"),
    Suspected(adds_a_little_to_the_probability, "cross_entropy", "", "no probability below 1e-09"),
    Suspected(clips_exponentials, "softmax", "", "no exponential below 1e-10"),
    Suspected(has_a_short_exponential, "softmax", "", "a short polynomial for exp", BOTH),
    Suspected(log_of_a_short_sum, "log_sum_exp", "", "a short polynomial for exp"),
)  # fmt: skip
OF_ANOTHER_KIND: tuple[tuple[Callable[..., Any], str], ...] = (
    (compound_interest, "softmax"),
    (tempered, "softmax"),
    (among_one_more, "softmax"),
    *((getattr(METHODS[name], operation), operation)
      for name in ("exact", "compensated") for operation in (
          "softmax", "log_softmax", "log_sum_exp", "cross_entropy", "cross_entropy_gradient")),
    (METHODS["two_pass"].softmax, "softmax"),
)  # fmt: skip
"""None is named for these."""
