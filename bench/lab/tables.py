"""The lab's tables as Markdown. Formats what was compared and predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.show.markdown import figure, markdown
from numerics import FORMATS

if TYPE_CHECKING:
    from bench.lab.comparison import Comparison
    from bench.lab.predictions import Divergence


def predictions(predicted: dict[str, Any]) -> str:
    """One row for each case, the three formats side by side where they differ."""

    def cell(table: dict[str, Any], name: str) -> str:
        values = [table[format_name][name] for format_name in FORMATS]
        return values[0] if len(set(values)) == 1 else " / ".join(values)

    authors = {"lab": "the lab", "ours": "us"}
    rows = [
        [case, authors[table["by"]]]
        + [cell(table, name) for name in ("naive_nan", "stable_nan", "cross_entropy")]
        for case, table in predicted.items()
    ]
    headers = ["case", "predicted by", "naive NaN?", "stable NaN?", "cross-entropy, label 1"]
    return markdown(headers, rows, text=2)


def lab_results(comparisons: Sequence[Comparison]) -> str:
    """One row for each case and format."""
    rows = []
    for c in comparisons:
        valid = [d for d in c.relative_difference if not math.isnan(d)]
        rows.append(
            [c.case, c.format]
            + ["**NaN**" if outcome.has_nan else "no" for outcome in (c.naive, c.stable)]
            + [_digits(outcome.sum, 8) for outcome in (c.naive, c.stable)]
            + [_digits(outcome.largest, 4) for outcome in (c.naive, c.stable)]
            + [figure(max(valid, default=math.nan))]
            + [_loss(outcome.cross_entropy) for outcome in (c.naive, c.stable)]
        )
    headers = ["case", "format", "NaN, naive", "NaN, stable", "sum, naive", "sum, stable"]
    headers += ["max, naive", "max, stable", "rel. diff.", "CE, naive", "CE, stable"]
    return markdown(headers, rows, text=2)


def divergences(comparisons: Sequence[Comparison], explained: Sequence[Divergence]) -> str:
    """Prediction against reality, with the reason for each divergence."""
    from bench.lab.predictions import reality

    actual = {(c.case, c.format): reality(c) for c in comparisons}
    names = {
        "naive_nan": "naive NaN?",
        "stable_nan": "stable NaN?",
        "cross_entropy": "cross-entropy",
    }
    rows = []
    for entry in explained:
        found = [actual[entry.case, name][entry.figure] for name in entry.formats]
        shown = [_digits(float(v), 4) if _is_float(v) else v for v in found]
        rows.append(
            [
                entry.case,
                ", ".join(entry.formats),
                names[entry.figure],
                entry.predicted,
                shown[0] if len(set(shown)) == 1 else " / ".join(shown),
                entry.because,
            ]
        )
    headers = ["case", "format", "figure", "predicted", "reality", "because"]
    return markdown(headers, rows, text=6)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _digits(value: float, digits: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:.{digits}g}"


def _loss(value: float | str) -> str:
    return "IndexError" if isinstance(value, str) else _digits(value, 4)
