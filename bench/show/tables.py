"""Records and lab results as Markdown. Formats figures; computes nothing but maxima."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numerics import FORMATS, METHODS, OPERATIONS, Method

if TYPE_CHECKING:
    import pandas as pd

    from bench.lab.comparison import Comparison, Divergence
    from bench.runs.run_file import Run

TITLES = {
    "softmax": "softmax",
    "log_softmax": "log-softmax",
    "log_sum_exp": "log-sum-exp",
    "cross_entropy": "cross-entropy",
}
HEADLINE_COLUMNS = 600
"""Row length at which the headline table and plot give the time."""


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> str:
    """A Markdown table: the first `text` columns to the left, the others to the right."""
    from tabulate import tabulate

    alignment = ["left"] * text + ["right"] * (len(headers) - text)
    return tabulate(
        rows, headers, tablefmt="pipe", colalign=alignment if rows else None, disable_numparse=True
    )


def ratio(value: float) -> str:
    """A ratio to a bound: three digits, but never 1 for what is below it.

    >>> [ratio(x) for x in (0.5, 0.99971, 1.0, 1.3)]
    ['0.5', '>0.999', '1', '1.3']
    """
    return ">0.999" if 0.9995 <= value < 1 else figure(value)


def figure(value: float) -> str:
    """Three significant digits, with k, M, G, T beyond a thousand; - for what was not measured.

    >>> [figure(x) for x in (0.5, 15_600_000.0, 123.4, 999.9, 0.0, 2e30)]
    ['0.5', '15.6M', '123', '1k', '0', '2e30']
    """
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 999.5:
        return f"{value:.3g}"
    for power, suffix in ((3, "k"), (6, "M"), (9, "G"), (12, "T")):
        if 999.5 <= abs(value) < 9.995 * 10 ** (power + 2):
            return f"{value / 10**power:.3g}{suffix}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


# --- The lab -------------------------------------------------------------------------------------


def predictions(predicted: dict[str, Any]) -> str:
    """One row for each case, the three formats side by side where they differ."""

    def cell(table: dict[str, Any], name: str) -> str:
        values = [table[format_name][name] for format_name in FORMATS]
        return values[0] if len(set(values)) == 1 else " / ".join(values)

    authors = {"lab": "the lab", "ours": "us"}
    rows = [
        [case, authors[table["by"]]]
        + [cell(table, name) for name in ("naive_nan", "stable_nan", "cross_entropy")]
        for case, table in predicted.items()
    ]
    headers = ["case", "predicted by", "naive NaN?", "stable NaN?", "cross-entropy, label 1"]
    return markdown(headers, rows, text=2)


def lab_results(comparisons: Sequence[Comparison]) -> str:
    """One row for each case and format."""
    rows = []
    for c in comparisons:
        valid = [d for d in c.relative_difference if not math.isnan(d)]
        rows.append(
            [c.case, c.format]
            + ["**NaN**" if outcome.has_nan else "no" for outcome in (c.naive, c.stable)]
            + [_digits(outcome.sum, 8) for outcome in (c.naive, c.stable)]
            + [_digits(outcome.largest, 4) for outcome in (c.naive, c.stable)]
            + [figure(max(valid, default=math.nan))]
            + [_loss(outcome.cross_entropy) for outcome in (c.naive, c.stable)]
        )
    headers = ["case", "format", "NaN, naive", "NaN, stable", "sum, naive", "sum, stable"]
    headers += ["max, naive", "max, stable", "rel. diff.", "CE, naive", "CE, stable"]
    return markdown(headers, rows, text=2)


def divergences(comparisons: Sequence[Comparison], explained: Sequence[Divergence]) -> str:
    """Prediction against reality, with the reason for each divergence."""
    from bench.lab.comparison import reality

    actual = {(c.case, c.format): reality(c) for c in comparisons}
    names = {
        "naive_nan": "naive NaN?",
        "stable_nan": "stable NaN?",
        "cross_entropy": "cross-entropy",
    }
    rows = []
    for entry in explained:
        found = [actual[entry.case, name][entry.figure] for name in entry.formats]
        shown = [_digits(float(v), 4) if _is_float(v) else v for v in found]
        rows.append(
            [
                entry.case,
                ", ".join(entry.formats),
                names[entry.figure],
                entry.predicted,
                shown[0] if len(set(shown)) == 1 else " / ".join(shown),
                entry.because,
            ]
        )
    headers = ["case", "format", "figure", "predicted", "reality", "because"]
    return markdown(headers, rows, text=6)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _digits(value: float, digits: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:.{digits}g}"


def _loss(value: float | str) -> str:
    return "IndexError" if isinstance(value, str) else _digits(value, 4)


# --- Runs ----------------------------------------------------------------------------------------


def provenance(run: Run) -> str:
    """One line on where figures come from."""
    environment = run.environment
    return (
        f"{run.label}, Python {environment.get('python')}, {run.cpu}, "
        f"{environment.get('libc')}, effort {run.effort}, commit {run.commit}, {run.datetime[:10]}"
    )


def headline(run: Run) -> str:
    """One row for each subject and format: largest ulp errors, failures, bound, time."""
    return markdown(*headline_rows(run), text=2)


def headline_rows(run: Run) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the headline, as text."""
    accuracy = run.accuracy
    rows = []
    for subject in accuracy["subject"].unique():
        for format_name in FORMATS:
            cell = accuracy[(accuracy["subject"] == subject) & (accuracy["format"] == format_name)]
            if cell.empty:
                continue
            ordinary = cell[cell["family"] == "random"]
            rows.append(
                [subject, format_name]
                + [_worst(ordinary, operation) for operation in OPERATIONS]
                + [_worst(cell, "log_softmax")]
                + [f"{int(cell['failures'].sum()):,} of {int(cell['elements'].sum()):,}"]
                + [ratio(cell["claim_ratio"].max())]
                + [_time(run.throughput, subject, format_name)]
            )
    headers = ["method", "format", *TITLES.values(), "log-softmax, any case", "failures"]
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
        for format_name in FORMATS:
            cells = run.accuracy[
                (run.accuracy["subject"] == subject) & (run.accuracy["format"] == format_name)
            ]
            if cells.empty:
                continue
            shown = []
            for operation in OPERATIONS:
                cell = cells[cells["operation"] == operation]
                if cell.empty:
                    shown.append("not offered")
                    continue
                error = cell.loc[cell["family"] == "random", "max_ulp"].max()
                shown.append(f"{figure(error)} ({ratio(cell['claim_ratio'].max())})")
            rows.append([subject, format_name, *shown])
    return markdown(["method", "format", *TITLES.values()], rows, text=2)


def exhaustive(run: Run) -> str:
    """Largest and mean ulp error and failures on every row [x, 0] of fp16."""
    table = run.accuracy[run.accuracy["family"] == "exhaustive"]
    rows = []
    for subject in table["subject"].unique():
        mine = table[table["subject"] == subject].set_index("operation")
        rows.append(
            [subject]
            + [
                f"{figure(mine['max_ulp'][op])} ({figure(mine['mean_ulp'][op])})"
                if op in mine.index
                else "not offered"
                for op in OPERATIONS
            ]
            + [str(int(mine["failures"].sum()))]
        )
    return markdown(["method", *TITLES.values(), "failures"], rows)


def misrounded_of(run: Run) -> str:
    """`misrounded`, for `exact` and the other libraries in a run."""
    kept = run.accuracy[~run.accuracy["subject"].isin(METHODS.keys() - {"exact"})]
    keys = ["subject", "operation", "format"]
    summed = kept.groupby(keys, sort=False)[["misrounded", "elements"]].sum()
    counts = {at: (int(wrong), int(outputs)) for at, wrong, outputs in summed.itertuples()}
    return misrounded(counts, OPERATIONS[:2])


def misrounded(counts: Mapping[tuple[str, ...], tuple[int, int]], operations: Sequence[str]) -> str:
    """How many outputs are not the nearest number, of all, by subject, operation and format."""
    subjects = list(dict.fromkeys(subject for subject, _, _ in counts))
    rows = []
    for operation in operations:
        for name in FORMATS:
            found = [counts.get((subject, operation, name)) for subject in subjects]
            shown = [f"{of[0]:,} of {of[1]:,}" if of else "not offered" for of in found]
            rows.append([TITLES[operation], name, *shown])
    return markdown(["operation", "format", *subjects], rows, text=2)


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
    times: Any = run.throughput[
        (run.throughput["operation"] == "softmax") & (run.throughput["columns"] == HEADLINE_COLUMNS)
    ].pivot_table(index="subject", columns="format", values="ns_per_element")
    rows = [
        [f"[`{m.name}`](../{_place(m)})", m.summary, m.source]
        + [
            figure(times.loc[m.name, name] / times.loc["stable", name])
            if name in m.formats
            else "not offered"
            for name in FORMATS
        ]
        for m in METHODS.values()
    ]
    return markdown(["method", "idea", "source", *FORMATS], rows, text=3)


def _place(method: Method) -> str:
    """Where a method stands: a module, or a package."""
    module = method.softmax.__module__.replace(".", "/")
    package = hasattr(sys.modules[method.softmax.__module__], "__path__")
    return module if package else f"{module}.py"


def accuracy_by_case(run: Run) -> str:
    """For each operation, largest ulp error of each case by subject and format, failures marked."""
    parts = []
    subjects = list(run.accuracy["subject"].unique())
    for operation in OPERATIONS:
        table = run.accuracy[run.accuracy["operation"] == operation]
        cells = {
            (row["case"], row["format"], row["subject"]): error_cell(row)
            for _, row in table.iterrows()
        }
        columns = [(name, subject) for name in FORMATS for subject in subjects]
        rows = [
            [case] + [cells.get((case, *column), "not offered") for column in columns]
            for case in table["case"].unique()
        ]
        headers = ["case"] + [f"{subject}, {name}" for name, subject in columns]
        parts.append(f"### {TITLES[operation]}\n\n{markdown(headers, rows)}")
    return "\n\n".join(parts)


def error_cell(row: pd.Series[Any]) -> str:
    """Largest ulp error of a record; with failures, their kind and number."""
    if row["outcome"] != "measured":
        return str(row["outcome"])
    kinds = {"nan_failures": "NaN", "infinity_failures": "inf", "missed_special": "special"}
    kinds["lost_to_zero"] = "lost"
    failures = [f"{int(row[k])} {name}" for k, name in kinds.items() if row[k]]
    return ", ".join([figure(row["max_ulp"]), *failures])


def throughput_by_shape(run: Run) -> str:
    """For each operation and format, median ns per element by K."""
    keys = ["operation", "format", "subject"]
    table: Any = run.throughput.pivot_table(index=keys, columns="columns", values="ns_per_element")
    rows = [
        [TITLES[operation], format_name, subject]
        + [figure(v) for v in table.loc[(operation, format_name, subject)]]
        for operation in OPERATIONS
        for format_name in FORMATS
        for subject in run.throughput["subject"].unique()
        if (operation, format_name, subject) in table.index
    ]
    return markdown([*keys, *(f"K = {k}" for k in table.columns)], rows, text=3)


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
    """Every table of a report, as one Markdown document."""
    parts = ["# Measured", "Generated by `python -m bench report`; not edited by hand."]
    parts.append("\n".join(f"- {provenance(run)}" for run in runs))
    if len(runs) > 1:
        parts += ["## Runs side by side: largest ulp error of ordinary cases", runs_compared(runs)]
    for run in runs:
        parts += [
            f"## {run.label}",
            "Largest ulp errors: sampled, so lower bounds of the true maxima. Times: medians, on "
            "one machine; compare ratios of one run only.",
            headline(run),
            accuracy_by_case(run),
            f"### Same bits?\n\n{invariances(run)}" if len(run.invariance) else "",
            f"### ns per element\n\n{throughput_by_shape(run)}" if len(run.throughput) else "",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"
