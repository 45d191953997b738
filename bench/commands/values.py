"""How the values of options are read."""

from __future__ import annotations

import argparse
import math

from bench.runs import fields


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
