"""Witnesses: the outputs that show an error, reproducible to the bit. Measures nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.cases import Batch
from bench.metrics import Errors
from bench.reference import Exact
from numerics.formats import FORMATS, FloatArray

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


def short_hex(text: str) -> str:
    """What `float.hex` gives, without trailing zeros.

    >>> [short_hex(x.hex()) for x in (1.0, -42.5, 0.0, float("inf"))]
    ['0x1p+0', '-0x1.54p+5', '0x0p+0', 'inf']
    """
    return re.sub(r"\.?0+p", "p", text)


def as_python(witness: Mapping[str, Any], case: str, format_name: str) -> str:
    """One line of Python that makes the row `x` of a witness, shape (1, K).

    A row that is not kept whole comes from its case, which needs a checkout.

    >>> print(as_python({"x": ["0x1.4000000000000p+4", "0x0.0p+0"]}, "any", "fp32"))
    x = np.array([[float.fromhex(h) for h in "0x1.4p+4 0x0p+0".split()]], "float32")
    >>> print(as_python({"x": None, "batch": 1, "row": 4}, "normal 5", "fp32"))
    x = bench.cases.named("normal 5").batches(numerics.FORMATS["fp32"])[1].x[4:5]
    """
    if witness["x"] is not None:
        row, dtype = " ".join(map(short_hex, witness["x"])), FORMATS[format_name].dtype.name
        return f'x = np.array([[float.fromhex(h) for h in "{row}".split()]], "{dtype}")'
    batch, row = witness["batch"], witness["row"]
    batches = f'bench.cases.named("{case}").batches(numerics.FORMATS["{format_name}"])'
    return f"x = {batches}[{batch}].x[{row}:{row + 1}]"
