"""What was predicted, what diverged, and why: predictions.toml against reality."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.lab.comparison import Comparison
from numerics import FORMATS, Format

PREDICTIONS = Path(__file__).with_name("predictions.toml")
FIGURES = ("naive_nan", "stable_nan", "cross_entropy")


class PredictionError(ValueError):
    """predictions.toml does not explain what diverged, or explains what did not."""


@dataclass(frozen=True)
class Divergence:
    """A figure that was predicted wrong, in some formats, and the arithmetic reason."""

    case: str
    figure: str
    formats: tuple[str, ...]
    predicted: str
    because: str


def predictions() -> dict[str, Any]:
    """predictions.toml, by case."""
    return tomllib.loads(PREDICTIONS.read_text(encoding="utf-8"))


def reality(comparison: Comparison) -> dict[str, str]:
    """The predicted figures as they came out, in the words of predictions.toml."""
    loss = comparison.stable.cross_entropy
    return {
        "naive_nan": "yes" if comparison.naive.has_nan else "no",
        "stable_nan": "yes" if comparison.stable.has_nan else "no",
        "cross_entropy": "undefined" if isinstance(loss, str) else repr(loss),
    }


def agrees(predicted: str, actual: str, format: Format) -> bool:
    """Whether a prediction holds: equal words, or within half a unit of its last digit.

    The number that came out may be off by the rounding of its own format on top.
    """
    if predicted in (actual, "?"):
        return True
    try:
        expected, value = float(predicted), float(actual)
    except ValueError:
        return False
    digits = len(predicted.partition(".")[2])
    rounding = format.unit_roundoff * abs(value)
    return abs(expected - value) <= 0.5 * 10.0**-digits + rounding


def diverged(comparisons: Sequence[Comparison]) -> set[tuple[str, str, str]]:
    """(case, figure, format) of every prediction that did not hold."""
    predicted = predictions()
    return {
        (c.case, figure, c.format)
        for c in comparisons
        for figure in FIGURES
        if not agrees(predicted[c.case][c.format][figure], reality(c)[figure], FORMATS[c.format])
    }


def explanations() -> list[Divergence]:
    """The reasons that predictions.toml gives."""
    return [
        Divergence(
            case=case,
            figure=entry["figure"],
            formats=tuple(entry["formats"]),
            predicted=table[entry["formats"][0]][entry["figure"]],
            because=entry["because"],
        )
        for case, table in predictions().items()
        for entry in table.get("diverged", [])
    ]


def unexplained(comparisons: Sequence[Comparison]) -> set[tuple[str, str, str]]:
    """Divergences without a reason, and reasons without a divergence; should be empty."""
    explained = {(e.case, e.figure, f) for e in explanations() for f in e.formats}
    return explained ^ diverged(comparisons)
