"""Softmax, log-softmax, log-sum-exp, cross-entropy and its gradient, by every method worth knowing.

Pure NumPy, in fp16, fp32 and fp64, and in bf16 where `ml_dtypes` is installed. `METHODS` is the
table; each method is a module of its own.

>>> list(METHODS)[:3]
['naive', 'stable', 'log1p']
>>> METHODS["stable"].softmax([0.0, 0.0])
array([0.5, 0.5])
"""

from numerics import (
    base2,
    compensated,
    division_free,
    exact,
    fast,
    log1p,
    naive,
    online,
    stable,
    two_pass,
    widened,
)
from numerics.base2 import (
    base2_cross_entropy,
    base2_cross_entropy_gradient,
    base2_log_softmax,
    base2_log_sum_exp,
    base2_softmax,
)
from numerics.compensated import (
    compensated_cross_entropy,
    compensated_cross_entropy_gradient,
    compensated_log_softmax,
    compensated_log_sum_exp,
    compensated_softmax,
)
from numerics.division_free import (
    division_free_cross_entropy,
    division_free_cross_entropy_gradient,
    division_free_log_softmax,
    division_free_log_sum_exp,
    division_free_softmax,
)
from numerics.exact import (
    exact_cross_entropy,
    exact_cross_entropy_gradient,
    exact_log_softmax,
    exact_log_sum_exp,
    exact_softmax,
)
from numerics.fast import (
    fast_cross_entropy,
    fast_cross_entropy_gradient,
    fast_log_softmax,
    fast_log_sum_exp,
    fast_softmax,
)
from numerics.formats import ALL_FORMATS, BF16, FORMATS, FP16, FP32, FP64, Format, format_of
from numerics.log1p import (
    log1p_cross_entropy,
    log1p_cross_entropy_gradient,
    log1p_log_softmax,
    log1p_log_sum_exp,
    log1p_softmax,
)
from numerics.method import ELEMENTWISE, LABELLED, OPERATIONS, Method
from numerics.naive import (
    naive_cross_entropy,
    naive_cross_entropy_gradient,
    naive_log_softmax,
    naive_log_sum_exp,
    naive_softmax,
)
from numerics.online import (
    online_cross_entropy,
    online_cross_entropy_gradient,
    online_log_softmax,
    online_log_sum_exp,
    online_softmax,
)
from numerics.stable import (
    log_sum_exp,
    stable_cross_entropy,
    stable_cross_entropy_gradient,
    stable_log_softmax,
    stable_log_sum_exp,
    stable_softmax,
)
from numerics.two_pass import (
    two_pass_cross_entropy,
    two_pass_cross_entropy_gradient,
    two_pass_log_softmax,
    two_pass_log_sum_exp,
    two_pass_softmax,
)
from numerics.widened import (
    widened_cross_entropy,
    widened_cross_entropy_gradient,
    widened_log_softmax,
    widened_log_sum_exp,
    widened_softmax,
)

__version__ = "0.1.0"


_MODULES = (
    naive,
    stable,
    log1p,
    division_free,
    online,
    two_pass,
    base2,
    compensated,
    widened,
    fast,
    exact,
)
METHODS: dict[str, Method] = {module.METHOD.name: module.METHOD for module in _MODULES}
"""Every method by name."""

__all__ = [
    "ALL_FORMATS",
    "BF16",
    "ELEMENTWISE",
    "FORMATS",
    "FP16",
    "FP32",
    "FP64",
    "LABELLED",
    "METHODS",
    "OPERATIONS",
    "Format",
    "Method",
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
    "format_of",
    "log1p_cross_entropy",
    "log1p_cross_entropy_gradient",
    "log1p_log_softmax",
    "log1p_log_sum_exp",
    "log1p_softmax",
    "log_sum_exp",
    "naive_cross_entropy",
    "naive_cross_entropy_gradient",
    "naive_log_softmax",
    "naive_log_sum_exp",
    "naive_softmax",
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
