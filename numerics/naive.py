"""naive: the textbook formula, to be broken.

    softmax(x)_i = exp(x_i) / sum_j exp(x_j)

Idea: none; it is the definition, typed in, and every operation stays in the format of x. Sums of
bf16 are added up in fp32 and rounded, as NumPy adds up fp16; one by one, bf16 counts to 256.
When to use it: to learn why not to. It overflows as soon as one logit exceeds log(largest)
(11.09 in fp16, 88.72 in fp32 and bf16, 709.78 in fp64), and loses what lies below log(smallest).
Where neither happens it is more accurate than `stable`, because no shift is rounded.
Bound: `bounds.naive_*`, the unshifted case of Blanchard, Higham & Higham (2021),
doi:10.1093/imanum/draa038.

It is the one method outside the policy for special rows: it breaks as it breaks, with NumPy's
warnings.
"""

import numpy as np

from numerics.method import Method, operation
from numerics.rows import Labels, Rows, less_one_at, row_at, row_sum


def _sum(x: Rows) -> Rows:
    return row_sum(x).astype(x.dtype, copy=False)


@operation("softmax", guarded=False)
def naive_softmax(x: Rows) -> Rows:
    """exp(x_i) / sum_j exp(x_j), which overflows; the bound is for where nothing does.

    >>> with np.errstate(all="ignore"):
    ...     naive_softmax(np.array([1.0, 92.0, 3.0], dtype=np.float32))
    array([ 0., nan,  0.], dtype=float32)
    """
    exponentials = np.exp(x)
    return exponentials / _sum(exponentials)


@operation("log_softmax", guarded=False)
def naive_log_softmax(x: Rows) -> Rows:
    """log(softmax(x)_i), by way of the naive softmax.

    >>> naive_log_softmax([0.0, 0.0])
    array([-0.69314718, -0.69314718])
    """
    return np.log(naive_softmax.formula(x))


@operation("log_sum_exp", guarded=False)
def naive_log_sum_exp(x: Rows) -> Rows:
    """log(sum_j exp(x_j)), which overflows.

    >>> print(naive_log_sum_exp([0.0, 0.0]))
    0.6931471805599453
    """
    return np.log(_sum(np.exp(x)))


@operation("cross_entropy", guarded=False)
def naive_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """-log(softmax(x)_y), by way of the naive softmax.

    >>> print(naive_cross_entropy([0.0, 0.0], 1))
    0.6931471805599453
    """
    return -np.log(row_at(naive_softmax.formula(x), labels))


@operation("cross_entropy_gradient", guarded=False)
def naive_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """softmax(x)_i - [i = y], by way of the naive softmax.

    >>> naive_cross_entropy_gradient([0.0, 0.0], 1)
    array([ 0.5, -0.5])
    """
    return less_one_at(naive_softmax.formula(x), labels)


METHOD = Method(
    "naive",
    "exp(x) / sum exp(x), which overflows",
    "the definition",
    (
        naive_softmax,
        naive_log_softmax,
        naive_log_sum_exp,
        naive_cross_entropy,
        naive_cross_entropy_gradient,
    ),
    keeps_policy=False,
)
