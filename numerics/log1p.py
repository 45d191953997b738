"""log1p: the shift with the largest term left out of the sum.

    m = max_j x_j = x_k,   r = sum_{j != k} exp(x_j - m)
    softmax(x)_i = exp(x_i - m) / (1 + r),   log_softmax(x)_i = (x_i - m) - log1p(r)
    p_y - 1 = -sum_{j != y} exp(x_j - m) / (1 + r)

Idea: the largest term is exactly 1. Adding it to a small r rounds r away, and log(1 + r) is then
0 where it should be r; log1p takes r itself and keeps its digits. In the same way p_y - 1 is what
the other terms have, so that the term of the label is left out of a sum instead of subtracted.
When to use it: as the default for log-softmax, cross-entropy and its gradient; it costs little more
than `stable`. When not: for softmax alone it gains nothing over `stable`, and neither repays the
rounding of x - m, which `compensated` does.
Bound: `bounds.log1p_*`, after Blanchard, Higham & Higham (2021), algorithm 4.1,
doi:10.1093/imanum/draa038. Relative for log-softmax and cross-entropy: about max - min units of u.
"""

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, put_at, row_at, row_max, row_sum


def _others(x: Rows, shifted: Rows) -> Rows:
    """r, the sum of all exponentials but that of one largest logit, shape (rows, 1)."""
    exponentials = np.exp(shifted)
    np.put_along_axis(exponentials, x.argmax(axis=1, keepdims=True), 0, axis=1)
    return row_sum(exponentials)


@operation("softmax")
def log1p_softmax(x: Rows) -> Rows:
    """exp(x_i - m) / (1 + r), r the sum without the largest term.

    >>> log1p_softmax([0.0, 0.0, float("-inf")])
    array([0.5, 0.5, 0. ])
    """
    shifted = x - row_max(x)
    return np.exp(shifted) / (1 + _others(x, shifted))


@operation("log_softmax")
def log1p_log_softmax(x: Rows) -> Rows:
    """(x_i - m) - log1p(r), r the sum without the largest term; the bound is relative.

    >>> bool(log1p_log_softmax([0.0, -40.0])[0] == -np.exp(-40.0))
    True
    """
    shifted = x - row_max(x)
    return shifted - np.log1p(_others(x, shifted))


@operation("log_sum_exp")
def log1p_log_sum_exp(x: Rows) -> Rows:
    """m + log1p(r), r the sum without the largest term; relative but where they cancel.

    >>> print(log1p_log_sum_exp([0.0, -40.0]))
    4.248354255291589e-18
    """
    shift = row_max(x)
    return shift + np.log1p(_others(x, x - shift))


@operation("cross_entropy")
def log1p_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log1p(r) + (m - x_y), r the sum without the largest term; the bound is relative.

    >>> print(log1p_cross_entropy([0.0, -40.0], 0))
    4.248354255291589e-18
    """
    shifted = x - row_max(x)
    return np.log1p(_others(x, shifted)) - row_at(shifted, labels)


@operation("cross_entropy_gradient")
def log1p_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp(x_i - m) / (t + e_y), and -t / (t + e_y) at the label: p_y - 1 without a subtraction.

    e_y is the term of the label, and t the sum without it. The bound is relative.

    >>> bool(log1p_cross_entropy_gradient([0.0, -40.0], 0)[0] == -np.exp(-40.0))
    True
    """
    exponentials = np.exp(x - row_max(x))
    of_label = row_at(exponentials, labels)
    others = row_sum(put_at(exponentials.copy(), labels, 0))
    total = others + of_label
    return put_at(exponentials / total, labels, 0 - others / total)  # not -0.0


METHOD = Method(
    "log1p",
    "leave the largest term out of the sum, log1p",
    "Blanchard, Higham & Higham (2021), with log1p",
    (
        log1p_softmax,
        log1p_log_softmax,
        log1p_log_sum_exp,
        log1p_cross_entropy,
        log1p_cross_entropy_gradient,
    ),
)
