"""Witnesses: the outputs that show an error, reproducible to the bit. Measures nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.measure import metrics
from bench.measure.metrics import Errors
from bench.truth.exact import Exact
from numerics.formats import FloatArray

SHORT_ROW = 16
"""Rows up to this length are kept whole; longer ones are named by their place."""


def worst(
    batches: Sequence[Batch],
    outputs: Sequence[FloatArray],
    parts: Sequence[Exact],
    compared: Sequence[Errors],
) -> dict[str, Any]:
    """The output with the largest error, a failure before any number."""
    return _at_largest([errors.ulp for errors in compared], batches, outputs, parts)


def largest(
    batches: Sequence[Batch],
    outputs: Sequence[FloatArray],
    parts: Sequence[Exact],
    compared: Sequence[Errors],
) -> dict[str, Any] | None:
    """The output with the largest finite error; None where `worst` is that, or there is none."""
    finite = [np.where(np.isfinite(errors.ulp), errors.ulp, -1.0) for errors in compared]
    sizes = np.concatenate(finite)
    if sizes.min() >= 0 or sizes.max() < 0:
        return None
    return _at_largest(finite, batches, outputs, parts)


def _at_largest(
    sizes: Sequence[npt.NDArray[np.float64]],
    batches: Sequence[Batch],
    outputs: Sequence[FloatArray],
    parts: Sequence[Exact],
) -> dict[str, Any]:
    which = int(np.argmax([size.max(initial=-1.0) for size in sizes]))
    batch, got, exact = batches[which], outputs[which], parts[which]
    at = int(sizes[which].argmax())
    row, column = divmod(at, got.shape[1]) if got.ndim == 2 else (at, None)
    x = batch.x[row]
    return {
        "batch": which,
        "row": row,
        "column": column,
        "width": x.size,
        "label": int(batch.labels[row]),
        "x": [float(v).hex() for v in x] if x.size <= SHORT_ROW else None,
        "got": float(got.ravel()[at]).hex(),
        "exact": metrics.exact_hex(exact, at),
    }


_HEX = re.compile(r"-?(nan|inf|0x[0-9a-f](\.[0-9a-f]{1,400})?p[+-]\d{1,5})")


def is_sound(witness: object) -> bool:
    """Whether a witness from a file is one: counts and hexadecimal numbers, and nothing else.

    >>> is_sound({"x": ["__import__('os')"]})
    False
    """
    if not isinstance(witness, dict):
        return False
    column, x = witness.get("column"), witness.get("x")
    counts = [*map(witness.get, ("batch", "row", "width", "label")), column or 0]
    numbers = [*map(witness.get, ("got", "exact")), *(x if isinstance(x, list) else [])]
    return (
        (x is None or (isinstance(x, list) and 0 < len(x) <= SHORT_ROW))
        and all(type(count) is int and 0 <= count < 2**53 for count in counts)
        and all(isinstance(text, str) and _HEX.fullmatch(text) for text in numbers)
    )
