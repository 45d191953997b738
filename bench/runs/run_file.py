"""Run files: pytest-benchmark's own JSON, with a `softmax` section. Write, read, check, tabulate.

pandas is imported only by what makes tables, so that an environment that measures needs none.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import platform
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from bench.inputs.cases import SEED
from bench.measure.accuracy import Record
from bench.measure.invariance import Invariance
from bench.measure.metrics import SURVIVAL_THRESHOLDS
from numerics import FORMATS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
MAX_BYTES = 128 * 2**20
"""Run files above this size are refused: ten times a normal run."""
MAX_EXPANSION = 200
"""Compressed files that grow more than this are refused: JSON grows by 15 to 60."""
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


class RunFileError(Exception):
    """A file is not a run file of this schema; the message is one line that names it."""


def environment() -> dict[str, Any]:
    """What the figures may depend on: NumPy, its CPU dispatch and BLAS, libc, Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns when PyYAML is absent
        config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    simd = config.get("SIMD Extensions", {})
    return {
        "numpy": np.__version__,
        "mpmath": mpmath.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "simd_baseline": list(simd.get("baseline", [])),
        "simd_dispatch": list(simd.get("found", [])),
        "simd_disabled": _disabled(simd),
        "byteorder": sys.byteorder,
    }


def _disabled(simd: dict[str, list[str]]) -> list[str]:
    """What NPY_DISABLE_CPU_FEATURES asks for; a ValueError where NumPy did not do it.

    NumPy passes over a name that it does not know, and its names changed in 2.4.
    """
    wanted = re.split(r"[\s,]+", os.environ.get("NPY_DISABLE_CPU_FEATURES", ""))
    names = [name for name in wanted if name]
    off = simd.get("not found", [])
    if without_effect := [name for name in names if name not in off]:
        raise ValueError(
            f"NPY_DISABLE_CPU_FEATURES: {', '.join(without_effect)} did not switch anything off "
            f"in NumPy {np.__version__}, which dispatches on "
            f"{', '.join([*simd.get('found', []), *off])}"
        )
    return names


def section(
    records: Sequence[Record], invariance: Sequence[Invariance], effort: str
) -> dict[str, Any]:
    """The `softmax` section of a run file."""
    return {
        "schema": SCHEMA,
        "seed": SEED,
        "effort": effort,
        "environment": environment(),
        "records": [record.as_json() for record in records],
        "invariance": [asdict(one) for one in invariance],
    }


def to_json(content: dict[str, Any]) -> str:
    """JSON without bare NaN tokens: a ValueError where one would be needed."""
    return json.dumps(content, allow_nan=False, indent=1) + "\n"


@dataclass(frozen=True)
class Run:
    """One run file, checked, with its two tables."""

    label: str
    path: str
    sha256: str
    datetime: str
    commit: str
    effort: str
    cpu: str
    machine: str
    environment: dict[str, Any]
    accuracy: pd.DataFrame
    throughput: pd.DataFrame
    invariance: pd.DataFrame


def load(path: Path, label: str | None = None) -> Run:
    """Read and check a run file, plain or compressed (.gz, .xz)."""
    data = read(path)
    content = _parse(path, data)
    softmax = content["softmax"]
    commit = content.get("commit_info")
    commit = commit if isinstance(commit, dict) else {}
    return Run(
        label=label or _label(softmax["environment"]),
        path=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        datetime=_plain(content.get("datetime")),
        commit=_plain(commit.get("id"))[:12] + ("+" if commit.get("dirty") is True else ""),
        effort=_plain(softmax["effort"]),
        cpu=_cpu(content),
        machine=_machine(content),
        environment=softmax["environment"],
        accuracy=_accuracy_table(path, softmax["records"]),
        throughput=_throughput_table(path, content["benchmarks"]),
        invariance=_invariance_table(path, softmax["invariance"]),
    )


def read(path: Path) -> bytes:
    """The uncompressed content of a run file."""
    try:
        if not path.is_file():
            raise OSError("not a file" if path.exists() else "no such file")
        limit = MAX_BYTES
        if path.suffix in _OPEN:
            limit = min(limit, max(2**20, MAX_EXPANSION * path.stat().st_size))
        with _OPEN.get(path.suffix, open)(path, "rb") as file:
            data: bytes = file.read(limit + 1)
    except (OSError, EOFError, ValueError, MemoryError, lzma.LZMAError, zlib.error) as error:
        raise RunFileError(f"{path}: cannot be read: {error}") from None
    if len(data) > limit:
        raise RunFileError(f"{path}: larger than {limit >> 20} MiB when read")
    return data


def checked(path: Path) -> dict[str, Any]:
    """The content of a run file that `load` takes, as it stands in the file."""
    load(path)
    return _parse(path, read(path))


def _refuse_constant(token: str) -> None:
    raise ValueError(f"holds the token {token}, which JSON does not have")


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{path}: not JSON: {str(error)[:80]}") from None
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise RunFileError(f"{path}: not a pytest-benchmark file")
    softmax = content.get("softmax")
    if not isinstance(softmax, dict):
        raise RunFileError(f"{path}: has no `softmax` section: was it written by `pytest bench`?")
    if softmax.get("schema") != SCHEMA:
        schema = str(softmax.get("schema"))[:20]
        raise RunFileError(f"{path}: has schema {schema}, expected {SCHEMA}")
    expected = {"records": list, "invariance": list, "environment": dict, "effort": str}
    for name, kind in expected.items():
        if not isinstance(softmax.get(name), kind):
            raise RunFileError(f"{path}: `softmax.{name}` is not a {kind.__name__}")
    if not re.fullmatch(r"\d{1,4}(\.\w{1,12}){1,4}", str(softmax["environment"].get("numpy"))):
        raise RunFileError(f"{path}: `softmax.environment.numpy` is not a version")
    return content


def _label(environment: dict[str, Any]) -> str:
    """NumPy's version, and what was switched off in it."""
    lacks = environment.get("simd_disabled")
    names = [_plain(name) for name in lacks] if isinstance(lacks, list) else []
    return f"NumPy {environment['numpy']}" + (f" without {names[0]}" if names else "")


def _cpu(content: dict[str, Any]) -> str:
    machine = content.get("machine_info")
    cpu = machine.get("cpu") if isinstance(machine, dict) else None
    return _plain(cpu.get("brand_raw")) if isinstance(cpu, dict) else "unknown"


def _machine(content: dict[str, Any]) -> str:
    """Name and CPU: times are compared only where both agree."""
    machine = content.get("machine_info")
    node = _plain(machine.get("node")) if isinstance(machine, dict) else "unknown"
    return f"{node}, {_cpu(content)}"


def _plain(value: object) -> str:
    """Text of a file as it may stand in a table or a figure."""
    return value[:80] if _is_text(value) and isinstance(value, str) else "unknown"


def _is_text(value: object) -> bool:
    """Printable, of reasonable length, and without the sign that starts a formula in a figure."""
    return isinstance(value, str) and len(value) <= 400 and value.isprintable() and "$" not in value


def _is_count(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**53


_TEXT = ("subject", "operation", "case", "family", "format", "outcome", "message", "input_sha256")
_COUNTS = ("elements", "nan_failures", "infinity_failures", "lost_to_zero", "missed_special")
_FIGURES = (
    "max_ulp",
    "mean_ulp",
    "p99_ulp",
    "max_relative",
    "normwise_relative",
    "max_absolute",
    "sum_defect",
    "claim_ratio",
    "claim_ulp",
    "claim_bound_ulp",
    "claim_claimed",
    "claim_broken",
    "misrounded",
)


def _accuracy_table(path: Path, records: list[Any]) -> pd.DataFrame:
    import pandas as pd

    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise RunFileError(f"{path}: record {index} is not an object")
        wrong = [name for name in _TEXT if not _is_text(record.get(name))] + _unknown(record)
        wrong += [name for name in (*_COUNTS, *_FIGURES) if not _is_figure(record.get(name))]
        survival, widths = record.get("survival", []), record.get("max_ulp_by_width", [])
        if (
            not isinstance(survival, list)
            or len(survival) > len(SURVIVAL_THRESHOLDS)
            or not all(map(_is_count, survival))
        ):
            wrong.append("survival")
        if not isinstance(widths, list) or not all(map(_is_width, widths)):
            wrong.append("max_ulp_by_width")
        bits = record.get("output_sha256", "")
        if not isinstance(bits, str) or not re.fullmatch("[0-9a-f]{0,64}", bits):
            wrong.append("output_sha256")
        if wrong:
            raise RunFileError(f"{path}: record {index} has no valid `{wrong[0]}`")
    columns = [*_TEXT, *_COUNTS, *_FIGURES, "flags", "output_sha256", "survival"]
    absent: dict[str, Any] = {"survival": [], "max_ulp_by_width": [], "output_sha256": ""}
    filled = [absent | record for record in records]
    table = pd.DataFrame(filled, columns=[*columns, "max_ulp_by_width", "worst"])
    _refuse_twins(path, table, ["subject", "operation", "case", "format"])
    figures = [*_COUNTS, *_FIGURES]
    table[figures] = table[figures].astype("float64")
    failures, measured = list(_COUNTS[1:]), table["outcome"] == "measured"
    table.loc[measured, failures] = table.loc[measured, failures].fillna(0)  # a brief run drops 0
    table["failures"] = table[failures].sum(axis=1)
    return table


def _unknown(cell: dict[str, Any]) -> list[str]:
    """Which of operation and format there is not."""
    known = {"operation": OPERATIONS, "format": FORMATS}
    return [name for name, names in known.items() if str(cell.get(name)) not in names]


def _is_figure(value: object) -> bool:
    """None, or a finite number that is not negative."""
    return value is None or (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= sys.float_info.max
    )


def _is_width(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and _is_count(entry[0], least=1)
        and _is_figure(entry[1])
    )


_TIMES = ("ns_per_element", "iqr_ns_per_element")


def _throughput_table(path: Path, benchmarks: list[Any]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for index, benchmark in enumerate(benchmarks):
        info = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
        stats = benchmark.get("stats") if isinstance(benchmark, dict) else None
        if not isinstance(info, dict) or not isinstance(stats, dict):
            raise RunFileError(f"{path}: benchmark {index} lacks its figures")
        row = {name: info.get(name) for name in ("subject", "operation", "format", "rows")}
        row |= {name: info.get(name) for name in ("columns", *_TIMES)}
        row["rounds"] = stats.get("rounds")
        wrong = ["subject"] * (not _is_text(row["subject"])) + _unknown(row)
        wrong += [name for name in ("median", "min") if not _is_figure(stats.get(name))]
        wrong += [n for n in ("rows", "columns", "rounds") if not _is_count(row[n], least=1)]
        wrong += [name for name in _TIMES if row[name] is None or not _is_figure(row[name])]
        if wrong or row["ns_per_element"] == 0:
            name = wrong[0] if wrong else "ns_per_element"
            raise RunFileError(f"{path}: benchmark {index} has no valid `{name}`")
        raw = stats.get("data", [])
        if not isinstance(raw, list) or not all(_is_figure(t) and t for t in raw):
            raise RunFileError(f"{path}: benchmark {index} has no valid `data`")
        fastest = stats.get("min") or min(raw, default=None)
        rows.append({**row, "raw_seconds": raw, "fastest_seconds": fastest})
    names = ["subject", "operation", "format", "rows", "columns"]
    raw_columns = ["raw_seconds", "fastest_seconds"]
    table = pd.DataFrame(rows, columns=[*names, *_TIMES, "rounds", *raw_columns])
    _refuse_twins(path, table, names)
    return table


def _refuse_twins(path: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Two rows for one cell: no figure of either would be the cell's."""
    twins = table[table.duplicated(names)]
    if len(twins):
        cell = " ".join(map(str, twins.iloc[0][names]))
        raise RunFileError(f"{path}: has two entries for {cell}")


def _invariance_table(path: Path, entries: list[Any]) -> pd.DataFrame:
    import pandas as pd

    texts, counts = ("subject", "format", "check"), ("outputs", "differing")
    for index, entry in enumerate(entries):
        if (
            not isinstance(entry, dict)
            or not all(_is_text(entry.get(name)) for name in texts)
            or not _is_text(entry.get("message", ""))
            or not all(_is_count(entry.get(name)) for name in counts)
        ):
            raise RunFileError(f"{path}: invariance {index} lacks its figures")
    rows = [{"message": "", **entry} for entry in entries]
    return pd.DataFrame(rows, columns=[*texts, *counts, "message"])


def shared(runs: Sequence[Run]) -> list[Run]:
    """The runs, their accuracy cut to the inputs that all of them measured.

    An input is shared when operation, case, format and the bits agree: figures of different inputs
    are never compared. A subject that only one run has stays.
    """
    keys = ["operation", "case", "format", "input_sha256"]
    common = runs[0].accuracy[keys].drop_duplicates()
    for run in runs[1:]:
        common = common.merge(run.accuracy[keys].drop_duplicates(), on=keys)
    return [replace(run, accuracy=run.accuracy.merge(common, on=keys)) for run in runs]
