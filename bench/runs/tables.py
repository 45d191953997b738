"""Records, benchmarks and invariances of a file as checked tables.

pandas is imported by what makes tables alone: an environment that measures needs none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.runs.fields import is_count, is_figure, is_text, is_width, unknown
from bench.runs.files import RunFileError
from bench.runs.records import SURVIVAL_THRESHOLDS

if TYPE_CHECKING:
    import pandas as pd

_TEXT = ("subject", "operation", "case", "family", "format", "outcome", "message", "input_sha256")
_FAILURES = ("nan_failures", "infinity_failures", "lost_to_zero", "missed_special")
_ERRORS = ("max_ulp", "mean_ulp", "p99_ulp", "max_relative", "normwise_relative", "max_absolute")
_CLAIM = ("claim_ratio", "claim_ulp", "claim_bound_ulp", "claim_claimed", "claim_broken")
_FIGURES = ("elements", *_FAILURES, *_ERRORS, "sum_defect", *_CLAIM, "misrounded")
_ABSENT: dict[str, Any] = {"survival": [], "max_ulp_by_width": [], "output_sha256": ""}
"""What a file may lack, with what stands for it."""
_TIMES = ("ns_per_element", "iqr_ns_per_element")
_SHAPE = ("subject", "operation", "format", "rows", "columns")


def accuracy_table(path: Path, records: list[Any]) -> pd.DataFrame:
    """One row for each record; a RunFileError names the first that is none."""
    import pandas as pd

    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise RunFileError(f"{path}: record {index} is not an object")
        if wrong := _wrong_in_record(record):
            raise RunFileError(f"{path}: record {index} has no valid `{wrong[0]}`")
    columns = [*_TEXT, *_FIGURES, "flags", *_ABSENT, "worst"]
    table = pd.DataFrame([_ABSENT | record for record in records], columns=columns)
    _refuse_twins(path, table, ["subject", "operation", "case", "format"])
    table[list(_FIGURES)] = table[list(_FIGURES)].astype("float64")
    failures, measured = list(_FAILURES), table["outcome"] == "measured"
    table.loc[measured, failures] = table.loc[measured, failures].fillna(0)  # a brief run drops 0
    table["failures"] = table[failures].sum(axis=1)
    return table


def _wrong_in_record(record: dict[str, Any]) -> list[str]:
    """The fields of a record that are not what they must be."""
    wrong = [name for name in _TEXT if not is_text(record.get(name))] + unknown(record)
    wrong += [name for name in _FIGURES if not is_figure(record.get(name))]
    full = _ABSENT | record
    if not _is_list(full["survival"], is_count) or len(full["survival"]) > len(SURVIVAL_THRESHOLDS):
        wrong.append("survival")
    if not _is_list(full["max_ulp_by_width"], is_width):
        wrong.append("max_ulp_by_width")
    bits = full["output_sha256"]
    if not isinstance(bits, str) or not re.fullmatch("[0-9a-f]{0,64}", bits):
        wrong.append("output_sha256")
    return wrong


def _is_list(value: object, of: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(of, value))


def throughput_table(path: Path, benchmarks: list[Any]) -> pd.DataFrame:
    """One row for each benchmark; a RunFileError names the first that is none."""
    import pandas as pd

    rows = [_timed(path, index, benchmark) for index, benchmark in enumerate(benchmarks)]
    columns = [*_SHAPE, *_TIMES, "rounds", "raw_seconds", "fastest_seconds"]
    table = pd.DataFrame(rows, columns=columns)
    _refuse_twins(path, table, list(_SHAPE))
    return table


def _timed(path: Path, index: int, benchmark: object) -> dict[str, Any]:
    info = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
    stats = benchmark.get("stats") if isinstance(benchmark, dict) else None
    if not isinstance(info, dict) or not isinstance(stats, dict):
        raise RunFileError(f"{path}: benchmark {index} lacks its figures")
    row = {name: info.get(name) for name in (*_SHAPE, *_TIMES)} | {"rounds": stats.get("rounds")}
    raw = stats.get("data", [])
    if wrong := _wrong_in_times(row, stats, raw):
        raise RunFileError(f"{path}: benchmark {index} has no valid `{wrong[0]}`")
    fastest = stats.get("min") or min(raw, default=None)
    return {**row, "raw_seconds": raw, "fastest_seconds": fastest}


def _wrong_in_times(row: dict[str, Any], stats: dict[str, Any], raw: object) -> list[str]:
    """The fields of a benchmark that are not what they must be."""
    wrong = ["subject"] * (not is_text(row["subject"])) + unknown(row)
    wrong += [name for name in ("median", "min") if not is_figure(stats.get(name))]
    wrong += [n for n in ("rows", "columns", "rounds") if not is_count(row[n], least=1)]
    wrong += [name for name in _TIMES if row[name] is None or not is_figure(row[name])]
    if row["ns_per_element"] == 0:
        wrong.append("ns_per_element")
    if not _is_list(raw, lambda seconds: bool(is_figure(seconds) and seconds)):
        wrong.append("data")
    return wrong


def _refuse_twins(path: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Two rows for one cell: no figure of either would be the cell's."""
    twins = table[table.duplicated(names)]
    if len(twins):
        cell = " ".join(map(str, twins.iloc[0][names]))
        raise RunFileError(f"{path}: has two entries for {cell}")


def invariance_table(path: Path, entries: list[Any]) -> pd.DataFrame:
    """One row for each check; a RunFileError names the first that is none."""
    import pandas as pd

    texts, counts = ("subject", "format", "check"), ("outputs", "differing")
    for index, entry in enumerate(entries):
        if (
            not isinstance(entry, dict)
            or not all(is_text(entry.get(name)) for name in texts)
            or not is_text(entry.get("message", ""))
            or not all(is_count(entry.get(name)) for name in counts)
        ):
            raise RunFileError(f"{path}: invariance {index} lacks its figures")
    rows = [{"message": "", **entry} for entry in entries]
    return pd.DataFrame(rows, columns=[*texts, *counts, "message"])
