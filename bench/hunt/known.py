"""Rows that others have found: every hunt begins with the witnesses known for any subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bench.hunt.domains import WIDTHS
from bench.hunt.numbers import row_of
from bench.hunt.worst_file import all_of
from bench.runs.committed import ROOT, SWEEPS, WORST
from bench.sweep import sweep_file
from numerics.formats import FloatArray, Format

Known: TypeAlias = Mapping[int, FloatArray]
"""Rows by their length."""
MOST = 1024
"""Rows of a length that are taken over, the first ones."""
COMMITTED = ROOT / "results"


def rows(format: Format, results: Sequence[Path]) -> dict[int, FloatArray]:
    """Finite rows of a format, by length, from the sweeps and hunts of result folders."""
    found: dict[int, dict[bytes, FloatArray]] = {}
    for folder in results:
        for row in (*_hunted(folder / WORST, format), *_swept(folder / SWEEPS, format)):
            if np.isfinite(row).all() and row.size in WIDTHS:
                found.setdefault(row.size, {}).setdefault(row.tobytes(), row)
    return {width: np.stack(list(some.values())[:MOST]) for width, some in found.items()}


def _hunted(folder: Path, format: Format) -> Iterator[FloatArray]:
    for content in all_of(folder):
        for cell in content["cells"]:
            if cell["format"] == format.name:
                yield from (row_of(witness["row"], format) for witness in cell["found"])


def _swept(folder: Path, format: Format) -> Iterator[FloatArray]:
    for content in sweep_file.all_of(folder).values():
        for part in content["parts"]:
            if part["format"] == format.name:
                yield from _witnesses(part["cells"], format)


def _witnesses(cells: Sequence[Mapping[str, Any]], format: Format) -> Iterator[FloatArray]:
    for cell in cells:
        for witness in cell["summary"]["worst"]:
            if witness["x"] is not None:
                yield np.array([float.fromhex(v) for v in witness["x"]], format.dtype)
