"""Figures from tidy tables, as SVG and PNG bytes. Knows no kernel and opens no file.

Every figure takes runs, oldest first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.runs.records import SURVIVAL_THRESHOLDS
from bench.runs.run_file import shared
from bench.show import version_plots
from bench.show.markdown import HEADLINE_COLUMNS, TITLES
from bench.show.style import (
    CEILING,
    ERRORS,
    FORMAT_MARKERS,
    HEAT,
    RUN_LINES,
    RUN_MARKERS,
    STYLE,
    colour,
    heat_cell,
    legend,
    panels,
    rendered,
    subjects,
)
from numerics import FORMATS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run

Grid: TypeAlias = dict[tuple[str, str], Axes]
"""Axes by operation and format."""


@dataclass(frozen=True)
class Panels:
    """A figure with a panel for each operation and format, and what fills any part of its grid.

    `needs`: the column of a run without which there is nothing to draw, in the cases of a `family`.
    """

    title: str
    x_label: str
    y_label: str
    needs: str
    fill: Callable[[Sequence[Run], Grid, Sequence[str]], None]
    height: float = 10
    operations: Sequence[str] = OPERATIONS
    family: str = ""
    markers: bool = False
    meaning: Sequence[tuple[str, str, str | None]] = ()

    def draw(self, runs: Sequence[Run]) -> Figure:
        """All panels and a legend."""
        drawn, grid = panels(self.height, self.operations, self.x_label, self.y_label)
        self.fill(runs, grid, subjects(runs))
        legend(drawn, runs, self.markers, self.meaning)
        return drawn


def source(runs: Sequence[Run]) -> str:
    """Names the run files that a figure shows; its metadata say so, for a check of freshness."""
    return hashlib.sha256("".join(run.sha256 for run in runs).encode()).hexdigest()


def all_figures(
    runs: Sequence[Run], chosen: dict[str, Callable[[], Figure]] | None = None
) -> Iterator[tuple[str, bytes]]:
    """File name and content of every figure that the runs can fill, or of the chosen ones."""
    for name, draw in (figures(runs) if chosen is None else chosen).items():
        with mpl.rc_context(STYLE):
            content = rendered(draw(), f"runs {source(runs)}")
        for kind in kinds(name):
            yield f"{name}.{kind}", content[kind]


def kinds(name: str) -> tuple[str, ...]:
    """PNG and SVG, but of heat maps, which take scrolling and are many, the SVG alone.

    The points of the bounds make an SVG of half a megabyte.
    """
    if name == "errors-against-bounds":
        return ("png",)
    heat = any(name.endswith(f"-{format_name}") for format_name in FORMATS)
    return ("svg",) if heat else ("svg", "png")


def figures(runs: Sequence[Run]) -> dict[str, Callable[[], Figure]]:
    """How to draw every figure that the runs can fill, by name."""
    runs = shared(runs) if len(runs) > 1 else runs
    # More than two runs do not fit into a panel: their ends do, and those by version show them all.
    ends = list(runs) if len(runs) < 3 else [runs[0], runs[-1]]
    draw: dict[str, Callable[[], Figure]] = {}
    if runs[-1].accuracy["claim_claimed"].max() > 0:  # other libraries claim nothing
        draw["errors-against-bounds"] = partial(bounds, ends)
    timed = all(len(run.throughput) for run in runs)
    for name, of_grid in GRIDS.items():
        if timed or of_grid.needs not in runs[-1].throughput:
            draw[name] = partial(of_grid.draw, ends)
    if len(runs) > 1:
        draw |= version_plots.figures(runs)
    for operation in OPERATIONS:
        for name in FORMATS:
            figure_name = f"errors-{operation.replace('_', '-')}-{name}"
            draw[figure_name] = partial(heat_map, ends, operation, name)
    return draw


def _cell(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def _lines(
    runs: Sequence[Run], grid: Grid, names: Sequence[str]
) -> Iterator[tuple[Axes, int, Run, dict[str, str], dict[str, Any]]]:
    """For each panel, run and subject: the axes, the run, what to look up, and how to draw it."""
    for (operation, format_name), ax in grid.items():
        for index, run in enumerate(runs):
            for subject in names:
                wanted = {"subject": subject, "operation": operation, "format": format_name}
                line = {"color": colour(subject, names), "ls": RUN_LINES[index % 4]}
                yield ax, index, run, wanted, line


# --- The figures ---------------------------------------------------------------------------------


def error_against_time(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """Largest ulp error against ns per element: down and to the left is better."""
    for ax in grid.values():
        ax.set(xscale="log", yscale="log")
        ax.axhline(0.5, color="#888888", lw=0.8, ls=":")
    for ax, index, run, wanted, line in _lines(runs, grid, names):
        errors, times = _cell(run.accuracy, **wanted), _cell(run.throughput, **wanted)
        time = times.loc[times["columns"] == HEADLINE_COLUMNS, "ns_per_element"].median()
        # An error beyond the axis (of a result that should be 0) is drawn on its edge.
        ordinary = min(errors.loc[errors["family"] == "random", "max_ulp"].max(), CEILING)
        anywhere = min(errors["max_ulp"].max(), CEILING)
        # Earlier subjects are larger, so that none hides another.
        size = 11 - 6 * names.index(wanted["subject"]) / len(names)
        style: Any = {"color": line["color"], "marker": RUN_MARKERS[index % 8]}
        ax.plot([time, time], [ordinary, anywhere], lw=0.9, color=line["color"])
        ax.plot(time, anywhere, ls="", mfc="white", ms=size - 2, **style)
        ax.plot(time, ordinary, ls="", ms=size, **style)
        if errors[["nan_failures", "infinity_failures"]].to_numpy().sum() > 0:
            top = ax.get_xaxis_transform()
            ax.plot(time, 0.97, marker="x", mew=2, color=line["color"], transform=top)
    for ax in grid.values():
        ax.margins(x=0.25, y=0.12)
        place: Any = {"xy": (0.99, 0.5), "xycoords": ax.get_yaxis_transform()}
        below: Any = {"xytext": (0, -6), "textcoords": "offset points"}  # clear of any marker
        ax.annotate("correctly rounded", **place, **below, ha="right", va="top", size=7)


def heat_map(runs: Sequence[Run], operation: str, format_name: str) -> Figure:
    """Largest ulp error by case and subject, a panel for each run; red where outputs failed."""
    tables = [_cell(run.accuracy, operation=operation, format=format_name) for run in runs]
    names = [s for s in subjects(runs) if any((table["subject"] == s).any() for table in tables)]
    cases = list(dict.fromkeys(case for table in tables for case in table["case"]))
    width = 2.8 + 0.62 * max(len(names), 1) * len(runs)
    drawn = Figure(figsize=(width, 1.9 + 0.22 * len(cases)), layout="constrained")
    axes = drawn.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for ax, run, table in zip(axes, runs, tables, strict=True):
        _heat_panel(ax, table, names, cases)
        ax.set_title("" if len(runs) == 1 else run.label, loc="center")
    drawn.suptitle(f"Largest ulp error, {TITLES[operation]}, {format_name}", weight="bold")
    bar = drawn.colorbar(mpl.cm.ScalarMappable(HEAT, ERRORS), ax=axes, shrink=0.5, pad=0.01)
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


def bounds(runs: Sequence[Run]) -> Figure:
    """Measured error against its bound, both in ulp: the theorem holds below the diagonal."""
    drawn = Figure(figsize=(10, 6.4), layout="constrained")
    names, table = subjects(runs), runs[-1].accuracy
    limits = _limits(table)
    axes = dict(zip(OPERATIONS, drawn.subplots(2, 2, sharex=True, sharey=True).flat, strict=True))
    for operation, ax in axes.items():
        ax.set_title(TITLES[operation])
        _diagonal(ax, limits)
        for format_name in FORMATS:
            _claimed(ax, table, limits, names, operation=operation, format=format_name)
    axes["softmax"].text(
        0.2, limits[1] / 1e4, "above the bound: none may be here", size=8, color="#8A3A3A"
    )
    drawn.supxlabel(BOUNDS.x_label, size=10)
    drawn.supylabel(BOUNDS.y_label, size=10)
    legend(drawn, runs[-1:], meaning=[(n, m, "none") for n, m in FORMAT_MARKERS.items()])
    return drawn


def errors_against_bounds(runs: Sequence[Run], grid: Grid, names: Sequence[str]) -> None:
    """The same for any operations and formats, a panel each."""
    limits = _limits(runs[-1].accuracy)
    for (operation, format_name), ax in grid.items():
        _diagonal(ax, limits)
        _claimed(ax, runs[-1].accuracy, limits, names, operation=operation, format=format_name)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    return 0.05, 10 * float(min(max(table["claim_bound_ulp"].max(), 1e2), 1e19))


def _diagonal(ax: Axes, limits: tuple[float, float]) -> None:
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=(1e-3, limits[1]))
    ax.plot(limits, limits, color="#555555", lw=0.9)
    ax.fill_between(limits, limits, limits[1], color="#F3DEDE", lw=0)


def _claimed(
    ax: Axes,
    table: pd.DataFrame,
    limits: tuple[float, float],
    names: Sequence[str],
    **wanted: str,
) -> None:
    for subject in names:
        points = _claims(_cell(table, subject=subject, **wanted), limits)
        style: Any = {"marker": FORMAT_MARKERS[wanted["format"]], "ms": 4.5, "mfc": "none"}
        ax.plot(*points, ls="", mew=0.9, color=colour(subject, names), **style)


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
    for ax, _, run, wanted, line in _lines(runs, grid, names):
        table = _cell(run.accuracy, family="random", **wanted)
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
    for ax, _, run, wanted, line in _lines(runs, grid, names):
        rows = _cell(run.accuracy[run.accuracy["case"].str.startswith("widths")], **wanted)
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
    for ax, _, run, wanted, line in _lines(runs, grid, names):
        table = _cell(run.throughput, **wanted).sort_values("columns")
        ax.plot(table["columns"], table["ns_per_element"], marker="o", ms=3.5, **line)


BOUNDS = Panels(
    "Errors against bounds",
    "bound, in ulp, at the output that comes closest to it",
    "measured error there, in ulp (0, and beyond the axes: on the edge)",
    "claim_claimed",
    errors_against_bounds,
)
GRIDS = {
    "survival": Panels(
        "How many outputs err",
        "ulp error t",
        "share of outputs with an error above t, ordinary rows",
        "survival",
        survival,
        family="random",
    ),
    "error-against-k": Panels(
        "Error against K",
        "K: each point covers eight lengths of a row",
        "largest ulp error",
        "max_ulp_by_width",
        error_against_k,
    ),
    "error-against-time": Panels(
        "Error against time",
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
        "Time against K",
        "K",
        "ns per element (median, batch of 2 MiB)",
        "ns_per_element",
        time_against_k,
    ),
}
