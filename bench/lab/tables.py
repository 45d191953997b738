"""The lab's tables as Markdown. Formats what was compared and predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.lab.comparison import LAB_METHODS
from bench.show.markdown import figure, item, markdown
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
    """One row for each case and format; naive and stable side by side within a cell."""
    headers = ["case", "format", "NaN in", "sum", "largest", "difference", "CE"]
    return markdown(headers, [[c.case, c.format, *_figures(c)] for c in comparisons], text=2)


def _figures(c: Comparison) -> list[str]:
    both = (c.naive, c.stable)
    broken = [f"**{name}**" for name, one in zip(LAB_METHODS, both, strict=True) if one.has_nan]
    valid = [d for d in c.relative_difference if not math.isnan(d)]
    return [
        " and ".join(broken) or "neither",
        _pair(*(_digits(outcome.sum, 6) for outcome in both)),
        _pair(*(_digits(outcome.largest, 4) for outcome in both)),
        figure(max(valid, default=math.nan)),
        _pair(*(_loss(outcome.cross_entropy) for outcome in both)),
    ]


def _pair(naive: str, stable: str) -> str:
    """Both, or one where they are the same in so many digits."""
    return naive if naive == stable else f"{naive} / {stable}"


def divergences(comparisons: Sequence[Comparison], explained: Sequence[Divergence]) -> str:
    """Prediction against reality, with the reason for each divergence: a list, in short lines."""
    from bench.lab.predictions import reality

    actual = {(c.case, c.format): reality(c) for c in comparisons}
    names = {
        "naive_nan": "does `naive` give NaN?",
        "stable_nan": "does `stable` give NaN?",
        "cross_entropy": "cross-entropy.",
    }
    items = []
    for entry in explained:
        found = [actual[entry.case, name][entry.figure] for name in entry.formats]
        shown = [_digits(float(v), 4) if _is_float(v) else v for v in found]
        real = shown[0] if len(set(shown)) == 1 else " / ".join(shown)
        where = "all formats" if len(entry.formats) == len(FORMATS) else ", ".join(entry.formats)
        text = (
            f"**{entry.case}**, {where}, {names[entry.figure]} Predicted {entry.predicted}, "
            f"found {real}. {entry.because}"
        )
        items.append(item(text))
    return "\n".join(items)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _digits(value: float, digits: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:.{digits}g}"


def _loss(value: float | str) -> str:
    return "no label 1" if isinstance(value, str) else _digits(value, 4)
