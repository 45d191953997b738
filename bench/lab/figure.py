"""softmax_break.png: where naive softmax explodes. Draws what compare.py found."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.show.style import ERRORS, FAILURE, STYLE
from numerics import FORMATS

if TYPE_CHECKING:
    from bench.lab.comparison import Comparison


def softmax_break(comparisons: Sequence[Comparison]) -> bytes:
    """naive and stable side by side for each case and format, NaN in red, as PNG."""
    cases = list(dict.fromkeys(c.case for c in comparisons))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        drawn = Figure(figsize=(11, 0.62 * len(cases) + 1.5), layout="constrained")
        axes = drawn.subplots(1, len(FORMATS), sharey=True)
        for ax, format_name in zip(axes, FORMATS, strict=True):
            _panel(ax, format_name, [c for c in comparisons if c.format == format_name])
        headline_tick = axes[0].get_yticklabels()[cases.index("large positive")]
        headline_tick.set(weight="bold", color=FAILURE)
        drawn.suptitle(
            "Softmax of the lab's eight cases: naive against stable (NaN in red)", weight="bold"
        )
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
    return buffer.getvalue()


def _panel(ax: Axes, title: str, comparisons: Sequence[Comparison]) -> None:
    """One format: a line for each case, naive on the left and stable on the right."""
    for y, comparison in enumerate(comparisons):
        _strip(ax, 0.0, y, comparison.naive.output)
        _strip(ax, 1.08, y, comparison.stable.output)
    ax.set(xlim=(-0.02, 2.1), ylim=(len(comparisons) - 0.45, -0.95))
    for x, name in ((0.5, "naive"), (1.58, "stable")):
        ax.text(x, -0.62, name, ha="center", size=9, color="#333333")
    ax.set_title(title, loc="center")
    ax.set_yticks(range(len(comparisons)), [comparison.case for comparison in comparisons])
    ax.set_xticks([])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _strip(ax: Axes, left: float, y: float, output: Sequence[float]) -> None:
    """One softmax as a strip of cells, shaded by probability; long ones as one cell."""
    uniform = len(output) > 5 and len(set(output)) == 1
    cells = output[:1] if uniform else output
    width = 1.0 / len(cells)
    for i, p in enumerate(cells):
        nan = math.isnan(p)
        face = FAILURE if nan else ERRORS(0.75 * p)
        ax.add_patch(
            Rectangle((left + i * width, y - 0.34), width, 0.68, facecolor=face, edgecolor="white")
        )
        text = "NaN" if nan else f"{len(output)} × {p:.5f}" if uniform else _probability(p)
        dark = nan or p > 0.5
        ink = "white" if dark else "#222222"
        ax.text(left + (i + 0.5) * width, y, text, ha="center", va="center", size=7.5, color=ink)


def _probability(p: float) -> str:
    if p in (0.0, 1.0):
        return f"{p:.0f}"
    return "~0" if p < 0.005 else "~1" if p > 0.995 else f"{p:.2f}".removeprefix("0")
