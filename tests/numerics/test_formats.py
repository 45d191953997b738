from __future__ import annotations

import numpy as np
import pytest

import bench.inputs.formats as here
from numerics import FORMATS, Format, format_of


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_constants_are_those_of_numpy(format: Format) -> None:
    info = np.finfo(format.dtype)
    assert format.largest == info.max
    assert format.smallest_normal == info.smallest_normal
    assert format.smallest_subnormal == info.smallest_subnormal
    assert 2 * format.unit_roundoff == info.eps


@pytest.mark.parametrize("format", here.FORMATS.values(), ids=here.FORMATS)
def test_exp_thresholds_are_sharp(format: Format) -> None:
    import mpmath

    above = np.nextafter(format.dtype.type(format.exp_overflow), format.dtype.type(np.inf))
    assert mpmath.exp(format.exp_overflow) <= format.largest < mpmath.exp(float(above))
    below = np.nextafter(format.dtype.type(format.exp_underflow), format.dtype.type(-np.inf))
    assert mpmath.exp(float(below)) < format.smallest_normal <= mpmath.exp(format.exp_underflow)


@pytest.mark.parametrize("dtype", ["g", "c8", "i4", "O", "U3"])
def test_other_dtypes_are_refused_by_name(dtype: str) -> None:
    if np.dtype(dtype) == np.float64:
        pytest.skip("longdouble is float64 on this platform")
    with pytest.raises(TypeError, match=str(np.dtype(dtype))):
        format_of(dtype)
