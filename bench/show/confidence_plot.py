"""The picture and the table of docs/gradient.md: what is left of p_y - 1 on confident rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.measure.confidence import GAPS, Faded
from bench.show.markdown import figure, markdown
from bench.show.rendering import rendered
from bench.show.style import STYLE, colour, legend
from numerics import ALL_FORMATS, METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 1e-17
"""What errs by less is drawn here."""
SHOWN = (5.0, 10.0, 15.0, 30.0)
"""Gaps of the table."""


def picture(found: Sequence[Faded]) -> bytes:
    """The figure as PNG."""
    with mpl.rc_context(STYLE):
        return rendered(draw(found), "python -m bench gradient", ("png",))["png"]


def draw(found: Sequence[Faded]) -> Figure:
    """Relative error against the gap, a panel for each format; libraries are dashed."""
    names = list(dict.fromkeys(one.subject for one in found))
    drawn = Figure(figsize=(10, 5), layout="constrained")
    shown = [name for name in ALL_FORMATS if any(one.format == name for one in found)]
    axes = drawn.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, shown, strict=True):
        ax.set_title(name)
        ax.axhline(ALL_FORMATS[name].unit_roundoff, color="#888888", lw=0.8, ls=":")
        for one in found:
            if one.format == name:
                _line(ax, one, names)
    axes[0].set(yscale="log", ylim=(SMALLEST / 3, 3), xlim=(0, GAPS[-1]))
    drawn.supxlabel("gap: logit of the label above the largest other one", size=10)
    drawn.supylabel("largest relative error of p_y − 1 (dotted: u)", size=10)
    legend(drawn, [], names=names)
    return drawn


def _line(ax: Axes, one: Faded, names: Sequence[str]) -> None:
    """Earlier subjects are wider, so that none hides another."""
    width = 4.2 - 3.2 * names.index(one.subject) / len(names)
    errors = [max(error, SMALLEST) for error in one.errors]
    dashes = "-" if one.subject in METHODS else (0, (2, 1.2))
    ax.plot(one.gaps, errors, color=colour(one.subject, names), lw=width, ls=dashes)


def table(found: Sequence[Faded]) -> str:
    """Largest relative error at some gaps, and from where on nothing is left."""
    rows = [
        [
            f"`{one.subject}`" if one.subject in METHODS else one.subject,
            one.format,
            *("" if (error := one.at(gap)) is None else figure(error) for gap in SHOWN),
            "" if one.nothing_from is None else f"{one.nothing_from:g}",
        ]
        for one in found
    ]
    heads = [f"gap {gap:g}" for gap in SHOWN]
    return markdown(["", "format", *heads, "nothing is left from"], rows, text=2)
