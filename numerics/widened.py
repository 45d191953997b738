"""widened: compute in the next wider format, round once.

    softmax(x) = round(log1p_softmax(wider(x))),   fp16 and bf16 in fp32, fp32 in fp64

Idea: the wider format has 13, 16 or 29 bits to spare; every error of `log1p` lies far below half an
ulp of the result, and only the last rounding is seen. The larger exponent range takes sums and
tails that overflow or underflow in the narrow one.
When to use it: for fp16, bf16 and fp32 whenever time or memory allows: nothing simpler is as
accurate. When not: for fp64, where there is no wider format that NumPy has everywhere: it raises
TypeError; take `compensated`.
Bound: `bounds.widened_*`: half an ulp, plus the bound of `log1p` in the wider format. That is an
absolute one for log-sum-exp near 0, where m and log1p(r) cancel and more may be lost.
Source: common practice ("fp32 accumulation"); the double rounding is accounted for in the bound.
"""

import numpy as np

from numerics import log1p
from numerics.formats import BF16, FP16, FP32
from numerics.method import Method, operation
from numerics.rows import Labels, Rows

FORMATS = (FP16, BF16, FP32)


def _wider(x: Rows) -> Rows:
    return x.astype(np.float32 if x.itemsize == 2 else np.float64)


@operation("softmax", formats=FORMATS)
def widened_softmax(x: Rows) -> Rows:
    """log1p_softmax in the next wider format, rounded once; not for fp64.

    >>> widened_softmax(np.zeros(4, np.float16))
    array([0.25, 0.25, 0.25, 0.25], dtype=float16)
    """
    return log1p.log1p_softmax.formula(_wider(x))


@operation("log_softmax", formats=FORMATS)
def widened_log_softmax(x: Rows) -> Rows:
    """log1p_log_softmax in the next wider format, rounded once; not for fp64.

    >>> widened_log_softmax(np.zeros(2, np.float32))
    array([-0.6931472, -0.6931472], dtype=float32)
    """
    return log1p.log1p_log_softmax.formula(_wider(x))


@operation("log_sum_exp", formats=FORMATS)
def widened_log_sum_exp(x: Rows) -> Rows:
    """log1p_log_sum_exp in the next wider format, rounded once; not for fp64.

    >>> print(widened_log_sum_exp(np.zeros(2, np.float32)))
    0.6931472
    """
    return log1p.log1p_log_sum_exp.formula(_wider(x))


@operation("cross_entropy", formats=FORMATS)
def widened_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log1p_cross_entropy in the next wider format, rounded once; not for fp64.

    >>> print(widened_cross_entropy(np.zeros(2, np.float32), 1))
    0.6931472
    """
    return log1p.log1p_cross_entropy.formula(_wider(x), labels)


@operation("cross_entropy_gradient", formats=FORMATS)
def widened_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """log1p_cross_entropy_gradient in the next wider format, rounded once; not for fp64.

    >>> widened_cross_entropy_gradient(np.zeros(2, np.float32), 1)
    array([ 0.5, -0.5], dtype=float32)
    """
    return log1p.log1p_cross_entropy_gradient.formula(_wider(x), labels)


METHOD = Method(
    "widened",
    "compute in the next wider format, round once",
    "common practice",
    (
        widened_softmax,
        widened_log_softmax,
        widened_log_sum_exp,
        widened_cross_entropy,
        widened_cross_entropy_gradient,
    ),
    formats=tuple(format.name for format in FORMATS),
)
