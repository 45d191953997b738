"""race: `fast` against other libraries and a bare np.exp, in interleaved rounds (A B, B A, ...).

A machine's speed changes from second to second; the ratio of two neighbours in one round does so
much less. Each ratio is the median over rounds of the other's time over that of `fast`. In a round
each is called until `IN_A_ROW` seconds have passed, so that it does not start with the caches that
another library has left.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench import peers, runs
from bench.cases import SEED
from numerics import FORMATS, METHODS, fast_softmax
from numerics.fast import half, kernels

COLUMNS = (5, 10, 64, 600, 4096, 50_257)
MEBIBYTE = 2**20
RIVALS = ("scipy", "torch", "jax")
"""The peers that offer all of these operations in all formats."""
OPERATIONS = ("softmax", "log_softmax", "log_sum_exp")
SMALL = ((5,), (1, 5), (600,), (32, 10), (8, 64), (4, 600), (4096,), (50_257,))
IN_A_ROW = 0.005
"""Seconds that one measurement takes at least, in as many calls."""

SAMPLED_CELLS = tuple(itertools.product(FORMATS, (5, 64, 600, 4096)))
SAMPLED = 2**24
"""About so many results of each format, K and library are compared with `exact`."""
DRAWN = 2**18
"""About so many of them at a time."""
TABLES = ("steps", "calls", "sampled")

Call: TypeAlias = Callable[[], Any]
Table: TypeAlias = dict[str, dict[str, float]]
"""Figures by name of a row and of a column."""


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
    """The rivals that are installed, and a line for each that is not."""
    found, missing = {}, []
    for name in RIVALS:
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
        x = logits(format_name, size, columns)
        calls = _calls(operation, x, found, size)
        number = max(3, rounds // 3) if size > 16 else rounds
        seconds = interleaved(calls, number, in_a_row=IN_A_ROW)
        yield Cell(operation, format_name, size, len(x), columns, seconds)


def logits(format_name: str, mebibytes: int, columns: int) -> npt.NDArray[Any]:
    """Normal logits of scale 3, about so many MiB of them, one row at least."""
    dtype = FORMATS[format_name].dtype
    rows = max(1, mebibytes * MEBIBYTE // dtype.itemsize // columns)
    return np.random.default_rng(SEED).normal(scale=3.0, size=(rows, columns)).astype(dtype)


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


def interleaved(
    calls: dict[str, Call], rounds: int, limit: float = math.inf, in_a_row: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of each call in each round; one round at least, to `limit` seconds.

    Each time is the mean of as many calls in a row as take `in_a_row` seconds, or one call. Every
    round begins with another call (A B C, B C A, ...): so none always comes after the same one, and
    finds memory as that has left it.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + limit
    with np.errstate(all="ignore"):
        numbers = {name: _number(call, in_a_row) for name, call in calls.items()}
        for turn in range(rounds):
            if turn and time.perf_counter() > end:
                break
            first = turn % len(calls)
            for name in [*calls][first:] + [*calls][:first]:
                seconds[name].append(_seconds_of(calls[name], numbers[name]))
    return seconds


def _seconds_of(call: Call, number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def _number(call: Call, in_a_row: float) -> int:
    """How many calls take so long; the first one is for compilers and page tables."""
    if _seconds_of(call, 1) >= 100 * in_a_row:
        return 1
    return max(1, math.ceil(in_a_row / max(_seconds_of(call, 1), 1e-9)))


def steps(rounds: int) -> Table:
    """What `fast` is made of, and what it could have been: median ns per element, by K.

    On fp32 blocks of 512 KiB, in interleaved rounds; for docs/fast.md.
    """
    found: Table = {}
    for columns in (5, 64, 600, 4096):
        rng = np.random.default_rng(SEED)
        x = rng.normal(size=(2**17 // columns, columns)).astype(np.float32)
        for name, seconds in interleaved(_steps_on(x), rounds, in_a_row=IN_A_ROW).items():
            ns = statistics.median(seconds) * 1e9 / x.size
            found.setdefault(name, {})[str(columns)] = ns
    return found


def _steps_on(x: npt.NDArray[Any]) -> dict[str, Call]:
    out, by_row, length = np.empty_like(x), np.ones(len(x), x.dtype), x.shape[1]
    flat, ones = out.reshape(-1), np.ones(length, x.dtype)

    def unbuffered() -> None:
        before = np.setbufsize(max(16, min(length // 16 * 16, 8192)))
        np.multiply(x, by_row[:, np.newaxis], out=out)
        np.setbufsize(before)

    return {
        "`np.exp(x, out=out)`": lambda: np.exp(x, out=out),
        "largest of a row: `np.maximum.reduce`": lambda: np.maximum.reduce(x, axis=1),
        "largest of a row: `fast`": lambda: kernels.largest_of(x),
        "largest of the block": x.max,
        "sum of a row: `np.add.reduce`": lambda: np.add.reduce(x, axis=1),
        "sum of a row: `x @ ones`": lambda: x @ ones,
        "sum of a row: `fast`": lambda: kernels.row_sums(x),
        "times a number for each row: broadcast": lambda: np.multiply(x, by_row[:, None], out=out),
        "times a number for each row: broadcast, small buffer": unbuffered,
        "times a number for each row: `np.repeat`": lambda: np.multiply(
            flat, by_row.repeat(length), out=flat
        ),
        **_conversions_of(x),
    }


def _conversions_of(x: npt.NDArray[Any]) -> dict[str, Call]:
    wide, narrow = np.empty_like(x), x.astype(np.float16)
    tiny = np.full_like(x, 1.1 * 2.0**-20)

    def copied_and_narrowed() -> None:
        np.copyto(wide, tiny)
        half.narrow(wide, narrow)

    return {
        "fp16 to fp32: NumPy's cast": lambda: narrow.astype(np.float32),
        "fp16 to fp32: `half.widen`": lambda: half.widen(narrow, wide),
        "fp32 to fp16: NumPy's cast": lambda: x.astype(np.float16),
        "fp32 to fp16: NumPy's cast, subnormal results": lambda: tiny.astype(np.float16),
        "fp32 to fp16: `half.narrow`, subnormal results, with a copy": copied_and_narrowed,
    }


def small_calls(found: dict[str, peers.Peer], rounds: int) -> Table:
    """Softmax of a few fp32 numbers: median microseconds of a call, by shape; for docs/fast.md."""
    made: Table = {}
    for shape in SMALL:
        x = np.random.default_rng(SEED).normal(scale=3.0, size=shape).astype(np.float32)
        calls: dict[str, Call] = {
            "`fast`": partial(fast_softmax, x),
            "two lines of NumPy": partial(_formula, x),
        }
        for name, peer in found.items():
            calls[name] = partial(peer.operations["softmax"], peer.to_native(x))
        for name, seconds in interleaved(calls, rounds, in_a_row=IN_A_ROW).items():
            by_shape = made.setdefault(name, {})
            by_shape[" × ".join(map(str, shape))] = statistics.median(seconds) * 1e6
    return made


def _formula(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    quotient: npt.NDArray[Any] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return quotient


def sampled(cells: Iterable[tuple[str, int]], found: dict[str, peers.Peer]) -> Table:
    """Largest distance in ulp from `exact`, by format and K of the cells; for docs/fast.md.

    Of softmax, on rows that `fast` does not shift and whose sums may round badly: normal logits of
    scale 1 to 10, the largest of each row between 0 and 10.
    """
    softmax_of = {f"`{name}`": METHODS[name].softmax for name in ("fast", "stable")}
    softmax_of |= {name: peer.subject().functions["softmax"] for name, peer in found.items()}
    made: Table = {}
    for format_name, columns in cells:
        rng = np.random.default_rng([SEED, columns])
        for _ in range(SAMPLED // DRAWN):
            x = _unshifted_rows(format_name, columns, rng)
            exact = METHODS["exact"].softmax(x)
            ulp = np.spacing(exact).astype(np.float64)
            for name, softmax in softmax_of.items():
                off = softmax(x).astype(np.float64) - exact.astype(np.float64)
                largest = made.setdefault(f"{name}, {format_name}", {})
                worst = float(np.max(np.abs(off) / ulp))
                largest[str(columns)] = max(largest.get(str(columns), 0.0), worst)
    return made


def _unshifted_rows(
    format_name: str, columns: int, rng: np.random.Generator
) -> npt.NDArray[np.floating[Any]]:
    rows = DRAWN // columns
    x = rng.normal(size=(rows, columns)) * rng.uniform(1, 10, size=(rows, 1))
    x += rng.uniform(0, 10, size=(rows, 1)) - x.max(axis=1, keepdims=True)
    return x.astype(FORMATS[format_name].dtype)


@dataclass(frozen=True)
class Raced:
    """What a race file holds; `versions` says where it was run."""

    cells: list[Cell]
    versions: str
    steps: Table
    calls: Table
    sampled: Table


def content(
    measured: Sequence[Cell], found: dict[str, peers.Peer], **tables: Table
) -> dict[str, Any]:
    """What a race file holds: cells, and the tables of `Raced` by name."""
    return {
        "environment": runs.environment(),
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
        raise runs.RunFileError(f"{path}: not a file that `python -m bench race` wrote") from None
    return raced
