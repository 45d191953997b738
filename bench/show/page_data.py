"""Runs as the data of a page: columns of small numbers, and what they stand for. Draws nothing.

Texts, rows and colours that come again are kept once, and named by their place.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.inputs.cases import CASES
from bench.measure import witness
from bench.show import witness_script
from bench.show.markdown import TITLES
from bench.show.tables import provenance
from bench.subjects.subject import printable
from numerics import FORMATS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run

KINDS = {
    "nan_failures": "NaN",
    "infinity_failures": "infinite",
    "missed_special": "special value missed",
    "lost_to_zero": "lost to 0",
}
"""Failures, as in a record and in words."""
_REASONS = {case.name: case.reason for case in CASES}
_FIGURES = ("max_ulp", "mean_ulp")
_TIMES = ("ns_per_element", "iqr_ns_per_element")


class Kept:
    """Values in the order in which they first came."""

    def __init__(self, values: Sequence[Hashable] = ()) -> None:  # noqa: D107
        self._places: dict[Hashable, int] = {value: i for i, value in enumerate(values)}

    def place(self, value: Hashable) -> int:
        """Where a value is, from now on.

        >>> kept = Kept(["a"])
        >>> kept.place("b"), kept.place("a"), kept.values()
        (1, 0, ['a', 'b'])
        """
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[Any]:
        """All of them."""
        return list(self._places)


def data(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that the tables of a page show, fit for JSON."""
    from bench.show.style import PALETTE, subjects

    axes = {name: Kept() for name in ("cases", "texts", "shades", "failures")}
    places = {
        "subject": Kept(subjects(runs)),
        "operation": Kept(OPERATIONS),
        "format": Kept(list(FORMATS)),
    }
    shown = [_run(run, places, axes) for run in runs]
    return {
        "subjects": places["subject"].values(),
        "colours": [i % len(PALETTE) for i in range(len(places["subject"].values()))],
        "operations": [[name, TITLES.get(name, name)] for name in places["operation"].values()],
        "formats": places["format"].values(),
        "kinds": list(KINDS.values()),
        "cases": [[*case, _REASONS.get(case[0], "")] for case in axes["cases"].values()],
        "texts": axes["texts"].values(),
        "shades": axes["shades"].values(),
        "failures": axes["failures"].values(),
        "scale": _scale(),
        "runs": shown,
    }


def _run(run: Run, places: Mapping[str, Kept], axes: Mapping[str, Kept]) -> dict[str, Any]:
    return {
        "label": run.label,
        "provenance": printable(provenance(run), 400),
        "errors": _errors(run.accuracy, places, axes),
        "speed": _speed(run.throughput, places),
    }


def _errors(
    table: pd.DataFrame, places: Mapping[str, Kept], axes: Mapping[str, Kept]
) -> dict[str, Any]:
    records: list[dict[Any, Any]] = table.to_dict("records")
    columns = _named(records, places) | {name: _figures(table[name]) for name in _FIGURES}
    # No output with a bound, or all of them exact: there is no bound that errors came closest to.
    columns["claim_bound_ulp"] = _figures(table["claim_bound_ulp"].replace(0, math.nan))
    columns["claim_ratio"] = _figures(table["claim_ratio"].where(table["claim_claimed"] > 0))
    columns["case"] = [axes["cases"].place((r["case"], r["family"])) for r in records]
    for record in records:
        for name, value in _cell(record, axes).items():
            columns.setdefault(name, []).append(value)
    return columns


def _named(records: Sequence[Mapping[Any, Any]], places: Mapping[str, Kept]) -> dict[str, Any]:
    return {name: [kept.place(r[name]) for r in records] for name, kept in places.items()}


def _scale() -> list[tuple[str, str, str]]:
    """Some errors with their colours, as a legend: text, background, ink."""
    nothing = dict.fromkeys(KINDS, 0) | {"outcome": "measured"}
    return [_coloured(nothing | {"max_ulp": ulp}) for ulp in (0.5, 5, 50, 1e3, 1e5, 1e7)]


def _coloured(record: Mapping[Any, Any]) -> tuple[str, str, str]:
    from matplotlib.colors import to_hex

    from bench.show.style import heat_cell

    colour, text, ink = heat_cell(record)
    return text, to_hex(colour), to_hex(ink)


def _cell(record: Mapping[Any, Any], axes: Mapping[str, Kept]) -> dict[str, Any]:
    """What the map of errors shows of a record, and what its witness says."""
    text, *shade = _coloured(record)
    failures = tuple(0 if math.isnan(record[name]) else int(record[name]) for name in KINDS)
    return {
        "failures": axes["failures"].place(failures),
        "shade": axes["shades"].place(tuple(shade)),
        "text": axes["texts"].place(text),
        "worst": _worst(record, axes["texts"]),
    }


def _worst(record: Mapping[Any, Any], texts: Kept) -> list[Any] | int:
    """The place of an output, and the parts of its script; or why there is none."""
    kept = record["worst"]
    if record["outcome"] != "measured":
        return texts.place(f"{record['outcome']}: {record['message'] or 'no result to show'}")
    if not witness.is_sound(kept):
        return texts.place("This run file does not keep worst inputs (it was shortened).")
    if kept["x"] is None and record["case"] not in _REASONS:
        return texts.place(f"The row has {kept['width']} elements, and its case is not known here.")
    names = (record[name] for name in ("subject", "operation", "case", "format"))
    script = witness_script.script(kept, *names)
    parts = (script.imports, script.row, script.call, script.got, script.exact)
    place = [kept[name] for name in ("batch", "row", "column", "width")]
    return [*place, *map(texts.place, parts)]


def _speed(table: pd.DataFrame, places: Mapping[str, Kept]) -> dict[str, Any]:
    records: list[dict[Any, Any]] = table.to_dict("records")
    counts = {name: [int(r[name]) for r in records] for name in ("rows", "columns", "rounds")}
    times = {name: _figures(table[name]) for name in _TIMES}
    return _named(records, places) | counts | times


def _figures(column: pd.Series[Any]) -> list[float | int | None] | None:
    """Four digits each, None for what was not measured; None for a column that holds nothing."""
    shown = [None if math.isnan(value) else _short(value) for value in column.astype(float)]
    return shown if any(value is not None for value in shown) else None


def _short(value: float) -> float | int:
    rounded = min(float(f"{value:.4g}"), sys.float_info.max)  # the largest rounds up
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
