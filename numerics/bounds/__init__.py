"""Rounding-error bounds: one function per method and operation, each with its theorem.

Every function takes `RowFacts` and returns, for each output, a bound on the *absolute* error in
units of u:

    |computed - exact| <= u * bound

Infinity means that the theorem claims nothing there (overflow, for the unshifted formulas).

The theorems are those of Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and
softmax functions", IMA J. Numer. Anal. 41 (2021), doi:10.1093/imanum/draa038, in componentwise
form and with these refinements:

- *Their exp and log err by at most u.* NumPy's do not: `facts.ELEMENTARY` says by how much.
- *Their sum is sequential*, n - 1 roundings. NumPy's is pairwise: `facts.summation_depth`.
- *max - min* is the worst case of m - x_i; here each exponential pays its own m - x_i, and the
  denominator their average weighted by the exponentials.
- *First order in u.* Here (1 + u)^T <= e^(Tu) is kept whole (`compounded`), since u = 2^-11 is not
  small.
- *No underflow.* Here a result below the smallest normal number may err by half the spacing of
  subnormal numbers, which is u * smallest_normal.

So for example `stable_softmax` has the published n + 2 + 2R, R = max - min, as its worst case when
exp errs by u and the sum is sequential.
"""

from numerics.bounds.fast import (
    fast_cross_entropy,
    fast_cross_entropy_gradient,
    fast_log_softmax,
    fast_log_sum_exp,
    fast_softmax,
)
from numerics.bounds.precise import (
    PAIR,
    compensated_cross_entropy,
    compensated_cross_entropy_gradient,
    compensated_log_softmax,
    compensated_log_sum_exp,
    compensated_softmax,
    exact_cross_entropy,
    exact_cross_entropy_gradient,
    exact_log_softmax,
    exact_log_sum_exp,
    exact_softmax,
    widened_cross_entropy,
    widened_cross_entropy_gradient,
    widened_log_softmax,
    widened_log_sum_exp,
    widened_softmax,
)
from numerics.bounds.shifted import (
    base2_cross_entropy,
    base2_cross_entropy_gradient,
    base2_log_softmax,
    base2_log_sum_exp,
    base2_softmax,
    division_free_cross_entropy,
    division_free_cross_entropy_gradient,
    division_free_log_softmax,
    division_free_log_sum_exp,
    division_free_softmax,
    log1p_cross_entropy,
    log1p_cross_entropy_gradient,
    log1p_log_softmax,
    log1p_log_sum_exp,
    log1p_softmax,
    online_cross_entropy,
    online_cross_entropy_gradient,
    online_log_softmax,
    online_log_sum_exp,
    online_softmax,
    stable_cross_entropy,
    stable_cross_entropy_gradient,
    stable_log_softmax,
    stable_log_sum_exp,
    stable_softmax,
)
from numerics.bounds.unshifted import (
    naive_cross_entropy,
    naive_cross_entropy_gradient,
    naive_log_softmax,
    naive_log_sum_exp,
    naive_softmax,
    two_pass_cross_entropy,
    two_pass_cross_entropy_gradient,
    two_pass_log_softmax,
    two_pass_log_sum_exp,
    two_pass_softmax,
)
from numerics.facts import Bound
from numerics.method import OPERATIONS


def of(method: str) -> dict[str, Bound]:
    """The bounds of a method by operation; they are named as its functions are.

    >>> of("stable")["softmax"] is stable_softmax
    True
    """
    return {operation: globals()[f"{method}_{operation}"] for operation in OPERATIONS}


__all__ = [
    "PAIR",
    "base2_cross_entropy",
    "base2_cross_entropy_gradient",
    "base2_log_softmax",
    "base2_log_sum_exp",
    "base2_softmax",
    "compensated_cross_entropy",
    "compensated_cross_entropy_gradient",
    "compensated_log_softmax",
    "compensated_log_sum_exp",
    "compensated_softmax",
    "division_free_cross_entropy",
    "division_free_cross_entropy_gradient",
    "division_free_log_softmax",
    "division_free_log_sum_exp",
    "division_free_softmax",
    "exact_cross_entropy",
    "exact_cross_entropy_gradient",
    "exact_log_softmax",
    "exact_log_sum_exp",
    "exact_softmax",
    "fast_cross_entropy",
    "fast_cross_entropy_gradient",
    "fast_log_softmax",
    "fast_log_sum_exp",
    "fast_softmax",
    "log1p_cross_entropy",
    "log1p_cross_entropy_gradient",
    "log1p_log_softmax",
    "log1p_log_sum_exp",
    "log1p_softmax",
    "naive_cross_entropy",
    "naive_cross_entropy_gradient",
    "naive_log_softmax",
    "naive_log_sum_exp",
    "naive_softmax",
    "of",
    "online_cross_entropy",
    "online_cross_entropy_gradient",
    "online_log_softmax",
    "online_log_sum_exp",
    "online_softmax",
    "stable_cross_entropy",
    "stable_cross_entropy_gradient",
    "stable_log_softmax",
    "stable_log_sum_exp",
    "stable_softmax",
    "two_pass_cross_entropy",
    "two_pass_cross_entropy_gradient",
    "two_pass_log_softmax",
    "two_pass_log_sum_exp",
    "two_pass_softmax",
    "widened_cross_entropy",
    "widened_cross_entropy_gradient",
    "widened_log_softmax",
    "widened_log_sum_exp",
    "widened_softmax",
]
