"""How the values of options are read."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

from bench.runs import fields
from numerics import ALL_FORMATS


def count(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, least=0)


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, least=1)


def limit(text: str) -> float:
    """A number from 0."""
    return _number(text, least=0)


def ratio(text: str) -> float:
    """A number from 1."""
    return _number(text, least=1)


def word(text: str) -> str:
    """A name that may stand in a table."""
    if not (text and fields.is_word(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name without |, <, >, & and `")
    return text


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least {least}")
    return int(text)


def _number(text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least {least:g}")
    return value


def limits(text: str) -> dict[str, float]:
    """A limit for every format, or for some: 100, or fp32=100,fp64=200.

    >>> limits("fp32=100,fp64=200")
    {'fp32': 100.0, 'fp64': 200.0}
    """
    if "=" not in text:
        return dict.fromkeys(ALL_FORMATS, limit(text))
    found = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in ALL_FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(ALL_FORMATS)}")
        found[name] = limit(value)
    return found


def names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads some of the names there are, with commas between them."""

    def some(text: str) -> tuple[str, ...]:
        wanted = text.split(",")
        for name in wanted:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r}: expected some of {', '.join(known)}")
        return tuple(name for name in known if name in wanted)

    return some
