"""Files of the worst rows known: one for each subject and operation, a cell for each format.

A cell tells what was found, how and how long it was searched, and what was not. No time is in it:
how long is said in rounds and rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.hunt.domains import NOT_SEARCHED, WIDTHS
from bench.hunt.numbers import row_of
from bench.hunt.score import GOALS
from bench.hunt.witness import Witness
from bench.inputs.formats import FORMATS
from bench.runs.files import RunFileError, write_whole
from numerics import ALL_FORMATS, FP64
from numerics.method import OPERATIONS

SCHEMA = 1


def path_of(folder: Path, subject: str, operation: str) -> Path:
    """The file of a subject and an operation."""
    return folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', subject)}-{operation}.json"


def cell(
    made: Mapping[str, Any],
    asked: Mapping[str, Any],
    searched: Mapping[str, int],
    found: Sequence[Witness],
) -> dict[str, Any]:
    """What a hunt came to: asked for a format, a goal and a seed."""
    return {
        **asked,
        "made": dict(made),
        "how": "bit patterns split, best rows moved",
        "widths": list(WIDTHS),
        "searched": dict(searched),
        "not_searched": list(NOT_SEARCHED),
        "found": [witness.as_json() for witness in found],
    }


def content(subject: str, operation: str, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a file holds."""
    ordered = sorted(cells, key=lambda one: (list(ALL_FORMATS).index(one["format"]), one["goal"]))
    return {"schema": SCHEMA, "subject": subject, "operation": operation, "cells": ordered}


def with_cell(path: Path, subject: str, operation: str, new: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file with a cell in place of the one of the same format and goal."""
    before = load(path)["cells"] if path.exists() else []
    others = [one for one in before if any(one[k] != new[k] for k in ("format", "goal"))]
    return content(subject, operation, [*others, new])


def write(path: Path, what: Mapping[str, Any]) -> None:
    """Write a file whole, a line for each witness; the same content has the same bytes."""
    text = json.dumps(what, sort_keys=True, allow_nan=False)
    write_whole(path, text.replace('}, {"column"', '},\n{"column"') + "\n")


def load(path: Path) -> dict[str, Any]:
    """A file; RunFileError for anything else."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA or found["operation"] not in OPERATIONS:
            raise ValueError("another schema")
        for one in found["cells"]:
            if one["goal"] not in GOALS:
                raise ValueError(f"no goal: {one['goal']}")
            named = ALL_FORMATS[one["format"]].name
            format = FORMATS.get(named, FP64)  # bf16 without ml_dtypes: its numbers, as fp64
            for witness in one["found"]:
                row_of(Witness(**witness).row, format)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunFileError(
            f"{path}: not a file that `python -m bench hunt` wrote ({error})"
        ) from None
    return found


def all_of(folder: Path) -> list[dict[str, Any]]:
    """The files of a folder, by name."""
    return [load(path) for path in sorted(folder.glob("*.json"))]
