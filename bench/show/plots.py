"""Figures from tidy tables, as SVG and PNG bytes. Knows no kernel and opens no file.

Every figure takes runs, the one that was asked for first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.runs.records import SURVIVAL_THRESHOLDS
from bench.runs.run_file import formats, operations
from bench.show import version_plots
from bench.show.drawing import drawable
from bench.show.markdown import HEADLINE_COLUMNS, TITLES
from bench.show.style import (
    CEILING,
    FORMAT_MARKERS,
    RUN_LINES,
    RUN_MARKERS,
    colour,
    legend,
    panels,
    subjects,
)
from numerics import OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run

Grid: TypeAlias = dict[tuple[str, str], Axes]
"""Axes by operation and format."""


Cells: TypeAlias = "dict[tuple[str, ...], pd.DataFrame]"
"""Rows of a table by subject, operation and format."""


@dataclass(frozen=True)
class Panels:
    """A figure with a panel for each operation and format, and what fills its grid.

    `needs`: the column of a run without which there is nothing to draw.
    """

    x_label: str
    y_label: str
    needs: str
    fill: Callable[[Sequence[Run], Grid, Sequence[str]], None]
    height: float = 12.5
    operations: Sequence[str] = OPERATIONS  # of these, what the runs are not too old for
    markers: bool = False
    meaning: Sequence[tuple[str, str, str | None]] = ()

    def draw(self, runs: Sequence[Run]) -> Figure:
        """All panels and a legend."""
        shown = [name for name in operations(runs) if name in self.operations]
        height = self.height * len(shown) / len(self.operations)
        drawn, grid = panels(height, shown, formats(runs), self.x_label, self.y_label)
        self.fill(runs, grid, subjects(runs))
        legend(drawn, runs, self.markers, self.meaning)
        return drawn


def figures(runs: Sequence[Run]) -> dict[str, Callable[[], Figure]]:
    """How to draw every figure that the runs, oldest first, can fill, by name.

    The last run is the one that was asked for, and is drawn first.
    """
    of_versions = version_plots.figures(runs) if len(runs) > 2 else {}
    runs = drawable(runs)
    # More than two runs do not fit into a panel: their ends do, and those by version show them all.
    ends = [runs[-1]] if len(runs) == 1 else [runs[-1], runs[0]]
    draw: dict[str, Callable[[], Figure]] = {}
    if runs[-1].accuracy["claim_claimed"].max() > 0:  # other libraries claim nothing
        draw["errors-against-bounds"] = partial(bounds, ends[:1])
    timed = all(len(run.throughput) for run in runs)
    for name, of_grid in GRIDS.items():
        if timed or of_grid.needs not in runs[-1].throughput:
            draw[name] = partial(of_grid.draw, ends)
    return draw | of_versions


def _cells(table: pd.DataFrame) -> Cells:
    cells = table.groupby(["subject", "operation", "format"], sort=False)
    return {(str(a), str(b), str(c)): part for (a, b, c), part in cells}


def _lines(
    runs: Sequence[Run], grid: Grid, names: Sequence[str], of: str
) -> Iterator[tuple[Axes, int, str, pd.DataFrame, dict[str, Any]]]:
    """For each panel, run and subject: the axes, the run, the rows of a table, and how to draw."""
    for index, run in enumerate(runs):
        table = getattr(run, of)
        cells = _cells(table)
        for (operation, format_name), ax in grid.items():
            for subject in names:
                rows = cells.get((subject, operation, format_name), table[:0])
                line = {"color": colour(subject, names), "ls": RUN_LINES[index % 4]}
                yield ax, index, subject, rows, line


# --- The figures ---------------------------------------------------------------------------------


def error_against_time(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """Largest ulp error against ns per element: down and to the left is better."""
    for ax in grid.values():
        ax.set(xscale="log", yscale="log")
        ax.axhline(0.5, color="#888888", lw=0.8, ls=":")
    both = zip(
        _lines(runs, grid, names, "accuracy"), _lines(runs, grid, names, "throughput"), strict=True
    )
    for (ax, index, subject, errors, line), (*_, times, _) in both:
        time = times.loc[times["columns"] == HEADLINE_COLUMNS, "ns_per_element"].median()
        # Earlier subjects are larger, so that none hides another; and so are earlier runs.
        size = (11 - 6 * names.index(subject) / len(names)) * (1 if index == 0 else 0.6)
        style: Any = {"color": line["color"], "marker": RUN_MARKERS[index % 8], "ms": size}
        _point(ax, time, errors, style)
    for ax in grid.values():
        ax.margins(x=0.25, y=0.12)
        place: Any = {"xy": (0.99, 0.5), "xycoords": ax.get_yaxis_transform()}
        below: Any = {"xytext": (0, -6), "textcoords": "offset points"}  # clear of any marker
        ax.annotate(
            "correctly rounded",
            **place,
            **below,
            ha="right",
            va="top",
            size=7,
            annotation_clip=True,
        )


def _point(ax: Axes, time: float, errors: pd.DataFrame, style: dict[str, Any]) -> None:
    """Ordinary rows filled, any case hollow, a cross above where results failed."""
    # An error beyond the axis (of a result that should be 0) is drawn on its edge.
    ordinary = min(errors.loc[errors["family"] == "random", "max_ulp"].max(), CEILING)
    anywhere = min(errors["max_ulp"].max(), CEILING)
    ax.plot([time, time], [ordinary, anywhere], lw=0.9, color=style["color"])
    ax.plot(time, anywhere, ls="", mfc="white", **style | {"ms": style["ms"] - 2})
    ax.plot(time, ordinary, ls="", **style)
    if errors[["nan_failures", "infinity_failures"]].to_numpy().sum() > 0:
        top = ax.get_xaxis_transform()
        ax.plot(time, 0.97, marker="x", mew=2, color=style["color"], transform=top)


def bounds(runs: Sequence[Run]) -> Figure:
    """Measured error against its bound, both in ulp: the theorem holds below the diagonal."""
    drawn = Figure(figsize=(10, 6.4), layout="constrained")
    names, cells = subjects(runs), _cells(runs[0].accuracy)
    limits = _limits(runs[0].accuracy)
    shown = operations(runs)
    grid = list(drawn.subplots(2, -(-len(shown) // 2), sharex=True, sharey=True).flat)
    axes = dict(zip(shown, grid, strict=False))
    for unused in grid[len(shown) :]:
        unused.set_visible(False)
    for operation, ax in axes.items():
        ax.set_title(TITLES[operation])
        _diagonal(ax, limits)
        for subject, format_name in product(names, FORMAT_MARKERS):
            if (subject, operation, format_name) in cells:
                points = _claims(cells[subject, operation, format_name], limits)
                style: Any = {"marker": FORMAT_MARKERS[format_name], "ms": 4.5, "mfc": "none"}
                style["color"] = colour(subject, names)
                ax.plot(*points, ls="", mew=0.9, clip_on=False, in_layout=False, **style)
    axes["softmax"].text(
        0.2, limits[1] / 1e4, "above the bound: none may be here", size=8, color="#8A3A3A"
    )
    drawn.supxlabel("bound, in ulp, at the output that comes closest to it", size=10)
    drawn.supylabel("measured error there, in ulp (0, and beyond the axes: on the edge)", size=10)
    legend(drawn, runs, meaning=[(n, FORMAT_MARKERS[n], "none") for n in formats(runs)])
    return drawn


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    return 0.05, 10 * float(min(max(table["claim_bound_ulp"].max(), 1e2), 1e19))


def _diagonal(ax: Axes, limits: tuple[float, float]) -> None:
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=(1e-3, limits[1]))
    ax.plot(limits, limits, color="#555555", lw=0.9)
    ax.fill_between(limits, limits, limits[1], color="#F3DEDE", lw=0)


def _claims(records: pd.DataFrame, limits: tuple[float, float]) -> tuple[Any, Any]:
    """Bounds and errors of records that claim something; beyond the axes means on their edge."""
    records = records[records["claim_claimed"] > 0]
    bound = records["claim_bound_ulp"].clip(*limits)
    error = records["claim_ulp"].clip(1e-3, limits[1])
    # Points closer than a tenth of a decade lie on top of each other.
    places = np.round(10 * np.log10(np.stack([bound, error], axis=1)))
    _, kept = np.unique(places, axis=0, return_index=True)
    return bound.iloc[kept], error.iloc[kept]


def survival(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """Share of outputs whose error exceeds a threshold, over the ordinary cases."""
    for ax in grid.values():
        ax.set(xscale="log", yscale="log")
        ax.axvline(0.5, color="#888888", lw=0.8, ls=":")
    for ax, _, _, rows, line in _lines(runs, grid, names, "accuracy"):
        table = rows[rows["family"] == "random"]
        counts = np.zeros(len(SURVIVAL_THRESHOLDS))
        for row in table["survival"]:
            if isinstance(row, list):
                counts[: len(row)] += row
        share = np.where(counts > 0, counts / max(table["elements"].sum(), 1), np.nan)
        ax.plot(SURVIVAL_THRESHOLDS, share, **line)


def error_against_k(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """Largest ulp error of eight neighbouring lengths K; a gap where a row failed."""
    for ax in grid.values():
        ax.set(yscale="log")
    for ax, _, _, cell, line in _lines(runs, grid, names, "accuracy"):
        rows = cell[cell["case"].str.startswith("widths")]
        points = sorted(
            (width, math.nan if error is None else min(error, CEILING))
            for widths in rows["max_ulp_by_width"]
            for width, error in widths or []
        )
        starts = range(0, len(points), 8)
        worst = [float(np.max([error for _, error in points[i : i + 8]])) for i in starts]
        ax.plot([points[i][0] for i in starts], worst, **{**line, "lw": 0.9})
    for ax in grid.values():
        # What should be 0 and is not (K = 1) leaves the panel at the top.
        ax.set_ylim(bottom=0.05, top=min(ax.get_ylim()[1], 1e4))


def time_against_k(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """Median ns per element by K."""
    for ax in grid.values():
        ax.set(xscale="log", yscale="log")
    for ax, _, _, rows, line in _lines(runs, grid, names, "throughput"):
        table = rows.sort_values("columns")
        ax.plot(table["columns"], table["ns_per_element"], marker="o", ms=3.5, **line)


GRIDS = {
    "survival": Panels(
        "ulp error t",
        "share of outputs with an error above t, ordinary rows",
        "survival",
        survival,
    ),
    "error-against-k": Panels(
        "K: each point covers eight lengths of a row",
        "largest ulp error",
        "max_ulp_by_width",
        error_against_k,
    ),
    "error-against-time": Panels(
        f"ns per element, K = {HEADLINE_COLUMNS} (median)",
        "largest ulp error",
        "ns_per_element",
        error_against_time,
        height=6.2,
        operations=("softmax", "log_softmax"),
        markers=True,
        meaning=(("ordinary rows", "o", None), ("any case", "o", "white"), ("NaN or ∞", "x", None)),
    ),
    "time-against-k": Panels(
        "K",
        "ns per element (median, batches of 2¹⁶ numbers)",
        "ns_per_element",
        time_against_k,
    ),
}
