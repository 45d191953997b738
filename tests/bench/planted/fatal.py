"""Functions that take their process with them, never return, or raise what nobody expects."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np

from tests.bench.planted.planting import SOFTMAX, Planted


def exits_on_nan(x: Any, axis: int = -1) -> Any:
    if np.isnan(x).any():
        os._exit(3)
    return SOFTMAX(x, axis=axis)


def crashes_on_long_rows(x: Any, axis: int = -1) -> Any:
    if np.shape(x)[axis] > 70000:
        os.kill(os.getpid(), signal.SIGSEGV)
    return SOFTMAX(x, axis=axis)


def hangs_without_rows(x: Any, axis: int = -1) -> Any:
    if not np.size(x):
        time.sleep(3600)
    return SOFTMAX(x, axis=axis)


def has_no_memory_for_large_arrays(x: Any, axis: int = -1) -> Any:
    if np.size(x) > 2**20 + 2**19:
        raise MemoryError("cannot allocate the scratch")
    return SOFTMAX(x, axis=axis)


def leaves_the_program_on_infinity(x: Any, axis: int = -1) -> Any:
    if np.isposinf(x).any():
        raise SystemExit(0)
    return SOFTMAX(x, axis=axis)


def raises_in_every_call(x: Any, axis: int = -1) -> Any:
    raise ZeroDivisionError("on purpose")


FATAL: tuple[Planted, ...] = (
    Planted(exits_on_nan, "softmax", "kind: os._exit", "leaves the process on NaN",
            r"ended its process with status 3", found_by="case 'presented, special'"),
    Planted(crashes_on_long_rows, "softmax", "kind: crash",
            "a segmentation fault beyond 70 000 columns", r"ended its process by SIGSEGV",
            found_by="case 'lengths'"),
    Planted(hangs_without_rows, "softmax", "kind: hang", "never returns for no rows",
            r"no rows: .*no answer within", found_by="no rows"),
    Planted(has_no_memory_for_large_arrays, "softmax", "kind: memory",
            "MemoryError for large arrays", r"MemoryError", found_by="2^22 numbers"),
    Planted(leaves_the_program_on_infinity, "softmax", "kind: sys.exit", "SystemExit on +inf",
            r"raised .*SystemExit|SystemExit", found_by="case 'presented, special'"),
    Planted(raises_in_every_call, "softmax", "kind: nothing measured", "raises in every call",
            r"ZeroDivisionError: on purpose", found_by="case 'presented'"),
)  # fmt: skip
