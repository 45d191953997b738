"""How far a command is, on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def progress(things: Iterable[T], count: int, doing: str = "drawing", /) -> Iterable[T]:
    """Pass things on, and show how many of them are done; a `Track`."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(things, doing, total=count, console=console, transient=True, disable=hidden)
