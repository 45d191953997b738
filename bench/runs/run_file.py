"""Run files: pytest-benchmark's own JSON, with a `softmax` section. Write, read, check, tabulate.

pandas is imported only by what makes tables, so that an environment that measures needs none.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.inputs.cases import SEED
from bench.runs.environment import environment
from bench.runs.fields import plain
from bench.runs.files import RunFileError
from bench.runs.records import Invariance, Record
from bench.runs.tables import accuracy_table, invariance_table, throughput_table
from numerics import ALL_FORMATS, FORMATS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
MAX_BYTES = 128 * 2**20
"""Run files above this size are refused: ten times a normal run."""
MAX_EXPANSION = 200
"""Compressed files that grow more than this are refused: JSON grows by 15 to 60."""
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


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

    @property
    def numpy(self) -> str:
        """NumPy's version, and what was switched off in it."""
        return _label(self.environment)


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
        datetime=plain(content.get("datetime")),
        commit=plain(commit.get("id"))[:12] + ("+" if commit.get("dirty") is True else ""),
        effort=plain(softmax["effort"]),
        cpu=_cpu(content),
        machine=_machine(content),
        environment=softmax["environment"],
        accuracy=accuracy_table(path, softmax["records"]),
        throughput=throughput_table(path, content["benchmarks"]),
        invariance=invariance_table(path, softmax["invariance"]),
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
    names = [plain(name) for name in lacks] if isinstance(lacks, list) else []
    return f"NumPy {environment['numpy']}" + (f" without {names[0]}" if names else "")


def _cpu(content: dict[str, Any]) -> str:
    machine = content.get("machine_info")
    cpu = machine.get("cpu") if isinstance(machine, dict) else None
    return plain(cpu.get("brand_raw")) if isinstance(cpu, dict) else "unknown"


def _machine(content: dict[str, Any]) -> str:
    """Name and CPU: times are compared only where both agree."""
    machine = content.get("machine_info")
    node = plain(machine.get("node")) if isinstance(machine, dict) else "unknown"
    return f"{node}, {_cpu(content)}"


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


def operations(runs: Sequence[Run]) -> list[str]:
    """Those that any of the runs has, in their order."""
    tables = (table for run in runs for table in (run.accuracy, run.throughput))
    found = {str(name) for table in tables for name in table["operation"].unique()}
    return [name for name in OPERATIONS if name in found]


def formats(runs: Sequence[Run]) -> list[str]:
    """NumPy's formats, and bf16 if any of the runs measured it."""
    found = {str(name) for run in runs for name in run.accuracy["format"].unique()}
    return [name for name in ALL_FORMATS if name in FORMATS or name in found]
