"""What of a run is kept: all but the raw rounds, or as little as a comparison needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.runs import run_file
from bench.runs.files import RunFileError, packed

DIGITS = 4
"""Significant digits of what a brief run keeps, and at which errors are compared."""
BITS = 6
"""Hexadecimal digits of a checksum that a brief run keeps: one in 16 million agrees by chance."""
ROUNDS = 6
"""Raw rounds that a brief run keeps of each benchmark, evenly spread over its time."""

_RECORD = ("subject", "operation", "case", "family", "format", "input_sha256", "outcome", "message")
_FAILURES = ("nan_failures", "infinity_failures", "lost_to_zero", "missed_special")
_STATS = ("min", "median")


def compact(path: Path) -> bytes:
    """A run file without raw rounds and layout, compressed for keeping (.xz)."""
    content = run_file.checked(path)
    for benchmark in content["benchmarks"]:
        benchmark["stats"].pop("data", None)
    return _packed(path, content)


def brief(path: Path) -> bytes:
    """What `diff` and `versions` read of a run, and no more: a few dozen KB."""
    content = run_file.checked(path)
    softmax = content["softmax"]
    softmax["records"] = [_brief_record(record) for record in softmax["records"]]
    softmax["invariance"] = []
    content["benchmarks"] = [_brief_benchmark(one) for one in content["benchmarks"]]
    _forget_flags(content.get("machine_info"))
    return _packed(path, content)


def rounded(value: float) -> float:
    """To the digits that are kept.

    >>> rounded(15.6049), rounded(0.5)
    (15.6, 0.5)
    """
    return float(f"{value:.{DIGITS}g}")


def _brief_record(record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: record[name] for name in _RECORD}
    kept |= {name: record[name] for name in _FAILURES if record.get(name)}
    if record.get("max_ulp") is not None:
        kept["max_ulp"] = rounded(record["max_ulp"])
    kept["elements"] = record.get("elements")
    kept["output_sha256"] = record.get("output_sha256", "")[:BITS]
    return kept


def _brief_benchmark(benchmark: dict[str, Any]) -> dict[str, Any]:
    stats, info = benchmark["stats"], benchmark["extra_info"]
    raw = stats.get("data", [])
    few = raw[:: -(-len(raw) // ROUNDS)] if raw else []
    kept = {name: rounded(stats[name]) for name in _STATS if isinstance(stats.get(name), float)}
    kept |= {name: stats[name] for name in ("rounds", "iterations") if name in stats}
    times = {name: rounded(v) for name, v in info.items() if isinstance(v, float)}
    return {
        "name": benchmark.get("name"),
        "extra_info": {**info, **times},
        "stats": {**kept, "data": [rounded(seconds) for seconds in few]},
    }


def _forget_flags(machine_info: object) -> None:
    """A hundred names of a CPU's features; those that NumPy uses are in the environment."""
    cpu = machine_info.get("cpu") if isinstance(machine_info, dict) else None
    if isinstance(cpu, dict):
        cpu.pop("flags", None)


def _packed(path: Path, content: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise RunFileError(f"{path}: holds a number beyond fp64") from None
    return packed(text)
