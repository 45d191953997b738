"""race: `fast` against other libraries and a bare np.exp, in interleaved rounds (A B A B ...).

A machine's speed changes from second to second; the ratio of two neighbours in one round does so
much less. Each ratio is the median over rounds of the other's time over that of `fast`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import peers, runs
from bench.cases import SEED
from numerics import FORMATS, METHODS, fast_softmax

COLUMNS = (5, 10, 64, 600, 4096, 50_257)
MEBIBYTE = 2**20
OPERATIONS = ("softmax", "log_softmax", "log_sum_exp")
Call = Callable[[], Any]


@dataclass(frozen=True)
class Cell:
    """An operation on normal logits of scale 3, shape (rows, columns); seconds of each round."""

    operation: str
    format: str
    mebibytes: int
    rows: int
    columns: int
    seconds: dict[str, list[float]]

    def ns_per_element(self, name: str) -> float:
        """Median over the rounds."""
        return statistics.median(self.seconds[name]) * 1e9 / (self.rows * self.columns)

    def ratio(self, name: str, to: str = "fast") -> float:
        """Median over the rounds of one time over another of the same round."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(one / other for one, other in pairs)


def cells(mebibytes: Sequence[int]) -> list[tuple[str, str, int, int]]:
    """Operation, format, size, columns; softmax at every size, the others at the smallest."""
    return [
        (operation, format_name, size, columns)
        for operation in OPERATIONS
        for size in (mebibytes if operation == "softmax" else mebibytes[:1])
        for format_name in FORMATS
        for columns in COLUMNS
    ]


def available() -> tuple[dict[str, peers.Peer], list[str]]:
    """The peers that are installed, and a line for each that is not."""
    found, missing = {}, []
    for name in peers.PEERS:
        try:
            found[name] = peers.load(name)
        except peers.PeerMissingError as error:
            missing.append(str(error))
    return found, missing


def run(
    wanted: Sequence[tuple[str, str, int, int]], found: dict[str, peers.Peer], rounds: int
) -> Iterator[Cell]:
    """Measure cell by cell; large arrays get a third of the rounds."""
    for operation, format_name, size, columns in wanted:
        dtype = FORMATS[format_name].dtype
        rows = max(1, size * MEBIBYTE // dtype.itemsize // columns)
        x = np.random.default_rng(SEED).normal(scale=3.0, size=(rows, columns)).astype(dtype)
        calls = _calls(operation, x, found, size)
        yield Cell(
            operation, format_name, size, rows, columns, _interleaved(calls, rounds, size > 16)
        )


def _calls(
    operation: str, x: npt.NDArray[Any], found: dict[str, peers.Peer], size: int
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


def _interleaved(calls: dict[str, Call], rounds: int, large: bool) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    with np.errstate(all="ignore"):
        for turn in range((max(3, rounds // 3) if large else rounds) + 1):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                if turn:  # the first round is for caches, compilers and page tables
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def content(measured: Sequence[Cell], found: dict[str, peers.Peer]) -> dict[str, Any]:
    """What a race file holds."""
    return {
        "environment": runs.environment(),
        "peers": {name: peer.version for name, peer in found.items()},
        "cells": [asdict(cell) for cell in measured],
    }


def load(path: Path) -> list[Cell]:
    """The cells of a race file; RunFileError when it is none."""
    try:
        found = json.loads(path.read_bytes())["cells"]
        measured = [Cell(**cell) for cell in found]
        for cell in measured:
            _ = [cell.ratio(name) * cell.ns_per_element(name) for name in cell.seconds]
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, RecursionError):
        raise runs.RunFileError(f"{path}: not a file that `python -m bench race` wrote") from None
    return measured
