"""Where a run was made: NumPy, its CPU dispatch and BLAS, libc, Python."""

from __future__ import annotations

import os
import platform
import re
import sys
import warnings
from typing import Any

import numpy as np


def environment() -> dict[str, Any]:
    """What the figures may depend on: NumPy, its CPU dispatch and BLAS, libc, Python."""
    import mpmath  # here, so that what measures nothing runs without it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns when PyYAML is absent
        config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    simd = config.get("SIMD Extensions", {})
    return {
        "numpy": np.__version__,
        "mpmath": mpmath.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "simd_baseline": list(simd.get("baseline", [])),
        "simd_dispatch": list(simd.get("found", [])),
        "simd_disabled": _disabled(simd),
        "byteorder": sys.byteorder,
    }


def _disabled(simd: dict[str, list[str]]) -> list[str]:
    """What NPY_DISABLE_CPU_FEATURES asks for; a ValueError where NumPy did not do it.

    NumPy passes over a name that it does not know, and its names changed in 2.4.
    """
    wanted = re.split(r"[\s,]+", os.environ.get("NPY_DISABLE_CPU_FEATURES", ""))
    names = [name for name in wanted if name]
    off = simd.get("not found", [])
    if without_effect := [name for name in names if name not in off]:
        raise ValueError(
            f"NPY_DISABLE_CPU_FEATURES: {', '.join(without_effect)} did not switch anything off "
            f"in NumPy {np.__version__}, which dispatches on "
            f"{', '.join([*simd.get('found', []), *off])}"
        )
    return names
