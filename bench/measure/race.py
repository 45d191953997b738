"""race: `fast` against other libraries and a bare np.exp, in interleaved rounds (A B, B A, ...).

A machine's speed changes from second to second; the ratio of two neighbours in one round does so
much less. Each ratio is the median over rounds of the other's time over that of `fast`. In a round
each is called until `IN_A_ROW` seconds have passed, so that it does not start with the caches that
another library has left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import SEED
from bench.measure.timing import Call, Cell, interleaved, short
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import Peer, PeerMissingError
from numerics import FORMATS, METHODS, fast_softmax

COLUMNS = (5, 10, 64, 600, 4096, 50_257)
MEBIBYTE = 2**20
RIVALS = ("scipy", "torch", "jax")
"""The peers that offer all of these operations in all formats."""
OPERATIONS = ("softmax", "log_softmax", "log_sum_exp")
IN_A_ROW = 0.005
"""Seconds that one measurement takes at least, in as many calls."""
TABLES = ("steps", "sampled")
Table: TypeAlias = dict[str, dict[str, float]]
"""Figures by name of a row and of a column."""


def cells(mebibytes: Sequence[int]) -> list[tuple[str, str, int, int]]:
    """Operation, format, size, columns; softmax at every size, the others at the smallest."""
    return [
        (operation, format_name, size, columns)
        for operation in OPERATIONS
        for size in (mebibytes if operation == "softmax" else mebibytes[:1])
        for format_name in FORMATS
        for columns in COLUMNS
    ]


def available() -> tuple[dict[str, Peer], list[str]]:
    """The rivals that are installed, and a line for each that is not."""
    found, missing = {}, []
    for name in RIVALS:
        try:
            found[name] = libraries.load(name)
        except PeerMissingError as error:
            missing.append(str(error))
    return found, missing


def run(
    wanted: Sequence[tuple[str, str, int, int]], found: dict[str, Peer], rounds: int
) -> Iterator[Cell]:
    """Measure cell by cell; large arrays get a third of the rounds."""
    for operation, format_name, size, columns in wanted:
        x = logits(format_name, size, columns)
        calls = _calls(operation, x, found, size)
        number = max(3, rounds // 3) if size > 16 else rounds
        seconds = interleaved(calls, number, in_a_row=IN_A_ROW)
        yield Cell(operation, format_name, size, len(x), columns, short(seconds))


def logits(format_name: str, mebibytes: int, columns: int) -> npt.NDArray[Any]:
    """Normal logits of scale 3, about so many MiB of them, one row at least."""
    dtype = FORMATS[format_name].dtype
    rows = max(1, mebibytes * MEBIBYTE // dtype.itemsize // columns)
    return np.random.default_rng(SEED).normal(scale=3.0, size=(rows, columns)).astype(dtype)


def _calls(
    operation: str, x: npt.NDArray[Any], found: dict[str, Peer], size: int
) -> dict[str, Call]:
    calls: dict[str, Call] = {"fast": lambda: getattr(METHODS["fast"], operation)(x)}
    if operation == "softmax":
        out = np.empty_like(x)
        calls["fast, out="] = lambda: fast_softmax(x, out=out)
        calls["np.exp, out="] = lambda: np.exp(x, out=out)
        if size > 16:
            calls["fast, workers=2"] = lambda: fast_softmax(x, workers=2)
    for name, peer in found.items():
        native, function = peer.to_native(x), peer.operations[operation]
        calls[name] = lambda function=function, native=native: function(native)  # type: ignore[misc]
    return calls


@dataclass(frozen=True)
class Raced:
    """What a race file holds; `versions` says where it was run."""

    cells: list[Cell]
    versions: str
    steps: Table
    sampled: Table


def content(measured: Sequence[Cell], found: dict[str, Peer], **tables: Table) -> dict[str, Any]:
    """What a race file holds: cells, and the tables of `Raced` by name."""
    return {
        "environment": environment(),
        "peers": {name: peer.version for name, peer in found.items()},
        "cells": [asdict(cell) for cell in measured],
        **tables,
    }


def load(path: Path) -> Raced:
    """A race file; RunFileError for any other."""
    try:
        found = json.loads(path.read_bytes())
        versions = {"NumPy": found["environment"]["numpy"], **found["peers"]}
        tables = {
            part: {name: dict(figures) for name, figures in found[part].items()} for part in TABLES
        }
        raced = Raced(
            cells=[Cell(**cell) for cell in found["cells"]],
            versions=", ".join(f"{name} {version}" for name, version in versions.items()),
            **tables,
        )
        for cell in raced.cells:
            _ = [cell.ratio(name) * cell.ns_per_element(name) for name in cell.seconds]
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, RecursionError):
        raise RunFileError(f"{path}: not a file that `python -m bench race` wrote") from None
    return raced
