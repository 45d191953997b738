"""What is claimed of the stages of `exact`, and what was measured, as tables of docs/exact.md.

The file is written by `pytest tests/numerics/test_exact_stages.py --claims FILE.json`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from bench.show.markdown import markdown

U = 2.0**-53
UNITS_OF_U = ("plain",)
"""Stages whose errors are told in u = 2^-53, as the note derives them; the others as 2^n."""
SQUARES_OF_U = ("pairs",)
SUPERSCRIPTS = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")


def load(path: Path) -> dict[str, str]:
    """One table a stage, by its marker."""
    claims: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["claims"]
    stages = dict.fromkeys(claim["stage"] for claim in claims)
    return {
        f"claims of {name}": _table([c for c in claims if c["stage"] == name]) for name in stages
    }


def _table(claims: list[dict[str, Any]]) -> str:
    rows = []
    for claim in claims:
        constants = [
            f"`{name}` = {_error(claim, value)}" for name, value in claim["constant"].items()
        ]
        errors = [_error(claim, claim[name]) for name in ("claimed", "measured")]
        rows.append([claim["what"], ", ".join(constants), *errors, f"`{claim['test']}`"])
    return markdown(["error of", "constant", "claimed", "measured", "test"], rows, text=2)


def _error(claim: dict[str, Any], value: float) -> str:
    """In units of u, or as a power of two; never less than it is."""
    if claim["stage"] in UNITS_OF_U:
        return f"{_up(value / U, 2):g} u"
    if claim["stage"] in SQUARES_OF_U:
        return f"{_up(value / U**2, 2):g} u²"
    return power_of_two(value)


def power_of_two(value: float) -> str:
    """The smallest 2^n that is no less, n with a digit after the point.

    >>> power_of_two(2.0**-90), power_of_two(1.5 * 2.0**-75)
    ('2⁻⁹⁰', '2⁻⁷⁴·⁴')
    """
    return "2" + f"{_up(math.log2(value), 1):g}".translate(SUPERSCRIPTS)


def _up(value: float, digits: int) -> float:
    scale = 10.0**digits
    return math.ceil(value * scale - 1e-6) / scale
