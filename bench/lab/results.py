"""What a run of the lab writes: results.json, softmax_break.png, manifest.json, README's tables.

Everything is made before anything is written: an interruption leaves the old results whole.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.inputs.cases import CASES, LAB_LABEL, SEED, checksum
from bench.lab.comparison import Comparison, run_lab
from bench.lab.predictions import (
    PREDICTIONS,
    PredictionError,
    explanations,
    predictions,
    unexplained,
)
from bench.runs.environment import environment
from bench.runs.files import replace_between_markers, to_json, write_all
from numerics import FORMATS


def results_json(comparisons: Sequence[Comparison]) -> str:
    """All comparisons; floats are numbers, and NaN and infinities the strings of their names."""
    return to_json({"label": LAB_LABEL, "comparisons": [_plain(asdict(c)) for c in comparisons]})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def manifest_json(files: dict[str, bytes]) -> str:
    """Seed, versions, CPU and commit of this run, and checksums of its inputs and files."""
    from pytest_benchmark import plugin, utils

    # The same facts as in a run file, from the same place; pytest-benchmark has no types.
    commit: dict[str, Any] = utils.get_commit_info()  # type: ignore[no-untyped-call]
    machine: Any = plugin.pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    return to_json(
        {
            "command": "python -m bench.compare",
            "seed": SEED,
            "label": LAB_LABEL,
            "commit": commit.get("id", "unknown"),
            "dirty": bool(commit.get("dirty")),
            "cpu": machine["cpu"].get("brand_raw", "unknown"),
            "environment": environment(),
            "inputs_sha256": {
                f"{case.name} {format.name}": checksum(case.batches(format))
                for case in CASES
                if case.family == "lab"
                for format in FORMATS.values()
            },
            "files_sha256": {
                name: hashlib.sha256(content).hexdigest() for name, content in files.items()
            },
        }
    )


def fill_readme(document: str, comparisons: Sequence[Comparison]) -> str:
    """The README with the lab's four tables between their markers."""
    from bench.lab import tables

    sections: dict[str, Callable[[], str]] = {
        "lab predictions": lambda: tables.predictions(predictions()),
        "lab results": lambda: tables.lab_results(comparisons),
        "lab divergences": lambda: tables.divergences(comparisons, explanations()),
    }
    for name, content in sections.items():
        document = replace_between_markers(document, name, content())
    return document


def write(results: Path, readme: Path | None) -> list[Path]:
    """Run the lab and write what it makes, README's tables where asked for; returns the paths."""
    from bench.lab import figure as lab_figure

    comparisons = run_lab()
    if missing := unexplained(comparisons):
        raise PredictionError(f"{PREDICTIONS.name}: needs or has too many reasons for {missing}")
    files = {
        "results.json": results_json(comparisons).encode(),
        "softmax_break.png": lab_figure.softmax_break(comparisons),
    }
    files["manifest.json"] = manifest_json(files).encode()
    written = {results / name: content for name, content in files.items()}
    if readme is not None:
        document = fill_readme(readme.read_text(encoding="utf-8"), comparisons)
        written[readme] = document.encode()
    write_all(written)
    return list(written)
