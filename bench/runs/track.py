"""How work that takes long passes its parts on, so that somebody may show how far it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Passes things on, and may show how many of how many there are, and what is done with them."""

    def __call__(self, things: Iterable[T], count: int, doing: str = "drawing", /) -> Iterable[T]:
        """The same things, in the same order."""
        ...
