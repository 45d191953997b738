"""How every figure looks: colours, markers, panels, legends.

Colour means subject, and is the same in all figures. Knows no figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from bench.show.markdown import TITLES, figure
from numerics import METHODS

if TYPE_CHECKING:
    from bench.runs.run_file import Run

# Okabe & Ito's palette, then Tol's, told apart by every common kind of colour vision.
PALETTE: tuple[str, ...] = (
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8C6D31",
    "#000000",
    "#6A3D9A",
    "#44AA99",
    "#999933",
    "#882255",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#661100",
)
CEILING = 1e17
"""Ulp errors above are drawn here: 2^53 is what a result has to lose in fp64."""
FAILURE = "#C40233"
ERRORS = LinearSegmentedColormap.from_list("errors", ["#F4F8FB", "#9CC5DD", "#2B6A99", "#0B2239"])
LOWEST, HIGHEST = 0.25, 1e8
HEAT = LogNorm(LOWEST, HIGHEST)
"""From the largest ulp error to ERRORS."""
RUN_MARKERS = "osD^vP*X"
RUN_LINES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 1, 1, 1)))
FORMAT_MARKERS = {"fp16": "^", "bf16": "v", "fp32": "o", "fp64": "s"}
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


def subjects(runs: Sequence[Run]) -> list[str]:
    """Our methods in the order of the table, then all others by name."""
    present = {name for run in runs for name in run.accuracy["subject"]}
    ours = [name for name in METHODS if name in present]
    return ours + sorted(present - set(ours))


def colour(subject: str, names: Sequence[str]) -> str:
    """The colour of a subject among all that are shown."""
    return PALETTE[list(names).index(subject) % len(PALETTE)]


def heat_cell(record: Mapping[Any, Any]) -> tuple[Any, str, str]:
    """Colour, text and ink of one record in a map of largest ulp errors.

    The text is the error, with * where results were lost to 0, or the word for what came instead.
    """
    dark, light = "#FFFFFF", "#000000"
    if record["nan_failures"] + record["infinity_failures"] + record["missed_special"] > 0:
        word = (
            "NaN" if record["nan_failures"] else "inf" if record["infinity_failures"] else "value"
        )
        return to_rgb(FAILURE), word, dark
    if record["outcome"] not in ("measured", "undefined"):
        return to_rgb(FAILURE), " ".join(str(record["outcome"]).split()[:1]), dark
    if record["outcome"] == "undefined" or math.isnan(record["max_ulp"]):
        return to_rgb("#EEEEEE"), "none", light
    level = _level(record["max_ulp"])
    text = figure(record["max_ulp"]) + ("*" if record["lost_to_zero"] else "")
    return _shade(int(256 * level)), text, dark if level > 0.605 else light  # contrast 4.5


def _level(max_ulp: float) -> float:
    """What HEAT says of one number, without the arrays that make it slow for one."""
    clipped = min(max(max_ulp, LOWEST), HIGHEST)
    return math.log(clipped / LOWEST) / math.log(HIGHEST / LOWEST)


@cache
def _shade(place: int) -> tuple[float, float, float]:
    red, green, blue, _ = ERRORS(place)
    return red, green, blue


def short(name: str, most: int = 28) -> str:
    """A name as there is room for in a figure.

    >>> short("a_package.with_a_long_name:softmax")
    'a_package.with_a_long_name:…'
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def legend(
    drawn: Figure,
    runs: Sequence[Run],
    markers: bool = False,
    meaning: Sequence[tuple[str, str, str | None]] = (),
    names: Sequence[str] = (),
) -> None:
    """Subjects by colour, runs by line or marker, and what markers mean, above the panels."""
    names = names or subjects(runs)
    handles = [Line2D([], [], color=colour(s, names), lw=3, label=short(s)) for s in names]
    if len(runs) > 1:
        handles += [
            Line2D(
                [], [], color="#555555", marker=RUN_MARKERS[i], ls="", label=short(run.label, 64)
            )
            if markers
            else Line2D([], [], color="#555555", ls=RUN_LINES[i % 4], label=short(run.label, 64))
            for i, run in enumerate(runs)
        ]
    handles += [
        Line2D([], [], color="#555555", marker=marker, mfc=face, ls="", label=label)
        for label, marker, face in meaning
    ]
    columns = columns_within([str(one.get_label()) for one in handles], drawn.get_figwidth())
    drawn.legend(handles=handles, loc="outside upper right", ncols=columns)
    lines = math.ceil(len(handles) / columns)  # panels stay as high as with two of them
    drawn.set_figheight(drawn.get_figheight() + 0.2 * max(lines - 2, 0))


def columns_within(labels: Sequence[str], inches: float) -> int:
    """Into how many columns a legend of these labels goes, as evenly filled as a legend is.

    >>> columns_within(["naive", "stable"], 10), columns_within(["x" * 28] * 12, 10)
    (2, 3)
    """
    widths = list(map(_width, labels))
    for count in range(len(labels), 1, -1):
        rows, longer = divmod(len(labels), count)
        starts = [i * rows + min(i, longer) for i in range(count + 1)]
        if sum(max(widths[i:j]) for i, j in pairwise(starts)) < inches:
            return count
    return 1


def _width(label: str) -> float:
    """Inches that a label takes in a legend, with its handle and the space around them."""
    font = FontProperties(family=STYLE["font.family"], size=STYLE["font.size"])
    letters, _, _ = text_to_path.get_text_width_height_descent(label, font, ismath=False)
    return float(1.06 * letters + 5 * STYLE["font.size"]) / 72  # on a grid of pixels: 6 % more


def panels(
    height: float,
    operations: Sequence[str],
    formats: Sequence[str],
    x_label: str,
    y_label: str,
) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """A grid of operations by formats with shared axes."""
    drawn = Figure(figsize=(10, height), layout="constrained")
    axes = drawn.subplots(len(operations), len(formats), sharex=True, sharey="row", squeeze=False)
    grid = {}
    for row, operation in zip(axes, operations, strict=True):
        for ax, format_name in zip(row, formats, strict=True):
            ax.set_title(f"{TITLES[operation]}, {format_name}")
            grid[operation, format_name] = ax
    drawn.supxlabel(x_label, size=10)
    drawn.supylabel(y_label, size=10)
    return drawn, grid
