"""online: one pass over blocks of columns, with a running maximum and a rescaled sum.

    for each block b:  m' = max(m, max b),  s' = s exp(m - m') + sum_{j in b} exp(x_j - m')

Idea: the maximum need not be known before the sum is begun; when it grows, the old sum is scaled
down. A row is read once, not twice, and blocks can be merged in any order.
When to use it: where memory is slow and rows do not fit the cache: it is the inside of
FlashAttention. When not: in NumPy, where every block costs a handful of calls; it is here to be
measured. Its worst case is an ascending row, in which every block rescales.
Bound: `bounds.online_*`: as `stable`, plus an exponential, a product and a sum for each block that
raises the maximum. Sources: Milakov & Gimelshein (2018), arXiv:1805.02867; Dao et al. (2022),
arXiv:2205.14135.
"""

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at, row_max, row_sum

BLOCK = 64
"""Columns of a block, as in FlashAttention's tiles."""


def _running(x: Rows) -> tuple[Rows, Rows]:
    """m and s of whole rows, shape (rows, 1) each."""
    largest = row_max(x[:, :BLOCK])
    total = row_sum(np.exp(x[:, :BLOCK] - _finite(largest)))
    for start in range(BLOCK, x.shape[1], BLOCK):
        block = x[:, start : start + BLOCK]
        grown = np.maximum(largest, row_max(block))
        rescale = np.exp(largest - _finite(grown))
        total = total * rescale + row_sum(np.exp(block - _finite(grown)))
        largest = grown
    return largest, total


def _finite(largest: Rows) -> Rows:
    """A shift for blocks that are masked throughout: -inf - (-inf) is NaN, -inf - 0 is not."""
    return np.where(np.isneginf(largest), largest.dtype.type(0), largest)


@operation("softmax")
def online_softmax(x: Rows) -> Rows:
    """exp(x_i - m) / s with m and s found in one pass.

    >>> online_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    largest, total = _running(x)
    return np.exp(x - largest) / total


@operation("log_softmax")
def online_log_softmax(x: Rows) -> Rows:
    """(x_i - m) - log s with m and s found in one pass.

    >>> online_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    largest, total = _running(x)
    return (x - largest) - np.log(total)


@operation("log_sum_exp")
def online_log_sum_exp(x: Rows) -> Rows:
    """m + log s with m and s found in one pass.

    >>> print(online_log_sum_exp([1000.0, 1000.0]))
    1000.6931471805599
    """
    largest, total = _running(x)
    return largest + np.log(total)


@operation("cross_entropy")
def online_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """(m + log s) - x_y with m and s found in one pass.

    >>> print(online_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return online_log_sum_exp.formula(x) - row_at(x, labels)


@operation("cross_entropy_gradient")
def online_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp(x_i - m) / s - [i = y] with m and s found in one pass.

    >>> online_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    return less_one_at(online_softmax.formula(x), labels)


METHOD = Method(
    "online",
    "one pass, running maximum, rescaled sum",
    "Milakov & Gimelshein (2018), arXiv:1805.02867",
    (
        online_softmax,
        online_log_softmax,
        online_log_sum_exp,
        online_cross_entropy,
        online_cross_entropy_gradient,
    ),
)
