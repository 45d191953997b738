"""exact: every output is the floating-point number nearest to the true value, ties to even.

    exact(x) = round(f(x)),   f one of the operations on the input as it is

Idea: compute with a proved error bound and look whether all numbers within it are rounded to the
same one; what is undecided is computed again with more digits (Ziv 1991). Four stages: fp64 for
all narrower formats (46 bits), pairs of fp64 (75 bits), double-double (95 bits), `decimal` (until
done).
It ends: by Lindemann and Weierstrass no result is a midpoint of two floating-point numbers but in
rows of equal logits or with one finite logit, which are treated apart (`decimals` says why).
When to use it: where results must be reproducible, since a correctly rounded result has one value
on every processor, in every version and for every layout; and as a reference. When not: where
speed is all; fp64 takes several times as long as other methods, fp16 less than most.
Bound: `bounds.exact_*`: half an ulp.
Source: our own; the rounding test is that of Ziv, "Fast evaluation of elementary mathematical
functions with correctly rounded last bit", ACM TOMS 17 (1991), doi:10.1145/114697.116813.

Assumed of NumPy: + - * /, rint, casts and comparisons as IEEE 754 has them, in round to nearest,
and of ml_dtypes its casts between fp32 and bf16.
Neither np.exp nor np.log is trusted. The proof, stage by stage: docs/exact.md.

A zero has the sign of the value that was rounded to it: exp(-1000) to +0, log(1 - exp(-1000)) to
-0. An exact zero is +0.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.exact.rounding import magnitudes
from numerics.exact.stages import BATCH, evaluate, stages_of
from numerics.formats import FloatArray, format_of
from numerics.method import LABELLED, OPERATIONS, Method, operation
from numerics.rows import POLICIES, Labels, Rows, Special, special_rows


@operation("softmax", guarded=False)
def exact_softmax(x: Rows) -> Rows:
    """exp(x_i) / sum_j exp(x_j), correctly rounded.

    Special rows as `stable_softmax`, 1/K rounded correctly, too. Bound: `bounds.exact_softmax`,
    half an ulp.

    >>> import numpy as np
    >>> exact_softmax(np.array([0.0, 1.0, 2.0], np.float32))
    array([0.09003057, 0.24472848, 0.66524094], dtype=float32)
    """
    return _evaluate("softmax", x)


@operation("log_softmax", guarded=False)
def exact_log_softmax(x: Rows) -> Rows:
    """x_i - log sum_j exp(x_j), correctly rounded.

    Special rows as `stable_log_softmax`, -log K rounded correctly, too. Bound:
    `bounds.exact_log_softmax`, half an ulp.

    >>> exact_log_softmax([0.0, -40.0])
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _evaluate("log_softmax", x)


@operation("log_sum_exp", guarded=False)
def exact_log_sum_exp(x: Rows) -> Rows:
    """log sum_j exp(x_j), correctly rounded; near 0, too.

    Special rows as `stable_log_sum_exp`; beyond the largest number, infinity. Bound:
    `bounds.exact_log_sum_exp`, half an ulp.

    >>> import math
    >>> print(exact_log_sum_exp([-math.log(2), -math.log(2)]))
    2.3190468138462996e-17
    """
    return _evaluate("log_sum_exp", x)


@operation("cross_entropy", guarded=False)
def exact_cross_entropy(x: Rows, labels: Labels) -> Rows:
    """log sum_j exp(x_j) - x_y, correctly rounded.

    Special rows as `stable_cross_entropy`, log K rounded correctly, too. Bound:
    `bounds.exact_cross_entropy`, half an ulp.

    >>> print(exact_cross_entropy([0.0, -40.0], 0))
    4.248354255291589e-18
    """
    return _evaluate("cross_entropy", x, labels)


@operation("cross_entropy_gradient", guarded=False)
def exact_cross_entropy_gradient(x: Rows, labels: Labels) -> Rows:
    """exp(x_i) / sum_j exp(x_j) - [i = y], correctly rounded.

    Special rows as `stable_cross_entropy_gradient`, 1/K - 1 rounded correctly, too. Bound:
    `bounds.exact_cross_entropy_gradient`, half an ulp.

    >>> exact_cross_entropy_gradient([0.0, -40.0], 0)
    array([-4.24835426e-18,  4.24835426e-18])
    """
    return _evaluate("cross_entropy_gradient", x, labels)


def undecided(operation: str, x: npt.ArrayLike, y: npt.ArrayLike = 0, /) -> dict[str, int]:
    """How many outputs each stage leaves to the next, over the last axis; the last stage leaves 0.

    Parameters
    ----------
    operation :
        One of `numerics.OPERATIONS`.
    x, y :
        As for that operation; labels `y` only if it takes them.

    Raises
    ------
    ValueError
        For any other operation.

    >>> import numpy as np
    >>> undecided("log_softmax", np.array([0.0, -700.0 - 2.0**-44]))
    {'extended': 1, 'double_double': 1}
    """
    if operation not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, not {operation!r}")
    format = format_of(rows.as_floating(x).dtype)
    counts = Counter({stage.name: 0 for stage in stages_of(format)})
    labels = y if operation in LABELLED else 0
    rows.labelled(lambda x, labels: _counted(operation, x, labels, counts), x, labels, -1)
    return dict(counts)


def _counted(operation: str, x: FloatArray, labels: Labels, counts: Counter[str]) -> FloatArray:
    _evaluate(operation, x, labels, counts)
    return x[:, 0]


def _evaluate(
    operation: str, x: FloatArray, labels: Labels | None = None, counts: Counter[str] | None = None
) -> FloatArray:
    """A kernel (rows, K); special rows as published, rows of -inf alone as equal logits."""
    with np.errstate(all="ignore"):
        special = _special(operation, x)
        if special:
            x = x.copy()
            for at, _ in special:
                x[at] = 0
        labels = np.broadcast_to(np.intp(0), len(x)) if labels is None else labels
        out = evaluate(operation, x, labels, stages_of(format_of(x.dtype)), counts)
        for at, value in special:
            if not np.isfinite(value).all():
                out[at] = value
    return out


def _special(operation: str, x: FloatArray) -> Special:
    # NumPy has no quick min and max of 16 bits.
    infinity, flat = magnitudes(np.array(np.inf, x.dtype)), x.reshape(-1)
    parts = (flat[start : start + BATCH] for start in range(0, flat.size, BATCH))
    if all(magnitudes(part).max() < infinity for part in parts):
        return []
    return special_rows(POLICIES[operation], x.max(axis=1), x.shape[1])


METHOD = Method(
    "exact",
    "correctly rounded, the same bits everywhere",
    "our own, with the rounding test of Ziv (1991), doi:10.1145/114697.116813",
    (
        exact_softmax,
        exact_log_softmax,
        exact_log_sum_exp,
        exact_cross_entropy,
        exact_cross_entropy_gradient,
    ),
    correctly_rounded=True,
)

__all__ = [
    "METHOD",
    "exact_cross_entropy",
    "exact_cross_entropy_gradient",
    "exact_log_softmax",
    "exact_log_sum_exp",
    "exact_softmax",
    "undecided",
]
