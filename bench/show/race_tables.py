"""The race as Markdown tables. Formats figures; computes nothing but geometric means."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bench.show.markdown import TITLES, figure, markdown
from numerics import FORMATS

if TYPE_CHECKING:
    from bench.measure.calls import Called
    from bench.measure.race import Table
    from bench.measure.timing import Cell


def softmax(cells: Sequence[Cell]) -> str:
    """Softmax: one row for each format and K, the sizes side by side, then the geometric means."""
    raced = [cell for cell in cells if cell.operation == "softmax"]
    sizes = sorted({cell.mebibytes for cell in raced})
    peers = _peers_of(raced)
    rows = []
    for name in FORMATS:
        mine = [cell for cell in raced if cell.format == name]
        for columns in sorted({cell.columns for cell in mine}):
            at = [cell for cell in mine if cell.columns == columns]
            rows.append([name, f"{columns:,}", *_race_figures(at, peers)])
        means = [
            f"**{figure(statistics.geometric_mean(cell.ratio(peer) for cell in mine))}**"
            for peer in peers
        ]
        rows.append([name, "**geometric mean**", "", "", "", *means, ""])
    shown = " / ".join(map(str, sizes))
    headers = ["format", "K", f"fast, ns per element ({shown} MiB)", "np.exp, out=, ns"]
    headers += ["fast, out= / np.exp", *(f"{peer} / fast" for peer in peers)]
    return markdown([*headers, "1 worker / 2"], rows)


def _peers_of(cells: Sequence[Cell]) -> list[str]:
    ours = ("fast", "np.exp")
    return [name for name in cells[0].seconds if not name.startswith(ours)]


def _race_figures(at: Sequence[Cell], peers: Sequence[str]) -> list[str]:
    def both(value: Callable[[Cell], float]) -> str:
        return " / ".join(figure(value(cell)) for cell in at)

    two = "fast, workers=2"
    shared = [figure(cell.ratio("fast", two)) for cell in at if two in cell.seconds]
    return [
        both(lambda cell: cell.ns_per_element("fast")),
        both(lambda cell: cell.ns_per_element("np.exp, out=")),
        both(lambda cell: cell.ratio("fast, out=", "np.exp, out=")),
        *(both(lambda cell, peer=peer: cell.ratio(peer)) for peer in peers),  # type: ignore[misc]
        " / ".join(shared),
    ]


def logarithms(cells: Sequence[Cell]) -> str:
    """Log-softmax and log-sum-exp: time of each peer over that of fast."""
    rows = []
    for cell in cells:
        if cell.operation != "softmax":
            peers = _peers_of([cell])
            ratios = [figure(cell.ratio(peer)) for peer in peers]
            time = figure(cell.ns_per_element("fast"))
            rows.append([TITLES[cell.operation], cell.format, f"{cell.columns:,}", time, *ratios])
    headers = ["operation", "format", "K", "fast, ns per element"]
    return markdown([*headers, *(f"{peer} / fast" for peer in _peers_of(cells[-1:]))], rows, text=2)


def steps(made_of: Table) -> str:
    """What fast is made of, and what it could have been: ns per element by K."""
    return _by_column(made_of, "fp32, ns per element", "K = {}")


def calls(found: Sequence[Called]) -> str:
    """Time of a call over that of the two lines, by shape; theirs in microseconds."""
    lines = next(iter(found[0].ratio))
    shapes = [" × ".join(map(str, shape)) for shape in _in_order(tuple(c.shape) for c in found)]
    rows = []
    for kind in _in_order((c.operation, c.format, c.shifted) for c in found):
        cells = [c for c in found if (c.operation, c.format, c.shifted) == kind]
        title = f"{TITLES[kind[0]]}, {kind[1]}{', shifted' if kind[2] else ''}"
        times = [figure(cell.microseconds[lines]) for cell in cells]
        rows.append([f"**{title}**", f"{lines}, µs", *times])
        for name in list(cells[0].ratio)[1:]:
            rows.append(["", f"{name}, ratio", *(figure(cell.ratio[name]) for cell in cells)])
    return markdown(["", "", *shapes], rows, text=2)


def parts(made_of: Table) -> str:
    """What calls are made of: microseconds by shape."""
    return _by_column(made_of, "fp32, µs", "{}")


def before(cells: Sequence[Cell]) -> str:
    """Large arrays: time of `fast` over what it was before, by format and operation."""
    rows = []
    for operation, format_name in _in_order((c.operation, c.format) for c in cells):
        ratios = {
            f"{cell.mebibytes} MiB, K = {cell.columns:,}": cell.ratio("fast", "before")
            for cell in cells
            if (cell.operation, cell.format) == (operation, format_name)
        }
        worst = max(ratios, key=lambda name: ratios[name])
        mean = figure(statistics.geometric_mean(ratios.values()))
        rows.append([TITLES[operation], format_name, mean, f"{figure(ratios[worst])} ({worst})"])
    return markdown(["operation", "format", "geometric mean", "largest"], rows, text=2)


def _in_order(things: Iterable[Any]) -> list[Any]:
    """Each once, in the order in which they come."""
    return list(dict.fromkeys(things))


def sampled(found: Table) -> str:
    """Largest distances from the correctly rounded result, by K."""
    return _by_column(found, "softmax, ulp", "K = {}")


def _by_column(table: Table, title: str, head: str) -> str:
    columns = list(next(iter(table.values())))
    rows = [[name, *(figure(times[column]) for column in columns)] for name, times in table.items()]
    return markdown([title, *map(head.format, columns)], rows)
