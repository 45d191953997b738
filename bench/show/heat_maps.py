"""Maps of largest ulp errors, by case and subject: what the page shows, too, as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from bench.runs.run_file import formats, operations
from bench.show.drawing import drawable
from bench.show.markdown import TITLES
from bench.show.style import ERRORS, HEAT, heat_cell, short, subjects

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run


def figures(runs: Sequence[Run]) -> dict[str, Callable[[], Figure]]:
    """How to draw the map of each operation and format, by name; of many runs, of the ends."""
    runs = drawable(runs)
    runs = [runs[-1]] if len(runs) == 1 else [runs[-1], runs[0]]
    return {
        f"errors-{operation.replace('_', '-')}-{name}": partial(heat_map, runs, operation, name)
        for operation in operations(runs)
        for name in formats(runs)
    }


def heat_map(runs: Sequence[Run], operation: str, format_name: str) -> Figure:
    """Largest ulp error by case and subject, a panel for each run; red where outputs failed."""
    every = (run.accuracy for run in runs)
    tables = [
        table[(table["operation"] == operation) & (table["format"] == format_name)]
        for table in every
    ]
    names = [s for s in subjects(runs) if any((table["subject"] == s).any() for table in tables)]
    cases = list(dict.fromkeys(case for table in tables for case in table["case"]))
    width = 2.8 + 0.62 * max(len(names), 1) * len(runs)
    drawn = Figure(figsize=(width, 1.9 + 0.22 * len(cases)), layout="constrained")
    axes = drawn.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for ax, run, table in zip(axes, runs, tables, strict=True):
        _heat_panel(ax, table, names, cases)
        ax.set_title("" if len(runs) == 1 else short(run.label), loc="center")
    drawn.suptitle(f"Largest ulp error, {TITLES[operation]}, {format_name}", weight="bold")
    bar = drawn.colorbar(ScalarMappable(HEAT, ERRORS), ax=axes, shrink=0.5, pad=0.01)
    bar.set_label("ulp; *: results lost to 0\nred: NaN, infinity, or a special value missed")
    return drawn


def _heat_panel(ax: Axes, table: pd.DataFrame, names: list[str], cases: list[str]) -> None:
    cells = np.ones((len(cases), len(names), 3))
    for row in table.to_dict("records"):
        x, y = names.index(row["subject"]), cases.index(row["case"])
        cells[y, x], text, ink = heat_cell(row)
        ax.text(x, y, text, size=7, ha="center", va="center", color=ink, in_layout=False)
    if cells.size:
        ax.imshow(cells, aspect="auto", interpolation="none")
    ax.hlines(np.arange(1, len(cases)) - 0.5, -0.5, len(names) - 0.5, color="white", lw=1.2)
    ax.vlines(np.arange(1, len(names)) - 0.5, -0.5, len(cases) - 0.5, color="white", lw=1.2)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(cases)), cases)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
