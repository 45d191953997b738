"""Plots of a page: one small panel for each kind, operation, format and run, as SVG within HTML.

The drawing is that of `plots`; here is how a drawing becomes part of a page that may be dark.
"""

from __future__ import annotations

import colorsys
import hashlib
import re
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from bench.show import plots, version_plots
from bench.show.markdown import TITLES, figure
from bench.show.style import PALETTE, STYLE, as_svg, subjects
from numerics import FORMATS, OPERATIONS

if TYPE_CHECKING:
    from bench.runs.run_file import Run

SIZE = (5.4, 3.3)
"""Of a panel, in inches: as wide as a phone at the size of its letters."""
MARGINS = {"left": 0.2, "right": 0.96, "top": 0.97, "bottom": 0.17}
DARK = "#171B20"
"""Behind the plots of a dark page."""
KINDS = {
    "error-against-time": "Down and to the left is better. Filled: ordinary rows; hollow: any "
    "case; ×: NaN or ∞ where the truth is a number; dotted: correctly rounded.",
    "survival": "The share of outputs, on ordinary rows, that err by more than t.",
    "error-against-k": "A gap is where a row failed.",
    "time-against-k": "Median of all rounds, batches of 2 MiB.",
    "errors-against-bounds": "The theorems hold below the diagonal; one point for each case.",
}
"""Kinds of panel, in the order of the page, and how to read each."""
BY_VERSION = {
    "versions-error": "Largest ulp error of ordinary rows, by run",
    "versions-time": "Time by run, as a ratio to the first; grey: may be noise",
    "versions-bits": "Records whose bits differ, run by run",
}
_INKS = {
    "#000000": "var(--ink)",
    "#333333": "var(--ink)",
    "#555555": "var(--soft)",
    "#666666": "var(--soft)",
    "#888888": "var(--soft)",
    "#8a3a3a": "var(--soft)",
    "#e3e3e3": "var(--grid)",
    "#efefef": "var(--grid)",
    "#f3dede": "var(--forbidden)",
    "#ffffff": "var(--paper)",
}
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Plot:
    """One drawing, and what it is of; operation and format are empty where it shows all."""

    kind: str
    run: int
    operation: str
    format: str
    svg: str


def count(runs: Sequence[Run]) -> int:
    """How many plots `drawn` passes on."""
    by_version = version_plots.figures(runs) if len(runs) > 1 else {}
    return sum(1 for _ in _cells(runs)) + len(by_version)


def drawn(runs: Sequence[Run]) -> Iterator[Plot]:
    """Every plot that the runs can fill, one by one."""
    names = subjects(runs)
    for kind, index, operation, format_name in _cells(runs):
        of = f"{TITLES[operation]}, {format_name}, {runs[index].label}"
        with mpl.rc_context(STYLE | {"font.size": 10}):
            run = _cut(runs[index], operation, format_name)
            panel = _panel(of_kind(kind), run, operation, format_name, names)
            svg = within_html(panel, f"{of_kind(kind).title}: {of}", KINDS[kind])
        yield Plot(kind, index, operation, format_name, svg)
    for kind, draw in (version_plots.figures(runs) if len(runs) > 1 else {}).items():
        with mpl.rc_context(STYLE):
            svg = within_html(draw(), BY_VERSION[kind], ", ".join(run.label for run in runs))
        yield Plot(kind, 0, "", "", svg)


def _cells(runs: Sequence[Run]) -> Iterator[tuple[str, int, str, str]]:
    """Where there is something to draw: kind, run, operation, format."""
    for kind in KINDS:
        for index, run in enumerate(runs):
            for operation in OPERATIONS:
                for format_name in FORMATS:
                    if _fills(of_kind(kind), run, operation, format_name):
                        yield kind, index, operation, format_name


def of_kind(kind: str) -> plots.Panels:
    """How a kind is drawn."""
    return plots.GRIDS.get(kind, plots.BOUNDS)


def _cut(run: Run, operation: str, format_name: str) -> Run:
    """What a panel needs of a run."""
    accuracy, throughput = (
        table[(table["operation"] == operation) & (table["format"] == format_name)]
        for table in (run.accuracy, run.throughput)
    )
    return replace(run, accuracy=accuracy, throughput=throughput)


def _fills(kind: plots.Panels, run: Run, operation: str, format_name: str) -> bool:
    cell = _cut(run, operation, format_name)
    table = cell.throughput if kind.needs in cell.throughput else cell.accuracy
    if kind.family:
        table = table[table["family"] == kind.family]
    return any(map(bool, table[kind.needs].dropna()))


def _panel(
    kind: plots.Panels, run: Run, operation: str, format_name: str, names: Sequence[str]
) -> Figure:
    drawing = Figure(figsize=SIZE)
    ax = drawing.subplots(gridspec_kw=MARGINS)
    kind.fill([run], {(operation, format_name): ax}, names)
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":  # as in the tables; and much faster than mathematics
            axis.set_major_formatter(lambda value, _: figure(value))
    ax.set(xlabel=textwrap.fill(kind.x_label, 56), ylabel=textwrap.fill(kind.y_label, 32))
    for words in list(ax.texts):  # the caption says it
        words.remove()
    return drawing


# --- From a figure to a part of a page -----------------------------------------------------------


def within_html(drawing: Figure, title: str, description: str) -> str:
    """A figure as an svg element: named for those who cannot see it, in the colours of the page.

    Names inside it begin with a digest of its title, so that none means another plot's.
    """
    for ax in drawing.axes:
        ax.minorticks_off()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    root = ET.fromstring(as_svg(drawing, nothing))
    _forget_style(root)
    prefix = f"p{hashlib.sha256(title.encode()).hexdigest()[:6]}"
    _rename(root, prefix)
    _shorten(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.get("style"):
            element.set("style", in_page_style(element.get("style", "")))
        if element.tag not in ("text", "tspan"):
            element.text = None
        element.tail = None
    root.attrib = {"viewBox": root.get("viewBox", ""), "role": "img"}
    for name, text in (("desc", description), ("title", title)):
        spoken = ET.Element(name, {"id": f"{prefix}-{name}"})
        spoken.text = text
        root.insert(0, spoken)
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    return ET.tostring(root, encoding="unicode")


def _forget_style(root: ET.Element) -> None:
    """Without the rule for all elements, which would hold for the whole page; `page.css` has it."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)


def _rename(root: ET.Element, prefix: str) -> None:
    """Give the names that something refers to short ones of this plot, and drop the others."""
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        return short.setdefault(name, f"{prefix}-{len(short)}")

    for element in root.iter():
        target = element.attrib.pop(_XLINK, "")
        if target:  # what it points at is a shape, or a picture inside the page
            element.set("href", f"#{renamed(target[1:])}" if target[0] == "#" else target)
        if "clip-path" in element.attrib:
            element.set("clip-path", f"url(#{renamed(element.attrib['clip-path'][5:-1])})")
    for element in root.iter():
        name = element.attrib.pop("id", "")
        if name in short:
            element.set("id", short[name])


def _shorten(root: ET.Element) -> None:
    """Say in fewer letters what looks the same on a page."""
    shapes = {path for defs in root.iter(f"{_SVG}defs") for path in defs.iter()}
    for element in root.iter():
        for name in element.attrib.keys() & {"d", "x", "y"}:
            # A tenth of a point will do for the place of anything, but not for a marker's shape.
            places = element.attrib[name].strip().replace("  ", " ")
            short = places if element in shapes else re.sub(r"(\.\d)\d+", r"\1", places)
            element.set(name, short)
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        uses = list(element)
        if {(use.tag, use.get("style")) for use in uses} == {(f"{_SVG}use", _style_of(uses))}:
            element.set("style", _style_of(uses))
            for use in uses:
                del use.attrib["style"]


def _style_of(elements: Sequence[ET.Element]) -> str:
    return elements[0].get("style", "") if elements else ""


def in_page_style(style: str) -> str:
    """Greys and the palette as variables of the page, letters as the page has them.

    >>> in_page_style("fill: none; stroke: #d55e00")
    'fill: none; stroke: var(--c0)'
    """
    style = re.sub("font-family: [^;]+; ", "", style)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _INK_OR_PALETTE.get(found[0], found[0]), style)


_INK_OR_PALETTE = {colour.lower(): f"var(--c{i})" for i, colour in enumerate(PALETTE)} | _INKS


def palette(background: str = "#FFFFFF", least: float = 1.0) -> list[str]:
    """The colours of subjects, lighter where their contrast to a background is below the least.

    Black is the colour of the page's ink.

    >>> palette()[1], palette(DARK, 4.5)[1]
    ('#0072b2', '#0089d6')
    """
    inks = (_INKS.get(colour.lower()) for colour in PALETTE)
    return [
        ink or _lighter(colour, background, least)
        for ink, colour in zip(inks, PALETTE, strict=True)
    ]


def _lighter(colour: str, background: str, least: float) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(colour))
    while contrast(colour, background) < least:
        lightness += 0.01
        colour = to_hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return colour.lower()


def contrast(one: str, other: str) -> float:
    """The ratio of luminances, as WCAG 2 defines it.

    >>> round(contrast("#000000", "#FFFFFF"))
    21
    """
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
