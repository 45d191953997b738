"""Correctly rounded results by mpmath, at a precision that leaves no doubt; slow and simple.

And what `exact` says beside it.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from mpmath import mp, mpf

from numerics import METHODS, OPERATIONS
from numerics.formats import FloatArray, Format
from numerics.method import arguments

FAR = 2000
"""exp(-FAR), 2^-1800 of the smallest number, stands for all beyond it, which only breaks ties."""


def correctly_rounded(row: FloatArray, label: int, format: Format) -> dict[str, list[float]]:
    """All operations on a row with at least one finite logit and no NaN or +inf."""
    logits = [float(x) for x in row]
    largest = max(logits)
    finite = [x for x in logits if x > -math.inf]
    with mp.workprec(_precision(finite)):
        exponentials = {x: mp.exp(-min(mpf(largest) - mpf(x), mpf(FAR))) for x in set(finite)}
        others = mp.fsum(exponentials[x] for x in finite) - 1
        log_sum = mp.log1p(others)
        softmax = {x: nearest(e / (1 + others), format) for x, e in exponentials.items()}
        surprise = {x: (mpf(largest) - mpf(x)) + log_sum for x in exponentials}
        softmax[-math.inf], surprise[-math.inf] = 0.0, mp.inf
        log_softmax = {x: nearest(-s, format) for x, s in surprise.items()}
        gradient = [softmax[x] for x in logits]
        gradient[label] = nearest(-_share_of_others(exponentials, logits, label), format)
        return {
            "softmax": [softmax[x] for x in logits],
            "log_softmax": [log_softmax[x] for x in logits],
            "log_sum_exp": [nearest(mpf(largest) + log_sum, format)],
            "cross_entropy": [nearest(surprise[logits[label]], format)],
            "cross_entropy_gradient": gradient,
        }


def _share_of_others(exponentials: dict[float, mpf], logits: list[float], label: int) -> mpf:
    """1 - p_y, where nothing cancels."""
    others = mp.fsum(exponentials.get(x, mpf(0)) for i, x in enumerate(logits) if i != label)
    return others / (others + exponentials.get(logits[label], mpf(0)))


def _precision(finite: list[float]) -> int:
    """Bits that hold the smallest term beside the largest number, and 1200 more."""
    gap = min(max(finite) - min(finite), FAR)
    return 1200 + int(1.5 * gap) + int(math.log2(1 + max(map(abs, finite))))


def nearest(value: mpf, format: Format) -> float:
    """An mpf rounded to nearest, ties to even, from its exact mantissa and exponent."""
    if mp.isinf(value):
        return float(value)
    sign, mantissa, exponent, _ = value._mpf_
    exact = int(mantissa) * Fraction(2) ** int(exponent)
    if not exact:
        return 0.0
    binade = mp.mag(value) - 1
    unit = Fraction(2) ** (max(int(binade), format.min_exponent) - format.precision + 1)
    rounded = round(exact / unit) * unit
    if rounded > format.largest:
        return -math.inf if sign else math.inf
    return math.copysign(float(rounded), -1 if sign else 1)


def bits(x: FloatArray) -> list[int]:
    """The bits of an array; zeros of both signs differ."""
    found: list[int] = np.ascontiguousarray(x).view(f"u{x.itemsize}").ravel().tolist()
    return found


def results(x: FloatArray, labels: np.ndarray) -> dict[str, FloatArray]:
    """All operations over the last axis."""
    return {
        operation: getattr(METHODS["exact"], operation)(*arguments(operation, x, labels))
        for operation in OPERATIONS
    }


def mismatches(x: FloatArray, format: Format) -> list[str]:
    """Outputs that are not correctly rounded, with their row in hex, to be kept."""
    labels = np.arange(len(x)) % x.shape[1]
    got = results(x, labels)
    found = []
    for i, row in enumerate(x):
        truth = correctly_rounded(row, int(labels[i]), format)
        for operation, expected in truth.items():
            mine = np.atleast_1d(got[operation][i])
            wanted = np.array(expected).astype(format.dtype)
            if bits(mine) != bits(wanted):
                pairs = zip(bits(mine), bits(wanted), strict=True)
                at = next(j for j, (a, b) in enumerate(pairs) if a != b)
                logits = [float(v).hex() for v in row[:8]]
                found.append(f"{operation} {format.name} {logits} at {at}: {mine[at]!r}")
    return found
