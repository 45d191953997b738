"""Figures of runs by version as parts of a page, which may be dark: SVG within HTML."""

from __future__ import annotations

import colorsys
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb

from bench.show import version_plots
from bench.show.drawing import MANY
from bench.show.processes import in_order
from bench.show.rendering import as_svg, with_plain_ticks
from bench.show.style import PALETTE, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.runs.run_file import Run

DARK = "#171B20"
"""Behind the plots of a dark page."""
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
Plot: TypeAlias = tuple[str, str]
"""Title, and an svg element."""
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"


def by_version(runs: Sequence[Run]) -> dict[str, Callable[[], Figure]]:
    """How to draw what runs of several versions can fill."""
    return version_plots.figures(runs) if len({run.numpy for run in runs}) > 1 else {}


def drawn(runs: Sequence[Run], figures: Mapping[str, Callable[[], Figure]]) -> Iterator[Plot]:
    """The title and the picture of each, drawn in all cores where there is much to draw."""
    labels = ", ".join(run.label for run in runs)
    records = sum(len(run.accuracy) for run in runs)
    jobs = [(BY_VERSION[name], labels, draw) for name, draw in figures.items()]
    yield from in_order(_drawn, jobs, None if records * len(jobs) > MANY else 1)


def _drawn(job: tuple[str, str, Callable[[], Figure]]) -> Plot:
    title, labels, draw = job
    with mpl.rc_context(STYLE):
        return title, within_html(draw(), title, labels)


# --- From a figure to a part of a page -----------------------------------------------------------


def within_html(drawing: Figure, title: str, description: str) -> str:
    """A figure as an svg element: named for those who cannot see it, in the colours of the page.

    Names inside it begin with a digest of its title, so that none means another plot's.
    """
    with_plain_ticks(drawing)
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
