"""Hypothesis strategies that the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.inputs.formats import FORMATS
from numerics import BF16, Format
from numerics.formats import FloatArray

formats = st.sampled_from(list(FORMATS.values()))


# Hypothesis knows only the formats of NumPy: bf16 is drawn by its bits.
finite = st.integers(0, 0x7F7F) | st.integers(0x8000, 0xFF7F)
ordinary = st.integers(0x3A80, 0x4140) | st.integers(0xBA80, 0xC140)  # from 2^-10 to 12


def _of_bits(shape: tuple[int, ...], codes: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    def seen(array: Any) -> FloatArray:
        found: FloatArray = array.view(BF16.dtype)
        return found

    return hnp.arrays(np.uint16, shape, elements=codes).map(seen)


def finite_rows(format: Format, max_columns: int = 5) -> st.SearchStrategy[Any]:
    """Batches of finite logits anywhere in the format, subnormal numbers included."""
    shapes = st.tuples(st.integers(1, 3), st.integers(1, max_columns))
    if format == BF16:
        return shapes.flatmap(lambda shape: _of_bits(shape, finite) | _of_bits(shape, ordinary))
    elements = hnp.from_dtype(format.dtype, allow_nan=False, allow_infinity=False)
    narrow = st.integers(-12_000, 12_000).map(lambda n: float(np.float16(n / 1000)))
    return shapes.flatmap(
        lambda shape: (
            hnp.arrays(format.dtype, shape, elements=elements)
            | hnp.arrays(format.dtype, shape, elements=narrow)
        )
    )


def any_values(format: Format, size: int) -> st.SearchStrategy[Any]:
    """Arrays of anything the format can hold, NaN and infinities included."""
    if format == BF16:
        return _of_bits((size,), st.integers(0, 2**16 - 1))
    return hnp.arrays(format.dtype, size, elements=hnp.from_dtype(format.dtype))
