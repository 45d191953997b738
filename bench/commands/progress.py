"""How far a command is, on standard error: a bar on a terminal; lines without rich."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def progress(things: Iterable[T], count: int, doing: str = "drawing", /) -> Iterable[T]:
    """Pass things on, and show how many of them are done; a `Track`."""
    if importlib.util.find_spec("rich") is None:
        return _in_lines(things, count, doing)
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(things, doing, total=count, console=console, transient=True, disable=hidden)


def _in_lines(things: Iterable[T], count: int, doing: str) -> Iterator[T]:
    """A line at every tenth part."""
    step = max(1, count // 10)
    for done, thing in enumerate(things):
        if done % step == 0:
            print(f"{doing}: {done} of {count}", file=sys.stderr, flush=True)
        yield thing


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Say how long a part of the work took, once it is done."""
    began = time.perf_counter()
    yield
    print(took(part, time.perf_counter() - began))


def took(part: str, seconds: float) -> str:
    """How long a part of the work took.

    >>> took("the page", 5.123), took("measuring", 200)
    ('the page took 5.1 s', 'measuring took 3 min 20 s')
    """
    if seconds < 60:
        return f"{part} took {seconds:.1f} s"
    return f"{part} took {round(seconds) // 60} min {round(seconds) % 60} s"
