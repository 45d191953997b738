"""Figures from tidy tables, as SVG and PNG bytes. Knows no kernel and opens no file.

Every figure takes runs, oldest first. Colour means subject, and is the same in all figures.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from bench.metrics import SURVIVAL_THRESHOLDS
from bench.tables import HEADLINE_COLUMNS, TITLES, error_cell
from numerics import FORMATS, METHODS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs import Run

# Okabe & Ito's palette, then Tol's, told apart by every common kind of colour vision.
PALETTE: tuple[str, ...] = (
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#332288",
    "#000000",
)
PALETTE += ("#AA4499", "#44AA99", "#999933", "#882255", "#DDCC77", "#117733", "#88CCEE", "#661100")
FAILURE = "#C40233"
ERRORS = LinearSegmentedColormap.from_list("errors", ["#F4F8FB", "#9CC5DD", "#2B6A99", "#0B2239"])
RUN_MARKERS = "osD^vP*X"
RUN_LINES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 1, 1, 1)))
FORMAT_MARKERS = {"fp16": "^", "fp32": "o", "fp64": "s"}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "figure.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "softmax",
}


def source(runs: Sequence[Run]) -> str:
    """Names the run files that a figure shows; its metadata say so, for a check of freshness."""
    return hashlib.sha256("".join(run.sha256 for run in runs).encode()).hexdigest()


def all_figures(runs: Sequence[Run]) -> dict[str, bytes]:
    """File name -> content of every figure that the runs can fill."""
    draw: dict[str, Callable[[Sequence[Run]], Figure]] = {
        "errors-against-bounds": bounds,
        "survival": survival,
        "error-against-k": error_against_k,
    }
    if all(len(run.throughput) for run in runs):
        draw["error-against-time"] = headline
        draw["time-against-k"] = time_against_k
    if len(runs) > 1:
        draw["runs"] = across_runs
    files: dict[str, bytes] = {}
    # More than two runs do not fit into a panel: their ends do, and `runs` shows them all.
    ends = list(runs) if len(runs) < 3 else [runs[0], runs[-1]]
    with mpl.rc_context(STYLE):
        figures = {
            name: function(runs if function is across_runs else ends)
            for name, function in draw.items()
        }
        for operation in OPERATIONS:
            figures[f"errors-{operation.replace('_', '-')}"] = heat_map(ends, operation)
        for name, drawn in figures.items():
            for kind in ("svg", "png"):
                files[f"{name}.{kind}"] = _rendered(drawn, kind, source(runs))
    return files


def _rendered(drawn: Figure, kind: str, description: str) -> bytes:
    for ax in drawn.axes:  # minor ticks of log axes are half of an SVG, and nobody reads them
        ax.minorticks_off()
    buffer = io.BytesIO()
    if kind == "svg":
        metadata = {"Date": None, "Description": f"runs {description}"}
        drawn.savefig(buffer, format=kind, metadata=metadata)
    else:
        drawn.savefig(buffer, format=kind, dpi=110)
        buffer = _few_colours(buffer, f"runs {description}")
    drawn.set_layout_engine("none")  # the layout is found; the next kind need not find it again
    return buffer.getvalue()


def _few_colours(png: io.BytesIO, description: str) -> io.BytesIO:
    """The picture with a palette: a third of the size, and nothing lost that the eye sees."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    information, buffer = PngInfo(), io.BytesIO()
    information.add_text("Description", description)
    picture = Image.open(png).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(buffer, "PNG", optimize=True, pnginfo=information)
    return buffer


# --- What figures share --------------------------------------------------------------------------


def _subjects(runs: Sequence[Run]) -> list[str]:
    present = {name for run in runs for name in run.accuracy["subject"]}
    ours = [name for name in METHODS if name in present]
    return ours + sorted(present - set(ours))


def _colour(subject: str, subjects: Sequence[str]) -> str:
    return PALETTE[list(subjects).index(subject) % len(PALETTE)]


def _legend(
    drawn: Figure,
    runs: Sequence[Run],
    markers: bool = False,
    meaning: Sequence[tuple[str, str, str | None]] = (),
) -> None:
    """Subjects by colour, runs by line or marker, and what markers mean, above the panels."""
    subjects = _subjects(runs)
    handles = [Line2D([], [], color=_colour(s, subjects), lw=3, label=s) for s in subjects]
    if len(runs) > 1:
        handles += [
            Line2D([], [], color="#555555", marker=RUN_MARKERS[i], ls="", label=run.label)
            if markers
            else Line2D([], [], color="#555555", ls=RUN_LINES[i % 4], label=run.label)
            for i, run in enumerate(runs)
        ]
    handles += [
        Line2D([], [], color="#555555", marker=marker, mfc=face, ls="", label=label)
        for label, marker, face in meaning
    ]
    drawn.legend(handles=handles, loc="outside upper right", ncols=min(8, len(handles)))


def _panels(
    height: float, operations: Sequence[str], x_label: str, y_label: str
) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """A grid of operations by formats with shared axes."""
    drawn = Figure(figsize=(10, height), layout="constrained")
    axes = drawn.subplots(len(operations), len(FORMATS), sharex=True, sharey="row", squeeze=False)
    panels = {}
    for row, operation in zip(axes, operations, strict=True):
        for ax, format_name in zip(row, FORMATS, strict=True):
            ax.set_title(f"{TITLES[operation]}, {format_name}")
            panels[operation, format_name] = ax
    drawn.supxlabel(x_label, size=10)
    drawn.supylabel(y_label, size=10)
    return drawn, panels


def _cell(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


# --- The figures ---------------------------------------------------------------------------------


def headline(runs: Sequence[Run]) -> Figure:
    """Largest ulp error against ns per element: down and to the left is better."""
    drawn, panels = _panels(
        6.2,
        ("softmax", "log_softmax"),
        f"ns per element, K = {HEADLINE_COLUMNS} (median)",
        "largest ulp error",
    )
    subjects = _subjects(runs)
    for (operation, format_name), ax in panels.items():
        ax.set(xscale="log", yscale="log")
        ax.axhline(0.5, color="#888888", lw=0.8, ls=":")
        for index, run in enumerate(runs):
            for subject in subjects:
                wanted = {"subject": subject, "operation": operation, "format": format_name}
                errors, times = _cell(run.accuracy, **wanted), _cell(run.throughput, **wanted)
                time = times.loc[times["columns"] == HEADLINE_COLUMNS, "ns_per_element"].median()
                ordinary = errors.loc[errors["family"] == "random", "max_ulp"].max()
                anywhere = errors["max_ulp"].max()
                style: Any = {"color": _colour(subject, subjects), "marker": RUN_MARKERS[index % 8]}
                ax.plot([time, time], [ordinary, anywhere], lw=0.9, color=style["color"])
                ax.plot(time, anywhere, ls="", mfc="white", **style)
                ax.plot(time, ordinary, ls="", ms=8, **style)
                if errors[["nan_failures", "infinity_failures"]].to_numpy().sum() > 0:
                    at_top = ax.get_xaxis_transform()
                    ax.plot(time, 0.97, marker="x", mew=2, color=style["color"], transform=at_top)
        ax.margins(x=0.25, y=0.12)
        ax.text(
            0.01,
            0.5,
            " correctly rounded",
            size=7,
            color="#666666",
            va="bottom",
            transform=ax.get_yaxis_transform(),
        )
    meaning = (("ordinary rows", "o", None), ("any case", "o", "white"), ("NaN or ∞", "x", None))
    _legend(drawn, runs, markers=True, meaning=meaning)
    return drawn


def heat_map(runs: Sequence[Run], operation: str) -> Figure:
    """Largest ulp error by case and subject; a red frame marks failures."""
    subjects = _subjects(runs)
    cases = list(dict.fromkeys(case for run in runs for case in run.accuracy["case"]))
    panels = [(run, format_name) for run in runs for format_name in FORMATS]
    width = 2.6 + 0.62 * len(subjects) * len(panels)
    drawn = Figure(figsize=(width, 1.7 + 0.25 * len(cases)), layout="constrained")
    axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    norm = LogNorm(0.25, 1e8)
    for ax, (run, format_name) in zip(axes, panels, strict=True):
        table = _cell(run.accuracy, operation=operation, format=format_name)
        for _, row in table.iterrows():
            place = (subjects.index(row["subject"]), cases.index(row["case"]))
            _heat_cell(ax, place, row, norm)
        title = format_name if len(runs) == 1 else f"{format_name}\n{run.label}"
        ax.set_title(title, loc="center")
        ax.set(xlim=(-0.5, len(subjects) - 0.5), ylim=(len(cases) - 0.5, -0.5))
        ax.set_xticks(range(len(subjects)), subjects, rotation=60, ha="right")
        ax.set_yticks(range(len(cases)), cases)
        ax.grid(visible=False)
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
    drawn.suptitle(f"Largest ulp error, {TITLES[operation]}", weight="bold")
    bar = drawn.colorbar(mpl.cm.ScalarMappable(norm, ERRORS), ax=axes, shrink=0.4, pad=0.01)
    bar.set_label("ulp; red: NaN, infinity, or a special value missed")
    return drawn


def _heat_cell(ax: Axes, place: tuple[int, int], row: pd.Series[Any], norm: LogNorm) -> None:
    x, y = place
    broken = row["nan_failures"] + row["infinity_failures"] + row["missed_special"] > 0
    value = row["max_ulp"]
    shown = min(max(value, norm.vmin or 0), norm.vmax or 1) if not math.isnan(value) else None
    face = FAILURE if broken else ERRORS(norm(shown)) if shown else "#EEEEEE"
    ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=face, edgecolor="none"))
    text = error_cell(row)
    if broken:
        text = "NaN" if row["nan_failures"] else "inf" if row["infinity_failures"] else "value"
    if row["outcome"] == "undefined":
        text = "none"
    dark = broken or (shown is not None and float(norm(shown)) > 0.45)
    colour = "white" if dark else "#222222"
    ax.text(x, y, text, size=6.5, ha="center", va="center", color=colour, in_layout=False)


def bounds(runs: Sequence[Run]) -> Figure:
    """Measured error against its bound, both in ulp: the theorem holds below the diagonal."""
    drawn = Figure(figsize=(10, 6.4), layout="constrained")
    subjects = _subjects(runs)
    limits = (0.05, 1e12)
    axes = dict(zip(OPERATIONS, drawn.subplots(2, 2, sharex=True, sharey=True).flat, strict=True))
    for operation, ax in axes.items():
        ax.set(xscale="log", yscale="log", xlim=limits, ylim=(1e-3, limits[1]))
        ax.set_title(TITLES[operation])
        ax.plot(limits, limits, color="#555555", lw=0.9)
        ax.fill_between(limits, limits, limits[1], color="#F3DEDE", lw=0)
        for format_name, marker in FORMAT_MARKERS.items():
            for subject in subjects:
                points = _cell(
                    runs[-1].accuracy, operation=operation, format=format_name, subject=subject
                )
                points = points[points["claim_claimed"] > 0]
                ax.plot(
                    points["claim_bound_ulp"],
                    points["claim_ulp"],
                    ls="",
                    marker=marker,
                    ms=4.5,
                    mfc="none",
                    mew=0.9,
                    color=_colour(subject, subjects),
                )
    axes["softmax"].text(0.2, 1e9, "above the bound: none may be here", size=8, color="#8A3A3A")
    drawn.supxlabel("bound, in ulp, at the output that comes closest to it", size=10)
    drawn.supylabel("measured error there, in ulp", size=10)
    handles = [Line2D([], [], color=_colour(s, subjects), lw=3, label=s) for s in subjects]
    handles += [
        Line2D([], [], color="#555555", marker=m, mfc="none", ls="", label=name)
        for name, m in FORMAT_MARKERS.items()
    ]
    drawn.legend(handles=handles, loc="outside upper right", ncols=min(8, len(handles)))
    return drawn


def survival(runs: Sequence[Run]) -> Figure:
    """Share of outputs whose error exceeds a threshold, over the ordinary cases."""
    drawn, panels = _panels(
        10, OPERATIONS, "ulp error t", "share of outputs with an error above t, ordinary rows"
    )
    subjects = _subjects(runs)
    for (operation, format_name), ax in panels.items():
        ax.set(xscale="log", yscale="log")
        ax.axvline(0.5, color="#888888", lw=0.8, ls=":")
        for index, run in enumerate(runs):
            for subject in subjects:
                wanted = {"subject": subject, "operation": operation, "format": format_name}
                table = _cell(run.accuracy, family="random", **wanted)
                counts = np.zeros(len(SURVIVAL_THRESHOLDS))
                for row in table["survival"]:
                    if isinstance(row, list):
                        counts[: len(row)] += row
                share = np.where(counts > 0, counts / max(table["elements"].sum(), 1), np.nan)
                ax.plot(
                    SURVIVAL_THRESHOLDS,
                    share,
                    ls=RUN_LINES[index % 4],
                    color=_colour(subject, subjects),
                    marker=".",
                    ms=3,
                )
    _legend(drawn, runs)
    return drawn


def error_against_k(runs: Sequence[Run]) -> Figure:
    """Largest ulp error of one row of each length K."""
    drawn, panels = _panels(
        10, OPERATIONS, "K, every length of a row", "largest ulp error of the row"
    )
    subjects = _subjects(runs)
    for (operation, format_name), ax in panels.items():
        ax.set(yscale="log", ylim=(0.03, None))
        for index, run in enumerate(runs):
            table = run.accuracy[run.accuracy["case"].str.startswith("widths")]
            for subject in subjects:
                rows = _cell(table, subject=subject, operation=operation, format=format_name)
                points = sorted(
                    tuple(point) for widths in rows["max_ulp_by_width"] for point in widths or []
                )
                if points:
                    ax.plot(
                        *zip(*points, strict=True),
                        lw=0.8,
                        ls=RUN_LINES[index % 4],
                        color=_colour(subject, subjects),
                        alpha=0.9,
                    )
    _legend(drawn, runs)
    return drawn


def time_against_k(runs: Sequence[Run]) -> Figure:
    """Median ns per element by K."""
    drawn, panels = _panels(10, OPERATIONS, "K", "ns per element (median, batch of 2 MiB)")
    subjects = _subjects(runs)
    for (operation, format_name), ax in panels.items():
        ax.set(xscale="log", yscale="log")
        for index, run in enumerate(runs):
            for subject in subjects:
                table = _cell(
                    run.throughput, subject=subject, operation=operation, format=format_name
                ).sort_values("columns")
                ax.plot(
                    table["columns"],
                    table["ns_per_element"],
                    marker="o",
                    ms=3.5,
                    ls=RUN_LINES[index % 4],
                    color=_colour(subject, subjects),
                )
    _legend(drawn, runs)
    return drawn


def across_runs(runs: Sequence[Run]) -> Figure:
    """Largest ulp error of ordinary rows, and time relative to the oldest run, by run."""
    drawn = Figure(figsize=(10, 7.6), layout="constrained")
    axes = drawn.subplots(3, len(FORMATS), sharex=True, sharey="row")
    subjects, positions = _subjects(runs), range(len(runs))
    for column, format_name in enumerate(FORMATS):
        for row, operation in enumerate(("softmax", "log_softmax")):
            axes[row, column].set(yscale="log", title=f"{TITLES[operation]}, {format_name}")
            for subject in subjects:
                wanted = {"subject": subject, "operation": operation, "format": format_name}
                tables = [_cell(run.accuracy, family="random", **wanted) for run in runs]
                values = [table["max_ulp"].max() for table in tables]
                colour = _colour(subject, subjects)
                axes[row, column].plot(positions, values, marker="o", color=colour)
        ax = axes[2, column]
        ax.axhline(1, color="#888888", lw=0.8, ls=":")
        ax.set_title(f"time, all operations, {format_name}")
        for subject in subjects:
            ratios = [_time_ratio(runs[0], run, subject, format_name) for run in runs]
            ax.plot(positions, ratios, marker="o", color=_colour(subject, subjects))
        ax.set_xticks(positions, [run.label for run in runs], rotation=30, ha="right")
        ax.margins(x=0.15)
    axes[0, 0].set_ylabel("largest ulp error")
    axes[1, 0].set_ylabel("largest ulp error")
    axes[2, 0].set_ylabel(f"ratio to {runs[0].label}")
    handles = [Line2D([], [], color=_colour(s, subjects), lw=3, label=s) for s in subjects]
    drawn.legend(handles=handles, loc="outside upper right", ncols=min(8, len(handles)))
    return drawn


def _time_ratio(before: Run, after: Run, subject: str, format_name: str) -> float:
    """Geometric mean over operations and shapes; NaN where the runs share none."""
    keys = ["operation", "rows", "columns"]
    wanted = {"subject": subject, "format": format_name}
    joined = _cell(before.throughput, **wanted).merge(_cell(after.throughput, **wanted), on=keys)
    if joined.empty:
        return math.nan
    logs = np.log(joined["ns_per_element_y"] / joined["ns_per_element_x"])
    return float(np.exp(logs.mean()))
