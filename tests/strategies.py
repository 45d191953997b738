"""Hypothesis strategies that the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numerics import FORMATS, Format

formats = st.sampled_from(list(FORMATS.values()))


def finite_rows(format: Format, max_columns: int = 5) -> st.SearchStrategy[Any]:
    """Batches of finite logits anywhere in the format, subnormal numbers included."""
    shapes = st.tuples(st.integers(1, 3), st.integers(1, max_columns))
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
    return hnp.arrays(format.dtype, size, elements=hnp.from_dtype(format.dtype))
