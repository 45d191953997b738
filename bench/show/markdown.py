"""What every table is made of: titles, figures in three digits, Markdown. Knows no run."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

TITLES = {
    "softmax": "softmax",
    "log_softmax": "log-softmax",
    "log_sum_exp": "log-sum-exp",
    "cross_entropy": "cross-entropy",
    "cross_entropy_gradient": "gradient",
}
HEADLINE_COLUMNS = 600
"""Row length at which the headline table and plot give the time."""


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> str:
    """A Markdown table: the first `text` columns to the left, the others to the right."""
    from tabulate import tabulate

    alignment = ["left"] * text + ["right"] * (len(headers) - text)
    return tabulate(
        rows, headers, tablefmt="pipe", colalign=alignment if rows else None, disable_numparse=True
    )


def item(text: str) -> str:
    """A list item, in lines of a length that can be read."""
    words = " ".join(text.split())
    return textwrap.fill(
        f"- {words}", 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def ratio(value: float) -> str:
    """A ratio to a bound: three digits, but never 1 for what is below it.

    >>> [ratio(x) for x in (0.5, 0.99971, 1.0, 1.3)]
    ['0.5', '>0.999', '1', '1.3']
    """
    return ">0.999" if 0.9995 <= value < 1 else figure(value)


def figure(value: float) -> str:
    """Three significant digits, with k, M, G, T beyond a thousand; - for what was not measured.

    >>> [figure(x) for x in (0.5, 15_600_000.0, 123.4, 999.9, 0.0, 2e30)]
    ['0.5', '15.6M', '123', '1k', '0', '2e30']
    """
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 999.5:
        return f"{value:.3g}"
    for power, suffix in ((3, "k"), (6, "M"), (9, "G"), (12, "T")):
        if 999.5 <= abs(value) < 9.995 * 10 ** (power + 2):
            return f"{value / 10**power:.3g}{suffix}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
