"""Figures of several runs, oldest first: error, time and same bits by version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from bench.judge import by_version
from bench.judge.diff import MIN_EFFECT
from bench.runs.run_file import formats, operations
from bench.show.drawing import drawable
from bench.show.markdown import figure
from bench.show.style import CEILING, colour, legend, panels, subjects

if TYPE_CHECKING:
    from bench.runs.run_file import Run

DIFFERING = LinearSegmentedColormap.from_list("bits", ["#FBE3CC", "#D55E00"])
SAME = "#C3DBEA"


def figures(runs: Sequence[Run]) -> dict[str, Callable[[], Figure]]:
    """How to draw what several runs can fill, by name."""
    runs = drawable(runs, "input_sha256", "output_sha256")
    draw: dict[str, Callable[[], Figure]] = {
        "versions-error": partial(error_by_version, runs),
    }
    if len(runs) > 2:  # of two, one number says it all
        draw["versions-bits"] = partial(bits_by_version, runs)
    if all(len(run.throughput) for run in runs):
        draw["versions-time"] = partial(time_by_version, runs)
    return draw


def _names(runs: Sequence[Run]) -> list[str]:
    labels = [run.label.removeprefix("NumPy ").replace(" (", "\n(") for run in runs]
    lines = [label.replace(" without ", "\nno ").split("\n") for label in labels]
    return ["\n".join(map(_both_ends, label)) for label in lines]


def _both_ends(name: str) -> str:
    """A name as there is room for along an axis: what tells files apart is at either end.

    >>> _both_ends("(measured-on-the-new-cluster)")
    '(measured…w-cluster)'
    """
    return name if len(name) <= 22 else f"{name[:9]}…{name[-10:]}"


def _version_axis(ax: Axes, runs: Sequence[Run]) -> None:
    ax.set_xticks(
        range(len(runs)), _names(runs), rotation=45, ha="right", rotation_mode="anchor", size=8
    )
    ax.margins(x=0.08)


def _line(subject: str, names: Sequence[str]) -> dict[str, Any]:
    """Earlier subjects are wider, so that none hides another."""
    later = names.index(subject) / len(names)
    return {
        "color": colour(subject, names),
        "marker": "o",
        "ms": 7 - 4 * later,
        "lw": 3.2 - 2.2 * later,
    }


def error_by_version(runs: Sequence[Run]) -> Figure:
    """Largest ulp error of ordinary rows."""
    y_label = "largest ulp error of ordinary rows (beyond 10¹⁷: on the edge)"
    shown = operations(runs)
    height = max(2.625 * len(shown), 5.25)  # room for the label of y
    drawn, grid = panels(height, shown, formats(runs), "NumPy", y_label)
    names = subjects(runs)
    for (operation, format_name), ax in grid.items():
        ax.set(yscale="log")
        ax.axhline(0.5, color="#888888", lw=0.8, ls=":")
        for subject in names:
            wanted = {"operation": operation, "format": format_name, "subject": subject}
            worst = [_worst(run, wanted) for run in runs]
            line = _line(subject, names) | {"marker": ""}  # most are flat, and 120 are many
            ax.plot(range(len(runs)), worst, **line)
        _version_axis(ax, runs)
    for ax in grid.values():  # at least two ticks, so that one can read the scale
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, 0.3), max(high, 30.0))
    legend(drawn, runs[-1:], names=names)
    return drawn


def _worst(run: Run, wanted: dict[str, str]) -> float:
    rows = run.accuracy[run.accuracy["family"] == "random"]
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    return min(float(rows["max_ulp"].max()), CEILING)


def time_by_version(runs: Sequence[Run]) -> Figure:
    """Time over that of the oldest run, short rows and long ones; noise in grey."""
    columns = sorted(set.intersection(*(set(run.throughput["columns"]) for run in runs)))
    ends = list(dict.fromkeys([columns[0], columns[-1]])) if columns else []
    drawn = Figure(figsize=(10, 1.6 + 2.7 * len(ends)), layout="constrained")
    shown = formats(runs)
    axes = drawn.subplots(len(ends), len(shown), sharex=True, sharey=True, squeeze=False)
    names = subjects(runs)
    ratios = by_version.time_ratios(runs, ["columns", "format", "subject"])
    for row, length in zip(axes, ends, strict=True):
        for ax, format_name in zip(row, shown, strict=True):
            ax.axhspan(1 / MIN_EFFECT, MIN_EFFECT, color="#EFEFEF", lw=0)
            for subject in names:
                cell: Any = (length, format_name, subject)
                if cell in ratios.index:
                    line = ratios.loc[cell]
                    ax.plot(range(len(runs)), line, **_line(subject, names))
            ax.set_title(f"K = {length:,}, {format_name}")
            _version_axis(ax, runs)
    _ratio_axis(axes[0, 0], float(np.nanmin(ratios)), float(np.nanmax(ratios)))
    drawn.supxlabel("NumPy", size=10)
    drawn.supylabel(f"time as a ratio to {runs[0].label}\n(mean of the operations)", size=10)
    grey = (f"grey: within {MIN_EFFECT:g}x, which may be noise", "s", "#EFEFEF")
    legend(drawn, runs[-1:], names=names, meaning=(grey,))
    return drawn


def _ratio_axis(ax: Axes, low: float, high: float) -> None:
    low, high = min(low, 1 / MIN_EFFECT) / 1.1, max(high, MIN_EFFECT) * 1.1
    ticks = [t for t in (0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0) if low < t < high]
    ax.set(yscale="log", ylim=(low, high))
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(lambda value, _: figure(value))
    ax.yaxis.set_minor_formatter(NullFormatter())


def bits_by_version(runs: Sequence[Run]) -> Figure:
    """For each subject, version by version: in which share of the records the bits agree."""
    found = by_version.identity(runs)
    columns = min(4, max(len(found), 1))
    rows = -(-max(len(found), 1) // columns)
    drawn = Figure(figsize=(11, 0.9 + 3.0 * rows), layout="constrained")
    axes = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    largest = max((1 - float(shares.min()) for shares in found.values()), default=0.0)
    norm = Normalize(1e-9, max(largest, 0.1))
    colours = DIFFERING.with_extremes(under=SAME, bad=(1, 1, 1, 0))
    for ax in axes.flat[len(found) :]:
        ax.set_visible(False)
    for ax, (subject, shares) in zip(axes.flat, found.items(), strict=False):
        _matrix(ax, 1 - shares, colours, norm)
        ax.set_title(_both_ends(subject))
        _version_axis(ax, runs)
        ax.tick_params(labelbottom=True, length=0)
        ax.set_yticks(range(len(runs)), _names(runs), size=8)
    bar = drawn.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.5, pad=0.01, extend="min")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
    bar.set_label("records whose bits differ, in per cent (blue: none)")
    return drawn


def _matrix(
    ax: Axes, differing: npt.NDArray[np.float64], colours: Colormap, norm: Normalize
) -> None:
    """The lower triangle, with figures where bits differ."""
    below = np.tril(np.ones_like(differing, dtype=bool))
    shown = np.where(below, differing, np.nan)
    ax.imshow(shown, cmap=colours, norm=norm, interpolation="none")
    for y, x in np.argwhere(below & (differing > 0)):
        share = differing[y, x]
        text = f"{100 * share:.0f}" if share >= 0.01 else "<1"
        ink = "white" if norm(share) > 0.75 else "#222222"
        ax.text(x, y, text, size=6.5, ha="center", va="center", color=ink)
    edges = np.arange(len(differing) - 1) + 0.5
    ax.hlines(edges, -0.5, len(differing) - 0.5, color="white", lw=1)
    ax.vlines(edges, -0.5, len(differing) - 0.5, color="white", lw=1)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
