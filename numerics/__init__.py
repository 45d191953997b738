"""Softmax, log-softmax, log-sum-exp and cross-entropy, by every method worth knowing.

Pure NumPy, in fp16, fp32 and fp64. `METHODS` is the table; each method is a module of its own.

>>> list(METHODS)[:3]
['naive', 'stable', 'log1p']
>>> METHODS["stable"].softmax([0.0, 0.0])
array([0.5, 0.5])
"""

from numerics import bounds
from numerics.base2 import (
    base2_cross_entropy,
    base2_log_softmax,
    base2_log_sum_exp,
    base2_softmax,
)
from numerics.compensated import (
    compensated_cross_entropy,
    compensated_log_softmax,
    compensated_log_sum_exp,
    compensated_softmax,
)
from numerics.division_free import (
    division_free_cross_entropy,
    division_free_log_softmax,
    division_free_log_sum_exp,
    division_free_softmax,
)
from numerics.exact import (
    exact_cross_entropy,
    exact_log_softmax,
    exact_log_sum_exp,
    exact_softmax,
)
from numerics.facts import Bound
from numerics.fast import (
    fast_cross_entropy,
    fast_log_softmax,
    fast_log_sum_exp,
    fast_softmax,
)
from numerics.formats import FORMATS, FP16, FP32, FP64, Format, format_of
from numerics.log1p import (
    log1p_cross_entropy,
    log1p_log_softmax,
    log1p_log_sum_exp,
    log1p_softmax,
)
from numerics.method import OPERATIONS, Method
from numerics.naive import (
    naive_cross_entropy,
    naive_log_softmax,
    naive_log_sum_exp,
    naive_softmax,
)
from numerics.online import (
    online_cross_entropy,
    online_log_softmax,
    online_log_sum_exp,
    online_softmax,
)
from numerics.stable import (
    log_sum_exp,
    stable_cross_entropy,
    stable_log_softmax,
    stable_log_sum_exp,
    stable_softmax,
)
from numerics.two_pass import (
    two_pass_cross_entropy,
    two_pass_log_softmax,
    two_pass_log_sum_exp,
    two_pass_softmax,
)
from numerics.widened import (
    widened_cross_entropy,
    widened_log_softmax,
    widened_log_sum_exp,
    widened_softmax,
)

__version__ = "0.1.0"


def _bounds(name: str) -> dict[str, Bound]:
    """The bounds of a method, by operation: they are named as its functions are."""
    return {operation: getattr(bounds, f"{name}_{operation}") for operation in OPERATIONS}


_TABLE = (
    Method(
        name="naive",
        summary="exp(x) / sum exp(x), which overflows",
        source="the definition",
        softmax=naive_softmax,
        log_softmax=naive_log_softmax,
        log_sum_exp=naive_log_sum_exp,
        cross_entropy=naive_cross_entropy,
        bounds=_bounds("naive"),
        keeps_policy=False,
    ),
    Method(
        name="stable",
        summary="subtract the largest logit first",
        source="Blanchard, Higham & Higham (2021), doi:10.1093/imanum/draa038, with shift",
        softmax=stable_softmax,
        log_softmax=stable_log_softmax,
        log_sum_exp=stable_log_sum_exp,
        cross_entropy=stable_cross_entropy,
        bounds=_bounds("stable"),
    ),
    Method(
        name="log1p",
        summary="leave the largest term out of the sum, log1p",
        source="Blanchard, Higham & Higham (2021), with log1p",
        softmax=log1p_softmax,
        log_softmax=log1p_log_softmax,
        log_sum_exp=log1p_log_sum_exp,
        cross_entropy=log1p_cross_entropy,
        bounds=_bounds("log1p"),
    ),
    Method(
        name="division_free",
        summary="exp of the log-softmax",
        source="Blanchard, Higham & Higham (2021), without division",
        softmax=division_free_softmax,
        log_softmax=division_free_log_softmax,
        log_sum_exp=division_free_log_sum_exp,
        cross_entropy=division_free_cross_entropy,
        bounds=_bounds("division_free"),
    ),
    Method(
        name="online",
        summary="one pass, running maximum, rescaled sum",
        source="Milakov & Gimelshein (2018), arXiv:1805.02867",
        softmax=online_softmax,
        log_softmax=online_log_softmax,
        log_sum_exp=online_log_sum_exp,
        cross_entropy=online_cross_entropy,
        bounds=_bounds("online"),
    ),
    Method(
        name="two_pass",
        summary="exponentials as mantissa and exponent, no shift",
        source="Dukhan & Ablavatski (2020), arXiv:2001.04438",
        softmax=two_pass_softmax,
        log_softmax=two_pass_log_softmax,
        log_sum_exp=two_pass_log_sum_exp,
        cross_entropy=two_pass_cross_entropy,
        bounds=_bounds("two_pass"),
    ),
    Method(
        name="base2",
        summary="powers of two, as on GPUs",
        source="FlashAttention's kernels, scale_apply_exp2 in softmax.h",
        softmax=base2_softmax,
        log_softmax=base2_log_softmax,
        log_sum_exp=base2_log_sum_exp,
        cross_entropy=base2_cross_entropy,
        bounds=_bounds("base2"),
    ),
    Method(
        name="compensated",
        summary="every rounding error put back",
        source="Ogita, Rump & Oishi (2005), doi:10.1137/030601818",
        softmax=compensated_softmax,
        log_softmax=compensated_log_softmax,
        log_sum_exp=compensated_log_sum_exp,
        cross_entropy=compensated_cross_entropy,
        bounds=_bounds("compensated"),
    ),
    Method(
        name="widened",
        summary="compute in the next wider format, round once",
        source="common practice",
        softmax=widened_softmax,
        log_softmax=widened_log_softmax,
        log_sum_exp=widened_log_sum_exp,
        cross_entropy=widened_cross_entropy,
        bounds=_bounds("widened"),
        formats=("fp16", "fp32"),
    ),
    Method(
        name="fast",
        summary="blocks in the cache, shift only where needed",
        source="Blanchard, Higham & Higham (2021), unshifted; layout by measurement",
        softmax=fast_softmax,
        log_softmax=fast_log_softmax,
        log_sum_exp=fast_log_sum_exp,
        cross_entropy=fast_cross_entropy,
        bounds=_bounds("fast"),
        promises={"softmax": bounds.fast_softmax_promise},
    ),
    Method(
        name="exact",
        summary="correctly rounded, the same bits everywhere",
        source="our own, with the rounding test of Ziv (1991), doi:10.1145/114697.116813",
        softmax=exact_softmax,
        log_softmax=exact_log_softmax,
        log_sum_exp=exact_log_sum_exp,
        cross_entropy=exact_cross_entropy,
        bounds=_bounds("exact"),
        correctly_rounded=True,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _TABLE}
"""Every method by name."""

__all__ = [
    "FORMATS",
    "FP16",
    "FP32",
    "FP64",
    "METHODS",
    "OPERATIONS",
    "Format",
    "Method",
    "base2_cross_entropy",
    "base2_log_softmax",
    "base2_log_sum_exp",
    "base2_softmax",
    "compensated_cross_entropy",
    "compensated_log_softmax",
    "compensated_log_sum_exp",
    "compensated_softmax",
    "division_free_cross_entropy",
    "division_free_log_softmax",
    "division_free_log_sum_exp",
    "division_free_softmax",
    "exact_cross_entropy",
    "exact_log_softmax",
    "exact_log_sum_exp",
    "exact_softmax",
    "fast_cross_entropy",
    "fast_log_softmax",
    "fast_log_sum_exp",
    "fast_softmax",
    "format_of",
    "log1p_cross_entropy",
    "log1p_log_softmax",
    "log1p_log_sum_exp",
    "log1p_softmax",
    "log_sum_exp",
    "naive_cross_entropy",
    "naive_log_softmax",
    "naive_log_sum_exp",
    "naive_softmax",
    "online_cross_entropy",
    "online_log_softmax",
    "online_log_sum_exp",
    "online_softmax",
    "stable_cross_entropy",
    "stable_log_softmax",
    "stable_log_sum_exp",
    "stable_softmax",
    "two_pass_cross_entropy",
    "two_pass_log_softmax",
    "two_pass_log_sum_exp",
    "two_pass_softmax",
    "widened_cross_entropy",
    "widened_log_softmax",
    "widened_log_sum_exp",
    "widened_softmax",
]
