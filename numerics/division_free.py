"""division_free: exp of the log-softmax.

    y = m + log sum_j exp(x_j - m),   softmax(x)_i = exp(x_i - y),   log_softmax(x)_i = x_i - y

Idea: one subtraction inside the exponential replaces the division outside it; y is a by-product
that a training loop needs anyway.
When to use it: where a division costs much more than an exponential, or y is at hand.
When not: for accuracy. The absolute error of y, about |y| u, becomes a relative error of every
probability, so that a common offset of the logits costs digits, which `stable` never pays.
Bound: `bounds.division_free_*`, after Blanchard, Higham & Higham (2021), section 4,
doi:10.1093/imanum/draa038: 1 + max |x_j - y| + (the error of y).
"""

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at
from numerics.stable import stable_log_sum_exp


def _log_normalized(x: Rows) -> Rows:
    """x_i - y, with y rounded to the format of x."""
    return x - stable_log_sum_exp.formula(x).astype(x.dtype, copy=False)


@operation("softmax")
def division_free_softmax(x: Rows) -> Rows:
    """exp(x_i - y) with y the log-sum-exp of the row; the bound grows with |y|.

    >>> division_free_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return np.exp(_log_normalized(x))


@operation("log_softmax")
def division_free_log_softmax(x: Rows) -> Rows:
    """x_i - y with y the log-sum-exp of the row.

    >>> division_free_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return _log_normalized(x)


@operation("log_sum_exp")
def division_free_log_sum_exp(x: Rows) -> Rows:
    """m + log sum_j exp(x_j - m): that of `stable`, bound included; there is no division in it.

    >>> print(division_free_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return stable_log_sum_exp.formula(x)


@operation("cross_entropy")
def division_free_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log_sum_exp(x) - x_y, with the former rounded to the format of x.

    >>> print(division_free_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return 0 - row_at(_log_normalized(x), labels)  # not -0.0


@operation("cross_entropy_gradient")
def division_free_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp(x_i - y) - [i = y] with y the log-sum-exp of the row.

    >>> division_free_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    return less_one_at(division_free_softmax.formula(x), labels)


METHOD = Method(
    "division_free",
    "exp of the log-softmax",
    "Blanchard, Higham & Higham (2021), without division",
    (
        division_free_softmax,
        division_free_log_softmax,
        division_free_log_sum_exp,
        division_free_cross_entropy,
        division_free_cross_entropy_gradient,
    ),
)
