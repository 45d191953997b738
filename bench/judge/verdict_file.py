"""Verdict files, in and out."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.judge.verdicts import Cell, Speed, Verdict, Witness
from bench.runs import run_file
from bench.runs.environment import environment
from bench.runs.files import RunFileError, to_json, write_whole
from bench.runs.records import Invariance

SCHEMA = 1


def content(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What a verdict file holds."""
    return {
        "schema": SCHEMA,
        "environment": environment(),
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


def save(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write a verdict file, whole or not at all; compressed if its name ends in .xz."""
    data = to_json(content(verdicts)).encode()
    write_whole(path, lzma.compress(data) if path.suffix == ".xz" else data)


def load(path: Path) -> tuple[list[Verdict], dict[str, Any]]:
    """Verdicts and environment of a file; RunFileError when it is none."""
    try:
        found = json.loads(run_file.read(path))
        if found["schema"] != SCHEMA:
            raise ValueError("another schema")
        return [_restored(one) for one in found["verdicts"]], dict(found["environment"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = f"{path}: not a file that `python -m bench verdict --save` wrote"
        raise RunFileError(message) from None


def _restored(one: dict[str, Any]) -> Verdict:
    cells = []
    for cell in one["cells"]:
        seen = {name: Witness(**cell[name]) if cell[name] else None for name in ("worst", "failed")}
        cells.append(Cell(**{**cell, **seen}))
    return Verdict(
        one["subject"],
        one["version"],
        cells,
        [Invariance(**entry) for entry in one["invariance"]],
        [Speed(**entry) for entry in one["speed"]],
        one["left_out"],
    )
