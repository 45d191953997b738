"""Verdict files, in and out."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.judge import older_file
from bench.judge.suspects.explanation import Explanation, Habit
from bench.judge.verdicts import Cell, Death, Speed, Tally, Verdict, Way, Witness
from bench.measure.contract import Found
from bench.measure.slow_paths import Pace
from bench.measure.sums import Sums
from bench.runs import run_file
from bench.runs.environment import environment
from bench.runs.files import RunFileError, to_json, write_packed

SCHEMA = 2


def content(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What a verdict file holds."""
    return {
        "schema": SCHEMA,
        "environment": {**environment(), "machine": _machine()},
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


def _machine() -> str:
    """What tells times of two machines apart; the name of this one is nobody's business."""
    from pytest_benchmark import plugin

    made: Any = plugin.pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    name = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f"{name}, {made['cpu'].get('brand_raw', 'unknown')}"


def save(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write a verdict file, whole or not at all; compressed if its name ends in .xz."""
    write_packed(path, to_json(content(verdicts)))


def load(path: Path) -> tuple[list[Verdict], dict[str, Any]]:
    """Verdicts and environment of a file; RunFileError when it is none."""
    try:
        found = json.loads(run_file.read(path))
        made = {1: older_file.verdict, SCHEMA: _verdict}[found["schema"]]
        return [made(one) for one in found["verdicts"]], dict(found["environment"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = f"{path}: not a file that `python -m bench verdict --save` wrote"
        raise RunFileError(message) from None


def _verdict(one: dict[str, Any]) -> Verdict:
    contract = [Found(**{**f, "lines": tuple(f["lines"])}) for f in one["contract"]]
    lists = {
        "cells": [_cell(cell) for cell in one["cells"]],
        "contract": contract,
        "paces": [Pace(**pace) for pace in one["paces"]],
        "speed": [Speed(**speed) for speed in one["speed"]],
        "deaths": [Death(**death) for death in one["deaths"]],
    }
    return Verdict(**{**one, **lists})


def _cell(cell: dict[str, Any]) -> Cell:
    sums = cell.get("sums")  # a part of what older files lack
    made = {
        "ways": [_way(way) for way in cell["ways"]],
        "formula": _formula(cell.get("formula")),
        "sums": Sums(**sums) if sums is not None else None,
    }
    return Cell(**{**cell, **made})


def _formula(found: dict[str, Any] | None) -> Explanation | None:
    if found is None:  # not asked for, or of an older file
        return None
    return Explanation(**{**found, "habits": [Habit(**habit) for habit in found["habits"]]})


def _way(way: dict[str, Any]) -> Way:
    return Way(**{**way, "tallies": {kind: _tally(t) for kind, t in way["tallies"].items()}})


def _tally(tally: dict[str, Any]) -> Tally:
    seen = {name: Witness(**tally[name]) if tally[name] else None for name in ("worst", "failed")}
    return Tally(**{**tally, **seen})
