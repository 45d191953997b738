"""Packages that not everybody has, and the extra of this project that brings them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from bench.runs.committed import IN_CHECKOUT


class ExtraMissingError(Exception):
    """Packages that are not installed; the message names them and says how to get them."""


def require(extra: str, packages: Sequence[str]) -> None:
    """ExtraMissingError unless all of the packages are installed.

    >>> require("report", ["math", "no_such_package"])
    Traceback (most recent call last):
    ...
    bench.runs.extras.ExtraMissingError: needs no_such_package: pip install '.[report]'
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        this = "." if IN_CHECKOUT else "softmax-numerics"
        raise ExtraMissingError(f"needs {', '.join(missing)}: pip install '{this}[{extra}]'")
