"""Softmax, log-softmax, log-sum-exp and cross-entropy, by every method worth knowing.

Pure NumPy, in fp16, fp32 and fp64. `METHODS` is the table; each method is a module of its own.

>>> sorted(METHODS)
['naive', 'stable']
>>> METHODS["stable"].softmax([0.0, 0.0])
array([0.5, 0.5])
"""

from numerics import bounds
from numerics.formats import FORMATS, FP16, FP32, FP64, Format, format_of
from numerics.method import OPERATIONS, Method
from numerics.naive import (
    naive_cross_entropy,
    naive_log_softmax,
    naive_log_sum_exp,
    naive_softmax,
)
from numerics.stable import (
    log_sum_exp,
    stable_cross_entropy,
    stable_log_softmax,
    stable_log_sum_exp,
    stable_softmax,
)

__version__ = "0.1.0"

_TABLE = (
    Method(
        name="naive",
        summary="exp(x) / sum exp(x), which overflows",
        source="the definition",
        softmax=naive_softmax,
        log_softmax=naive_log_softmax,
        log_sum_exp=naive_log_sum_exp,
        cross_entropy=naive_cross_entropy,
        bounds={
            "softmax": bounds.naive_softmax,
            "log_softmax": bounds.naive_log_softmax,
            "log_sum_exp": bounds.naive_log_sum_exp,
            "cross_entropy": bounds.naive_cross_entropy,
        },
    ),
    Method(
        name="stable",
        summary="subtract the largest logit first",
        source="Blanchard, Higham & Higham (2021), doi:10.1093/imanum/draa038, with shift",
        softmax=stable_softmax,
        log_softmax=stable_log_softmax,
        log_sum_exp=stable_log_sum_exp,
        cross_entropy=stable_cross_entropy,
        bounds={
            "softmax": bounds.stable_softmax,
            "log_softmax": bounds.stable_log_softmax,
            "log_sum_exp": bounds.stable_log_sum_exp,
            "cross_entropy": bounds.stable_cross_entropy,
        },
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
    "format_of",
    "log_sum_exp",
    "naive_cross_entropy",
    "naive_log_softmax",
    "naive_log_sum_exp",
    "naive_softmax",
    "stable_cross_entropy",
    "stable_log_softmax",
    "stable_log_sum_exp",
    "stable_softmax",
]
