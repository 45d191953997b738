"""Diffs as text, Markdown, CSV and JSON. Formats figures; decides nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from bench.judge.diff import BETTER, WORSE, Condition, Diff, environment_changes
from bench.runs import run_file
from bench.runs.files import to_json
from bench.show.markdown import TITLES, figure, markdown

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {"failures": "failing", "error, ulp": "error", "time, ns per element": "time"}
_HEADERS = ["what", "operation", "format", "subject", "case or shape", "before", "after", "ratio"]


def as_table(diffs: Sequence[Diff], limit: int) -> str:
    """Plain text: what got worse, what got better, what was not compared; `limit` of a kind."""
    return "\n\n".join(_page(found, limit, "{}", _plain) for found in diffs)


def as_markdown(diffs: Sequence[Diff], limit: int) -> str:
    """The same as Markdown, safe for names from a foreign file."""
    return "\n\n".join(_page(found, limit, "## {}", _pipe) for found in diffs) + "\n"


def as_csv(diffs: Sequence[Diff], limit: int) -> str:
    """Every cell of every diff, all digits; `limit` is not needed."""
    import pandas as pd

    parts = [
        table.assign(before=found.before.label, after=found.after.label)
        for found in diffs
        for table in (found.accuracy, found.time)
        if len(table)
    ]
    names = ["before", "after", "subject", "operation", "case", "format", "rows", "columns"]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=names)
    columns = [name for name in names if name in table]
    whole = {name: "Int64" for name in ("rows", "columns") if name in table}
    text: str = table[[*columns, *table.columns.drop(columns)]].astype(whole).to_csv(index=False)
    return text.rstrip("\n")


def as_json(diffs: Sequence[Diff], limit: int) -> str:
    """A list of diffs with every cell; what JSON cannot say is null or the string "inf"."""
    content = [
        {
            "before": _named(found.before),
            "after": _named(found.after),
            "environment": [list(change) for change in environment_changes(*_ends(found))],
            "left_out": list(found.left_out),
            "accuracy": _rows(found.accuracy),
            "time": _rows(found.time),
        }
        for found in diffs
    ]
    return to_json({"diffs": content}).rstrip("\n")


FORMATS: dict[str, Callable[[Sequence[Diff], int], str]] = {
    "table": as_table,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}


def complaint(found: Diff, condition: Condition, cells: pd.DataFrame) -> list[str]:
    """Lines that name the cells in which a condition of --fail-on does not hold."""
    kind = {"max_ulp": "error", "failures": "failing", "time": "time"}.get(condition.quantity)
    lines = [
        f"  {_cell_name(cell)}" + (f": {_change(cell, kind)}" if kind else "")
        for cell in cells.to_dict("records")
    ]
    return [f"{condition.text}: {len(cells)} cells of {found.after.label}", *lines]


def counts(found: Diff) -> list[list[str]]:
    """What was compared, worse, better, same: a row for each quantity."""
    rows = []
    for name, verdict in (
        ("largest ulp error", "error"),
        ("failures", "failing"),
        ("time", "time"),
    ):
        table = found.time if verdict == "time" else found.accuracy
        worse, better = ((table[verdict] == kind).sum() for kind in (WORSE, BETTER))
        same = len(table) - worse - better
        rows.append([name, *(f"{n:,}" for n in (len(table), worse, better, same))])
    bits = found.accuracy["bits_equal"].dropna()
    rows.append(["bits", f"{len(bits):,}", f"{(~bits.astype(bool)).sum():,} differ", "", ""])
    rows[-1][-1] = f"{bits.astype(bool).sum():,}"
    return rows


def spread(found: Diff) -> str:
    """How far times moved altogether: what an A/A diff calls noise."""
    if found.time.empty:
        return ""
    effect = found.time["effect"]
    within = float(effect.where(effect > 1, 1 / effect).quantile(0.95))
    return (
        f"Times: median ratio {found.time['ratio'].median():.3g}; "
        f"95 % changed by less than {within:.3g}x."
    )


# --- Pages ---------------------------------------------------------------------------------------

_Grid = Callable[[Sequence[str], Sequence[Sequence[str]], int], str]


def _plain(headers: Sequence[str], rows: Sequence[Sequence[str]], text: int) -> str:
    alignment = ["left"] * text + ["right"] * (len(headers) - text)
    return tabulate(
        rows, headers, tablefmt="simple", colalign=alignment, disable_numparse=True
    ).rstrip()


def _pipe(headers: Sequence[str], rows: Sequence[Sequence[str]], text: int) -> str:
    return markdown(headers, [[escaped(cell) for cell in row] for row in rows], text)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for sign, instead in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("[", "\\[")):
        text = text.replace(sign, instead)
    return text


def _page(found: Diff, limit: int, heading: str, grid: _Grid) -> str:
    clean = escaped if grid is _pipe else str
    before, after = _ends(found)
    changes = environment_changes(before, after)
    parts = [heading.format(f"{before.label} (before) and {after.label} (after)")]
    parts += ["\n".join(f"- {clean(f'{name}: {a} -> {b}')}" for name, a, b in changes)]
    parts += [grid(["", "compared", "worse", "better", "same"], counts(found), 1), spread(found)]
    for title, verdict in (("Worse", WORSE), ("Better", BETTER)):
        rows = _changed(found, verdict, limit)
        if rows:
            parts += [heading.format(title), grid(_HEADERS, rows, 5)]
    left_out = [clean(line) for line in _shortened(found.left_out, limit)]
    if left_out:
        parts += [heading.format("Not compared"), "\n".join(f"- {line}" for line in left_out)]
    return "\n\n".join(part for part in parts if part)


def _shortened(lines: Sequence[str], limit: int) -> list[str]:
    rest = len(lines) - limit if limit else 0
    return [*lines[:limit], f"and {rest} more"] if rest > 0 else list(lines)


def _changed(found: Diff, verdict: str, limit: int) -> list[list[str]]:
    """The cells with a verdict, the largest change of a kind first, at most `limit` of a kind."""
    rows = []
    for name, kind in _KINDS.items():
        table = found.time if kind == "time" else found.accuracy
        cells = [cell for cell in table.to_dict("records") if cell[kind] == verdict]
        cells.sort(key=lambda cell, kind=kind: -abs(math.log(_ratio(cell, kind))))  # type: ignore[misc]
        for cell in cells[: limit or None]:
            rows.append([name, *_place(cell), *_figures(cell, kind)])
        if limit and len(cells) > limit:
            rows.append([name, f"and {len(cells) - limit} more", *[""] * (len(_HEADERS) - 2)])
    return rows


def _place(cell: dict[Any, Any]) -> list[str]:
    where = cell["case"] if "case" in cell else f"{cell['rows']}x{cell['columns']}"
    return [
        TITLES.get(cell["operation"], cell["operation"]),
        cell["format"],
        cell["subject"],
        where,
    ]


def _cell_name(cell: dict[Any, Any]) -> str:
    where = cell["case"] if "case" in cell else f"{cell['rows']}x{cell['columns']}"
    return f"{cell['subject']} {cell['operation']} {cell['format']}, {where}"


_SOURCES = {
    "error": ("max_ulp_before", "max_ulp_after"),
    "failing": ("failures_before", "failures_after"),
    "time": ("ns_before", "ns_after"),
}


def _ratio(cell: dict[Any, Any], kind: str) -> float:
    """After over before, never 0 or infinite, so that it can be sorted by."""
    before, after = (min(max(cell[name], 1e-9), 1e300) for name in _SOURCES[kind])
    return float(after / before)


def _figures(cell: dict[Any, Any], kind: str) -> list[str]:
    before, after = (cell[name] for name in _SOURCES[kind])
    shown = ["raised" if math.isinf(value) else figure(value) for value in (before, after)]
    return [*shown, f"{figure(after / before)}x" if before and math.isfinite(after) else "-"]


def _change(cell: dict[Any, Any], kind: str) -> str:
    before, after, ratio = _figures(cell, kind)
    unit = {"error": " ulp", "failing": " failures", "time": " ns per element"}[kind]
    return f"{before} -> {after}{unit}" + (f" ({ratio})" if ratio != "-" else "")


def _ends(found: Diff) -> tuple[run_file.Run, run_file.Run]:
    return found.before, found.after


def _named(run: run_file.Run) -> dict[str, str]:
    return {"label": run.label, "file": run.path, "sha256": run.sha256, "machine": run.machine}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _jsonable(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
