"""Measure how wrong and how fast a softmax is: a pytest suite, a command line, and `verdict`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Judged, verdict

__all__ = ["Judged", "verdict"]


def __getattr__(name: str) -> Any:
    """What `from bench import verdict` finds; the rest of the harness is not imported before."""
    if name in __all__:
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
