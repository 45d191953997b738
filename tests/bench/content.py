"""Run files for the tests: a small one, changed ones, written ones."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

from bench.inputs.cases import CASES
from bench.measure.accuracy import measure
from bench.measure.invariance import measure as measure_invariance
from bench.runs import run_file
from bench.subjects.subject import SUBJECTS
from bench.truth.reference import compute
from numerics import FORMATS, OPERATIONS

Content = dict[str, Any]


def run_content() -> Content:
    """A small run file, measured here: three cases, all operations, one method; yours to change."""
    return copy.deepcopy(_measured())


@functools.cache
def _measured() -> Content:
    records = []
    for case in CASES[:3]:
        for format in FORMATS.values():
            exact = compute(case.batches(format), format)
            records += [
                measure(SUBJECTS[name], operation, case, format, exact)
                for name in ("stable",)
                for operation in OPERATIONS
            ]
    invariance = measure_invariance(SUBJECTS["stable"], FORMATS["fp32"])
    info = {"subject": "stable", "operation": "softmax", "format": "fp32", "rows": 4}
    info |= {"columns": 600, "ns_per_element": 1.5, "iqr_ns_per_element": 0.1}
    return {
        "machine_info": {"cpu": {"brand_raw": "a CPU"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "datetime": "2026-01-01T00:00:00",
        "benchmarks": [{"extra_info": info, "stats": {"rounds": 5, "data": [1.0] * 5}}],
        "softmax": run_file.section(records, invariance, "quick"),
    }


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def changed(content: Content, *path: Any, value: Any) -> Content:
    other: Content = json.loads(json.dumps(content))
    place: Any = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return other


def timed(benchmark: Content, columns: int, seconds: float) -> Content:
    raw = [seconds * (1 + 0.01 * i) for i in range(10)]
    info = benchmark["extra_info"] | {"columns": columns, "ns_per_element": raw[5] * 1e6}
    statistics = {"rounds": 10, "min": raw[0], "median": raw[5], "data": raw}
    return {**benchmark, "extra_info": info, "stats": statistics}
