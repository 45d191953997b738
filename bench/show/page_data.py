"""Runs as the data of a page: columns of small numbers, and what they stand for. Draws nothing.

Texts, rows and colours that come again are kept once, and named by their place.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.inputs.cases import CASES
from bench.measure import witness
from bench.runs.records import SURVIVAL_THRESHOLDS
from bench.runs.run_file import formats, operations
from bench.show import witness_script
from bench.show.markdown import HEADLINE_COLUMNS, TITLES
from bench.show.tables import provenance
from bench.subjects.subject import printable
from numerics import OPERATIONS

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
PLOTS = {
    "error-against-time": (
        "Error against time",
        f"ns per element, K = {HEADLINE_COLUMNS} (median)",
        "largest ulp error",
        "Down and to the left is better. Filled: ordinary rows; hollow: any case; ×: NaN or ∞ "
        "where the truth is a number; dotted: correctly rounded.",
    ),
    "survival": (
        "How many outputs err",
        "ulp error t",
        "share of outputs with\nan error above t",
        "The share of outputs, on ordinary rows, that err by more than t.",
    ),
    "error-against-k": (
        "Error against K",
        "K: each point covers eight lengths of a row",
        "largest ulp error",
        "A gap is where a row failed.",
    ),
    "time-against-k": (
        "Time against K",
        "K",
        "ns per element",
        "Median of all rounds, batches of 2¹⁶ numbers.",
    ),
    "errors-against-bounds": (
        "Errors against bounds",
        "bound, in ulp, at the output that comes closest to it",
        "measured error there, in ulp\n(beyond the axes: on the edge)",
        "The theorems hold below the diagonal; one point for each case.",
    ),
}
"""Plots that the page draws of what is chosen: title, labels of the axes, and how to read each."""
_THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)
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
    """Everything that a page shows of runs, the one to open with first, fit for JSON."""
    from bench.show.style import PALETTE, subjects

    axes = {name: Kept() for name in ("cases", "texts", "shades", "failures", "lists", "columns")}
    places = {
        "subject": Kept(subjects(runs)),
        "operation": Kept(OPERATIONS),
        "format": Kept(formats(runs)),
    }
    measured = [_run(run, places, axes) for run in runs]
    shown = [run | {"errors": _shared(run["errors"], axes["columns"])} for run in measured]
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
        "lists": axes["lists"].values(),
        "columns": axes["columns"].values(),
        "scale": _scale(),
        "thresholds": SURVIVAL_THRESHOLDS,
        "headline": {
            "operations": len(operations(runs)),
            "columns": HEADLINE_COLUMNS,
            "any": OPERATIONS.index("log_softmax"),
        },
        "plots": {
            kind: dict(zip(("title", "x", "y", "how"), texts, strict=True))
            for kind, texts in PLOTS.items()
            if any(_has(run, kind) for run in measured)
        },
        "runs": shown,
    }


def _shared(columns: Mapping[str, Sequence[Any] | None], kept: Kept) -> dict[str, int]:
    """The place of each column: NumPy versions that give the same bits have most in common."""
    return {
        name: kept.place(None if column is None else tuple(column))
        for name, column in columns.items()
    }


def _has(run: Mapping[str, Any], kind: str) -> bool:
    """Whether there is anything to draw of a run."""
    errors = run["errors"]
    return {
        "error-against-time": bool(run["speed"]["rows"]),
        "time-against-k": bool(run["speed"]["rows"]),
        "survival": errors["survival"] is not None,
        "error-against-k": errors["widths"] is not None,
        "errors-against-bounds": errors["claim_ratio"] is not None,
    }[kind]


def _run(run: Run, places: Mapping[str, Kept], axes: Mapping[str, Kept]) -> dict[str, Any]:
    return {
        "label": run.label,
        "effort": run.effort,
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
    columns["elements"] = [0 if math.isnan(r["elements"]) else int(r["elements"]) for r in records]
    columns["survival"] = _where_any([tuple(r["survival"]) for r in records], axes["lists"])
    columns["widths"] = _where_any(list(map(_by_eight, records)), axes["lists"])
    columns["case"] = [axes["cases"].place((r["case"], r["family"])) for r in records]
    for record in records:
        for name, value in _cell(record, axes).items():
            columns.setdefault(name, []).append(value)
    return columns


def _where_any(lists: Sequence[tuple[Any, ...]], kept: Kept) -> list[int] | None:
    """The place of each, empty ones as None; None for a column of nothing else."""
    return [kept.place(one or None) for one in lists] if any(lists) else None


def _by_eight(record: Mapping[Any, Any]) -> tuple[tuple[int, Any], ...]:
    """The largest error of eight neighbouring lengths at a time, None where a row failed.

    Of the cases that are there for their lengths; those of others are rows of other kinds.
    """
    widths = record["max_ulp_by_width"] if record["case"].startswith("widths") else []
    parts = [widths[i : i + 8] for i in range(0, len(widths), 8)]
    found = [(part[0][0], [error for _, error in part if error is not None]) for part in parts]
    return tuple(
        (first, _short(max(errors)) if len(errors) == len(part) else None)
        for (first, errors), part in zip(found, parts, strict=True)
    )


def _named(records: Sequence[Mapping[Any, Any]], places: Mapping[str, Kept]) -> dict[str, Any]:
    return {name: [kept.place(r[name]) for r in records] for name, kept in places.items()}


def _scale() -> list[tuple[str, str, str]]:
    """Some errors with their colours, as a legend: text, background, ink."""
    nothing = dict.fromkeys(KINDS, 0) | {"outcome": "measured"}
    return [_coloured(nothing | {"max_ulp": ulp}) for ulp in (0.5, 5, 50, 1e3, 1e5, 1e7)]


def _coloured(record: Mapping[Any, Any]) -> tuple[str, str, str]:
    from bench.show.style import heat_cell

    colour, text, ink = heat_cell(record)
    return text, _hex(colour), ink


@cache
def _hex(colour: tuple[float, float, float]) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)


def _cell(record: Mapping[Any, Any], axes: Mapping[str, Kept]) -> dict[str, Any]:
    """What the map of errors shows of a record, and what its witness says."""
    text, *shade = _coloured(record)
    failures = tuple(0 if math.isnan(record[name]) else int(record[name]) for name in KINDS)
    return {
        "failures": axes["failures"].place(failures),
        "shade": axes["shades"].place(tuple(shade)),
        "text": axes["texts"].place(text),
        "worst": axes["lists"].place(_worst(record, axes["texts"])),
    }


def _worst(record: Mapping[Any, Any], texts: Kept) -> tuple[Any, ...] | int:
    """The place of an output, and the parts of its script; or why there is none.

    Runs of the same bits share it."""
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
    place = (kept[name] for name in ("batch", "row", "column", "width"))
    return (*place, *map(texts.place, parts))


def _speed(table: pd.DataFrame, places: Mapping[str, Kept]) -> dict[str, Any]:
    records: list[dict[Any, Any]] = table.to_dict("records")
    counts = {name: [int(r[name]) for r in records] for name in ("rows", "columns", "rounds")}
    times = {name: _figures(table[name]) for name in _TIMES}
    return _named(records, places) | counts | times


def _figures(column: pd.Series[Any]) -> list[float | int | None] | None:
    """None for what was not measured; None for a column that holds nothing."""
    shown = [None if math.isnan(value) else _short(value) for value in column.astype(float)]
    return shown if any(value is not None for value in shown) else None


@cache
def _short(value: float) -> float | int:
    """Four digits, or more where a browser, or Python, would make other three of them than of all.

    >>> _short(1234567.0), _short(499.4887), _short(2.125)
    (1234600, 499.49, 2.12)
    """
    if 0.9999 < value < 1:
        return 0.9999  # below its bound stays below it
    shown = float(f"{value:.3g}")
    several = (float(f"{value:.{digits}g}") for digits in (4, 5, 6, 8))
    alike = (one for one in several if _as_in_a_browser(one) == shown == float(f"{one:.3g}"))
    rounded = next(alike, shown)
    rounded = min(rounded, sys.float_info.max)  # the largest rounds up
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded


def _as_in_a_browser(value: float) -> float:
    """Three digits, ties up."""
    return float(_THREE_DIGITS.create_decimal_from_float(value))
