"""What subjects print, kept out of results."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a subject prints or warns of is no result: dropped."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
        np.errstate(all="ignore"),
    ):
        yield


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """What is printed goes to standard error, whoever prints it, compiled code included.

    What C has in its buffers it writes at exit: `bench.__main__` sends that after the rest.
    """
    sys.stdout.flush()
    with contextlib.ExitStack() as undone:
        with contextlib.suppress(OSError):  # one of them is closed
            kept = os.dup(1)
            undone.callback(os.close, kept)
            os.dup2(2, 1)
            undone.callback(os.dup2, kept, 1)
        undone.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield
