"""stable: the max shift, as the lab asks for it and as every library does it.

    m = max_j x_j,   s = sum_j exp(x_j - m),   softmax(x)_i = exp(x_i - m) / s
    log_sum_exp(x) = m + log s,   log_softmax(x)_i = (x_i - m) - log s

Idea: exp(x_i)/sum_j exp(x_j) does not change when both sides are divided by exp(m), and then the
largest exponent is 0: nothing overflows, and the sum is at least 1.
When to use it: as the baseline that any other method has to beat.
When not: for log-softmax, cross-entropy or its gradient of confident rows. There log s is near 0, s
has been rounded to a number near 1, and all digits of the result are lost, as those of p_y - 1 are;
`log1p` keeps them.
Bound: `bounds.stable_*`, the shifted case of Blanchard, Higham & Higham (2021),
doi:10.1093/imanum/draa038: the rounding of x - m costs max - min units of u.

In fp16 and bf16 the sum, and what is done with it, is kept in fp32 and rounded once
(`rows.row_sum`).
"""

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at, row_max, row_sum


@operation("softmax")
def stable_softmax(x: Rows) -> Rows:
    """exp(x_i - m) / sum_j exp(x_j - m) with m the largest entry.

    The bound, in units of u, is about log2(K) + 2 + 2 (max - min).

    >>> stable_softmax([0.0, 0.0, float("-inf"), 0.0, 0.0])
    array([0.25, 0.25, 0.  , 0.25, 0.25])
    """
    exponentials = np.exp(x - row_max(x))
    return exponentials / row_sum(exponentials)


@operation("log_softmax")
def stable_log_softmax(x: Rows) -> Rows:
    """(x_i - m) - log sum_j exp(x_j - m) with m the largest entry.

    The bound is an absolute one: a result near 0 may keep no digit.

    >>> stable_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    shifted = x - row_max(x)
    return shifted - np.log(row_sum(np.exp(shifted)))


@operation("log_sum_exp")
def stable_log_sum_exp(x: Rows) -> Rows:
    """m + log sum_j exp(x_j - m) with m the largest entry.

    The bound is an absolute one, |result| and a few units of u.

    >>> print(stable_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    shift = row_max(x)
    return shift + np.log(row_sum(np.exp(x - shift)))


log_sum_exp = stable_log_sum_exp
"""The name that the lab asks for."""


@operation("cross_entropy")
def stable_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log_sum_exp(x) - x_y: the cross-entropy of the label y, straight from the logits.

    The bound is an absolute one.

    >>> print(stable_cross_entropy([1.0, 92.0, 3.0, 0.0, 2.0], 0))
    91.0
    """
    return stable_log_sum_exp.formula(x) - row_at(x, labels)


@operation("cross_entropy_gradient")
def stable_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """softmax(x)_i - [i = y], with 1 subtracted as every framework does it.

    The bound at the label is an absolute one: of a confident row nothing may be left.

    >>> stable_cross_entropy_gradient([0.0, -40.0], 0)
    array([0.00000000e+00, 4.24835426e-18])
    """
    return less_one_at(stable_softmax.formula(x), labels)


METHOD = Method(
    "stable",
    "subtract the largest logit first",
    "Blanchard, Higham & Higham (2021), doi:10.1093/imanum/draa038, with shift",
    (
        stable_softmax,
        stable_log_softmax,
        stable_log_sum_exp,
        stable_cross_entropy,
        stable_cross_entropy_gradient,
    ),
)
