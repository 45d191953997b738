"""Run files: pytest-benchmark's own JSON, with a `softmax` section. Write, read, check, tabulate.

pandas is imported only by what makes tables, so that an environment that measures needs none.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from bench.accuracy import Record
from bench.cases import SEED
from bench.invariance import Invariance

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
MAX_BYTES = 512 * 2**20
"""Run files above this size are refused: a full run is a tenth of it."""
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
        "byteorder": sys.byteorder,
    }


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
    sha256: str
    datetime: str
    commit: str
    effort: str
    cpu: str
    environment: dict[str, Any]
    accuracy: pd.DataFrame
    throughput: pd.DataFrame
    invariance: pd.DataFrame


def load(path: Path, label: str | None = None) -> Run:
    """Read and check a run file, plain or compressed (.gz, .xz)."""
    data = read(path)
    content = _parse(path, data)
    softmax = content["softmax"]
    commit = content.get("commit_info") or {}
    return Run(
        label=label or f"NumPy {softmax['environment']['numpy']}",
        sha256=hashlib.sha256(data).hexdigest(),
        datetime=str(content.get("datetime", "")),
        commit=str(commit.get("id", "unknown"))[:12] + ("+" if commit.get("dirty") else ""),
        effort=str(softmax["effort"]),
        cpu=_cpu(content),
        environment=softmax["environment"],
        accuracy=_accuracy_table(path, softmax["records"]),
        throughput=_throughput_table(path, content["benchmarks"]),
        invariance=_invariance_table(path, softmax["invariance"]),
    )


def read(path: Path) -> bytes:
    """The uncompressed content of a run file."""
    try:
        with _OPEN.get(path.suffix, open)(path, "rb") as file:
            data: bytes = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise RunFileError(f"{path}: cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise RunFileError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    return data


def compact(path: Path) -> bytes:
    """A run file without raw rounds and layout, compressed for keeping (.xz)."""
    data = read(path)
    content = _parse(path, data)
    for benchmark in content["benchmarks"]:
        benchmark["stats"].pop("data", None)
    return lzma.compress(json.dumps(content, allow_nan=False, separators=(",", ":")).encode())


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
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
    if not isinstance(softmax["environment"].get("numpy"), str):
        raise RunFileError(f"{path}: `softmax.environment.numpy` is not a str")
    return content


def _cpu(content: dict[str, Any]) -> str:
    machine = content.get("machine_info")
    cpu = machine.get("cpu") if isinstance(machine, dict) else None
    return str(cpu.get("brand_raw", "unknown")) if isinstance(cpu, dict) else "unknown"


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
)


def _accuracy_table(path: Path, records: list[Any]) -> pd.DataFrame:
    import pandas as pd

    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise RunFileError(f"{path}: record {index} is not an object")
        wrong = [name for name in _TEXT if not isinstance(record.get(name), str)]
        wrong += [name for name in (*_COUNTS, *_FIGURES) if not _is_number(record.get(name))]
        wrong += [
            name
            for name in ("survival", "max_ulp_by_width", "flags")
            if not isinstance(record.get(name, []), list)
        ]
        if wrong:
            raise RunFileError(f"{path}: record {index} has no valid `{wrong[0]}`")
    columns = [*_TEXT, *_COUNTS, *_FIGURES, "flags", "output_sha256", "survival"]
    table = pd.DataFrame(records, columns=[*columns, "max_ulp_by_width", "worst"])
    figures = [*_COUNTS, *_FIGURES]
    table[figures] = table[figures].astype("float64")
    table["failures"] = table[list(_COUNTS[1:])].sum(axis=1)
    return table


def _is_number(value: object) -> bool:
    return value is None or (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )


def _throughput_table(path: Path, benchmarks: list[Any]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for index, benchmark in enumerate(benchmarks):
        try:
            info, stats = benchmark["extra_info"], benchmark["stats"]
            rows.append(
                {
                    **{name: str(info[name]) for name in ("subject", "operation", "format")},
                    **{name: int(info[name]) for name in ("rows", "columns")},
                    "ns_per_element": float(info["ns_per_element"]),
                    "iqr_ns_per_element": float(info["iqr_ns_per_element"]),
                    "rounds": int(stats["rounds"]),
                }
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            raise RunFileError(f"{path}: benchmark {index} lacks its figures") from None
    names = ["subject", "operation", "format", "rows", "columns", "ns_per_element"]
    return pd.DataFrame(rows, columns=[*names, "iqr_ns_per_element", "rounds"])


def _invariance_table(path: Path, entries: list[Any]) -> pd.DataFrame:
    import pandas as pd

    kinds = {"subject": str, "format": str, "check": str, "outputs": int, "differing": int}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(name), kind) for name, kind in kinds.items()
        ):
            raise RunFileError(f"{path}: invariance {index} lacks its figures")
    return pd.DataFrame(entries, columns=list(kinds))


def shared(runs: Sequence[Run]) -> list[pd.DataFrame]:
    """The accuracy tables of the runs, cut to the cells that all of them measured.

    A cell is shared when subject, operation, case, format and the bits of the input agree: figures
    of different inputs are never compared.
    """
    keys = ["subject", "operation", "case", "format", "input_sha256"]
    common = runs[0].accuracy[keys].drop_duplicates()
    for run in runs[1:]:
        common = common.merge(run.accuracy[keys].drop_duplicates(), on=keys)
    return [run.accuracy.merge(common, on=keys) for run in runs]
