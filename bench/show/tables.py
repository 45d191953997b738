"""Runs as Markdown. Formats figures; computes nothing but maxima."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.runs.run_file import formats, operations
from bench.show.markdown import HEADLINE_COLUMNS, TITLES, figure, markdown, ratio
from numerics import ALL_FORMATS, METHODS, Method

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run


def provenance(run: Run) -> str:
    """One line on where figures come from."""
    environment = run.environment
    return (
        f"{run.label}, Python {environment.get('python')}, {run.cpu}, "
        f"{environment.get('libc')}, effort {run.effort}, commit {run.commit}, {run.datetime[:10]}"
    )


def efforts(runs: Sequence[Run]) -> str:
    """The effort of all runs, or that of each where they differ."""
    if len({run.effort for run in runs}) == 1:
        return f"effort {runs[0].effort}"
    return f"effort {', '.join(f'{run.effort} ({run.label})' for run in runs)}"


def _titles(run: Run) -> list[str]:
    return [TITLES[operation] for operation in operations([run])]


def headline(run: Run) -> str:
    """One row for each subject and format: largest ulp errors, failures, bound, time."""
    return markdown(*headline_rows(run, operations([run])), text=2)


def headline_rows(run: Run, shown: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the headline for some operations, as text."""
    seen = ["subject", "operation", "format", "family", "max_ulp", "failures", "elements"]
    accuracy = run.accuracy[[*seen, "claim_ratio"]]
    rows = []
    for subject in accuracy["subject"].unique():
        for format_name in ALL_FORMATS:
            cell = accuracy[(accuracy["subject"] == subject) & (accuracy["format"] == format_name)]
            if cell.empty:
                continue
            ordinary = cell[cell["family"] == "random"]
            rows.append(
                [subject, format_name]
                + [_worst(ordinary, operation) for operation in shown]
                + [_worst(cell, "log_softmax")]
                + [f"{int(cell['failures'].sum()):,} of {int(cell['elements'].sum()):,}"]
                + [ratio(cell["claim_ratio"].max())]
                + [_time(run.throughput, subject, format_name)]
            )
    titles = [TITLES[operation] for operation in shown]
    headers = ["method", "format", *titles, "log-softmax, any case", "failures"]
    headers += ["measured / bound", f"ns per element, softmax, K = {HEADLINE_COLUMNS}"]
    return headers, rows


def _worst(cell: pd.DataFrame, operation: str) -> str:
    mine = cell[cell["operation"] == operation]
    return "not offered" if mine.empty else figure(mine["max_ulp"].max())


def _time(throughput: pd.DataFrame, subject: str, format_name: str) -> str:
    chosen = throughput[
        (throughput["subject"] == subject)
        & (throughput["format"] == format_name)
        & (throughput["operation"] == "softmax")
        & (throughput["columns"] == HEADLINE_COLUMNS)
    ]
    return figure(chosen["ns_per_element"].median())


def errors_by_method(run: Run) -> str:
    """For each subject and format: largest ulp error of ordinary cases, and how near its bound.

    Each cell is "measured (nearest measured / bound of any case)".
    """
    rows = []
    for subject in run.accuracy["subject"].unique():
        for format_name in ALL_FORMATS:
            cells = run.accuracy[
                (run.accuracy["subject"] == subject) & (run.accuracy["format"] == format_name)
            ]
            if cells.empty:
                continue
            shown = []
            for operation in operations([run]):
                cell = cells[cells["operation"] == operation]
                if cell.empty:
                    shown.append("not offered")
                    continue
                error = cell.loc[cell["family"] == "random", "max_ulp"].max()
                shown.append(f"{figure(error)} ({ratio(cell['claim_ratio'].max())})")
            rows.append([subject, format_name, *shown])
    return markdown(["method", "format", *_titles(run)], rows, text=2)


def exhaustive(run: Run) -> str:
    """Largest and mean ulp error and failures on every row [x, 0] of the formats of 16 bits."""
    table = run.accuracy[run.accuracy["family"] == "exhaustive"]
    rows = []
    for (subject, format_name), cells in table.groupby(["subject", "format"], sort=False):
        mine = cells.set_index("operation")
        rows.append(
            [str(subject), str(format_name)]
            + [
                f"{figure(mine['max_ulp'][op])} ({figure(mine['mean_ulp'][op])})"
                if op in mine.index
                else "not offered"
                for op in operations([run])
            ]
            + [str(int(mine["failures"].sum()))]
        )
    return markdown(["method", "format", *_titles(run), "failures"], rows, text=2)


def invariances(run: Run) -> str:
    """For each subject and format: do the bits stay the same, by check."""
    table = run.invariance
    checks = list(table["check"].unique())
    rows = []
    for (subject, format_name), cells in table.groupby(["subject", "format"], sort=False):
        by_check = cells.set_index("check")
        share = by_check["differing"] / by_check["outputs"]
        shown = [
            "not offered"
            if c not in share
            else "raised"
            if by_check["message"][c]
            else f"{100 * share[c]:.2g} % differ"
            if share[c]
            else "same"
            for c in checks
        ]
        rows.append([str(subject), str(format_name), *shown])
    return markdown(["method", "format", *checks], rows, text=2)


def methods(run: Run) -> str:
    """Name, idea and source of every method, and its time next to that of `stable`."""
    shown = formats([run])
    times: Any = run.throughput[
        (run.throughput["operation"] == "softmax") & (run.throughput["columns"] == HEADLINE_COLUMNS)
    ].pivot_table(index="subject", columns="format", values="ns_per_element")
    rows = [
        [f"[`{m.name}`](../{_place(m)})", m.summary, m.source]
        + [
            figure(times.loc[m.name, name] / times.loc["stable", name])
            if name in m.formats
            else "not offered"
            for name in shown
        ]
        for m in METHODS.values()
    ]
    return markdown(["method", "idea", "source", *shown], rows, text=3)


def _place(method: Method) -> str:
    """Where a method stands: a module, or a package."""
    module = method.softmax.__module__.replace(".", "/")
    package = hasattr(sys.modules[method.softmax.__module__], "__path__")
    return module if package else f"{module}.py"


def accuracy_by_case(run: Run) -> str:
    """For each operation, largest ulp error of each case by subject and format, failures marked."""
    parts = []
    subjects = list(run.accuracy["subject"].unique())
    for operation in operations([run]):
        table = run.accuracy[run.accuracy["operation"] == operation]
        cells = {
            (row["case"], row["format"], row["subject"]): error_cell(row)
            for row in table[["case", "format", "subject", *CELL]].to_dict("records")
        }
        columns = [(name, subject) for name in formats([run]) for subject in subjects]
        rows = [
            [case] + [cells.get((case, *column), "not offered") for column in columns]
            for case in table["case"].unique()
        ]
        headers = ["case"] + [f"{subject}, {name}" for name, subject in columns]
        parts.append(f"### {TITLES[operation]}, effort {run.effort}\n\n{markdown(headers, rows)}")
    return "\n\n".join(parts)


KINDS = {"nan_failures": "NaN", "infinity_failures": "inf", "missed_special": "special"}
KINDS |= {"lost_to_zero": "lost"}
CELL = ("outcome", "max_ulp", *KINDS)
"""What a cell shows of a record."""


def error_cell(row: Mapping[Any, Any]) -> str:
    """Largest ulp error of a record; with failures, their kind and number."""
    if row["outcome"] != "measured":
        return str(row["outcome"])
    failures = [f"{int(row[k])} {name}" for k, name in KINDS.items() if row[k]]
    return ", ".join([figure(row["max_ulp"]), *failures])


def throughput_by_shape(run: Run) -> str:
    """For each operation and format, median ns per element by K."""
    keys = ["operation", "format", "subject"]
    table: Any = run.throughput.pivot_table(index=keys, columns="columns", values="ns_per_element")
    rows = [
        [TITLES[operation], format_name, subject]
        + [figure(v) for v in table.loc[(operation, format_name, subject)]]
        for operation in operations([run])
        for format_name in ALL_FORMATS
        for subject in run.throughput["subject"].unique()
        if (operation, format_name, subject) in table.index
    ]
    return markdown([*keys, *(f"K = {k}" for k in table.columns)], rows, text=3)


def times_in(run: Run, format_name: str, other: str) -> str:
    """Time in a format over that in another, by method and operation: geometric mean over K."""
    keys = ["subject", "operation"]
    by_format: Any = run.throughput.pivot_table(
        index=[*keys, "columns"], columns="format", values="ns_per_element"
    )
    both = by_format.reindex(columns=[format_name, other])
    ratios = (both[format_name] / both[other]).dropna()
    means: dict[Any, float] = ratios.groupby(keys).agg(statistics.geometric_mean).to_dict()
    rows = [
        [subject, *(figure(means.get((subject, op), math.nan)) for op in operations([run]))]
        for subject in dict.fromkeys(subject for subject, _ in means)
    ]
    return markdown(["method", *_titles(run)], rows)


def runs_compared(runs: Sequence[Run]) -> str:
    """Largest ulp error of ordinary cases by run, oldest first, over the cells that all share."""
    from bench.runs.run_file import shared

    tables = [run.accuracy for run in shared(runs)]
    ordinary = [table[table["family"] == "random"] for table in tables]
    keys = ["operation", "format", "subject"]
    worst = [table.groupby(keys, sort=False)["max_ulp"].max() for table in ordinary]
    rows = [
        [TITLES[operation], format_name, subject]
        + [figure(w.get((operation, format_name, subject), math.nan)) for w in worst]
        for operation, format_name, subject in worst[-1].index
    ]
    table = markdown([*keys, *(run.label for run in runs)], rows, text=3)
    left_out = [
        f"{len(run.accuracy) - len(kept)} of {run.label}"
        for run, kept in zip(runs, tables, strict=True)
        if len(run.accuracy) > len(kept)
    ]
    note = f"Not compared, since not every run has the same input: {', '.join(left_out)} records."
    return f"{table}\n\n{note}" if left_out else table


def page(runs: Sequence[Run]) -> str:
    """Every table of a report as one Markdown document, the run that was asked for first."""
    parts = ["# Measured", "Generated by `python -m bench report`; not edited by hand."]
    newest_first = runs[::-1]
    parts.append("\n".join(f"- {provenance(run)}" for run in newest_first))
    if len(runs) > 1:
        parts.append(f"## Runs side by side, {efforts(runs)}: largest ulp error of ordinary cases")
        parts.append(runs_compared(newest_first if len(runs) == 2 else runs))
    for run in newest_first:
        parts += [
            f"## {run.label}, effort {run.effort}",
            "Largest ulp errors: sampled, so lower bounds of the true maxima. Times: medians, on "
            "one machine; compare ratios of one run only.",
            headline(run),
            accuracy_by_case(run),
            f"### Same bits? Effort {run.effort}\n\n{invariances(run)}"
            if len(run.invariance)
            else "",
            f"### ns per element, effort {run.effort}\n\n{throughput_by_shape(run)}"
            if len(run.throughput)
            else "",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"
