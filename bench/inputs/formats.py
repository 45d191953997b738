"""The formats that can be measured here: those of NumPy, and bf16 where ml_dtypes is installed.

bf16 is measured where it is asked for by its name; what nobody asks about is in NumPy's formats, so
that a run says the same with and without that package.
"""

from __future__ import annotations

import importlib
import importlib.util

from numerics.formats import ALL_FORMATS, Format
from numerics.formats import FORMATS as OF_NUMPY

PACKAGE = "ml_dtypes"


def _here() -> dict[str, Format]:
    if importlib.util.find_spec(PACKAGE) is None:
        return dict(OF_NUMPY)
    importlib.import_module(PACKAGE)  # which makes NumPy know the dtype
    return dict(ALL_FORMATS)


FORMATS = _here()
USUAL = tuple(OF_NUMPY)
"""What is measured unless others are asked for."""
