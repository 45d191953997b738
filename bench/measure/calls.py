"""Calls on a few numbers: `fast` and `stable` beside the lines of NumPy that they stand for.

Medians of interleaved rounds in one process, as in `race`. `before` is an older `numerics`,
imported beside this one, so that old and new are told apart by their code alone.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import SEED
from bench.measure import race
from bench.measure.timing import Call, Cell, interleaved, short
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.subjects.peers.peer import Peer
from numerics import FORMATS, METHODS, OPERATIONS, Method
from numerics.method import arguments

Array = npt.NDArray[Any]
SHAPES = (
    (5,),
    (1, 5),
    (32, 10),
    (8, 64),
    (600,),
    (4, 600),
    (4096,),
    (50_257,),
    (128, 128),
    (1000, 10),
)
SHIFTED = {"fp32": 500.0, "fp64": 2000.0}
"""What is added to the logits so that `fast` has to shift every row."""
LINES = "two lines of NumPy"
UNSHIFTED = ("softmax", "cross_entropy_gradient")
"""The operations that `fast` does without a shift where it can."""


@dataclass(frozen=True)
class Called:
    """An operation on normal logits of scale 3; medians over the rounds, by name.

    `microseconds` of a call, and `ratio`: the median of a time over that of the two lines in the
    same round. `shifted`: an offset has been added that makes `fast` shift every row.
    """

    operation: str
    format: str
    shape: list[int]
    shifted: bool
    microseconds: dict[str, float]
    ratio: dict[str, float]


def two_lines(operation: str) -> Callable[..., Any]:
    """What people write in NumPy, over the last axis."""

    def softmax(x: Array) -> Any:
        exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)

    def log_softmax(x: Array) -> Any:
        shifted = x - x.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def log_sum_exp(x: Array) -> Any:
        largest = x.max(axis=-1, keepdims=True)
        return (largest + np.log(np.exp(x - largest).sum(axis=-1, keepdims=True)))[..., 0]

    def cross_entropy(x: Array, y: Array) -> Any:
        return log_sum_exp(x) - np.take_along_axis(x, y[..., np.newaxis], axis=-1)[..., 0]

    def cross_entropy_gradient(x: Array, y: Array) -> Any:
        return softmax(x) - (np.arange(x.shape[-1]) == y[..., np.newaxis])

    lines: dict[str, Callable[..., Any]] = {
        "softmax": softmax,
        "log_softmax": log_softmax,
        "log_sum_exp": log_sum_exp,
        "cross_entropy": cross_entropy,
        "cross_entropy_gradient": cross_entropy_gradient,
    }
    return lines[operation]


def cells() -> list[tuple[str, str, tuple[int, ...], bool]]:
    """Operation, format, shape, shifted: not all have a way without the shift."""
    return [
        (operation, format_name, shape, shifted)
        for operation in OPERATIONS
        for format_name in SHIFTED
        for shifted in ((False, True) if operation in UNSHIFTED else (False,))
        for shape in SHAPES
    ]


def called(
    operation: str,
    format_name: str,
    shape: tuple[int, ...],
    shifted: bool,
    rounds: int,
    others: Mapping[str, Callable[..., Any]],
) -> Called:
    """Time one cell; `others` are libraries' functions of the operation, by name."""
    x = np.random.default_rng(SEED).normal(scale=3.0, size=shape)
    x = (x + SHIFTED[format_name] * shifted).astype(FORMATS[format_name].dtype)
    given = arguments(operation, x, np.zeros(shape[:-1], np.intp))
    functions = {LINES: two_lines(operation)}
    functions |= {f"`{name}`": getattr(METHODS[name], operation) for name in ("fast", "stable")}
    functions |= others
    calls: dict[str, Call] = {name: partial(f, *given) for name, f in functions.items()}
    seconds = interleaved(calls, rounds, in_a_row=race.IN_A_ROW)
    lines = seconds[LINES]
    return Called(
        operation,
        format_name,
        list(shape),
        shifted,
        {name: statistics.median(times) * 1e6 for name, times in seconds.items()},
        {
            name: statistics.median(t / line for t, line in zip(times, lines, strict=True))
            for name, times in seconds.items()
        },
    )


def run(rounds: int, scipy: Peer | None, before: Mapping[str, Method] | None) -> Iterator[Called]:
    """All cells, with SciPy and an older version where there are."""
    for operation, format_name, shape, shifted in cells():
        others: dict[str, Callable[..., Any]] = {}
        if scipy is not None and operation in scipy.operations:
            others["scipy"] = scipy.operations[operation]
        for name in ("fast", "stable") if before else ():
            if hasattr((before or {})[name], operation):
                others[f"`{name}`, before"] = getattr((before or {})[name], operation)
        yield called(operation, format_name, shape, shifted, rounds, others)


def parts(rounds: int) -> race.Table:
    """What calls are made of, on fp32: median microseconds, by shape; for docs/fast.md."""
    found: race.Table = {}
    for shape in ((1, 5), (8, 64)):
        x = np.random.default_rng(SEED).normal(size=shape).astype(np.float32)
        for name, seconds in interleaved(_parts_on(x), rounds, in_a_row=race.IN_A_ROW).items():
            shown = " × ".join(map(str, shape))
            found.setdefault(name, {})[shown] = statistics.median(seconds) * 1e6
    return found


def _parts_on(x: Array) -> dict[str, Call]:
    by_row, rows, places = x[:, :1].copy(), np.arange(len(x)), x.argmax(axis=1)
    largest, dtypes = by_row[0, 0], {format.dtype: format for format in FORMATS.values()}

    def quietly() -> None:
        with np.errstate(all="ignore"):
            pass

    return {
        "`np.exp(x)`": lambda: np.exp(x),
        "`x / by_row`": lambda: x / by_row,
        "`np.errstate`, on and off": quietly,
        "`np.maximum.reduce(x, axis=1)`": lambda: np.maximum.reduce(x, axis=1),
        "`x.min()`": x.min,
        "`x.argmin()`": x.argmin,
        "`np.isfinite` of a number": lambda: np.isfinite(largest),
        "`np.isfinite(by_row).all()`": lambda: np.isfinite(by_row).all(),
        "`np.add.reduce(x, axis=1)`": lambda: np.add.reduce(x, axis=1),
        '`np.einsum("ij->i", x)`': lambda: np.einsum("ij->i", x),
        "`np.add.accumulate(x, 1)`": lambda: np.add.accumulate(x, 1),
        "`np.take_along_axis`": lambda: np.take_along_axis(x, places[:, np.newaxis], axis=1),
        "`x[rows, places]`": lambda: x[rows, places],
        "`x.take(places)`": lambda: x.take(places),
        "`np.asarray(x)`": lambda: np.asarray(x),
        "`x.reshape(-1, K)`": lambda: x.reshape(-1, x.shape[1]),
        "a dtype in a dictionary": lambda: dtypes[x.dtype],
    }


def large(rounds: int, before: Mapping[str, Method], mebibytes: Sequence[int]) -> Iterator[Cell]:
    """`fast` on the cells of the race, beside what it was before."""
    for operation, format_name, size, columns in race.cells(mebibytes):
        x = race.logits(format_name, size, columns)
        calls: dict[str, Call] = {
            "fast": partial(getattr(METHODS["fast"], operation), x),
            "before": partial(getattr(before["fast"], operation), x),
        }
        number = max(3, rounds // 3) if size > 16 else rounds
        seconds = interleaved(calls, number, in_a_row=race.IN_A_ROW)
        yield Cell(operation, format_name, size, len(x), columns, short(seconds))


def content(
    found: Sequence[Called], cells: Sequence[Cell], made_of: race.Table, scipy: Peer | None
) -> dict[str, Any]:
    """What a file of calls holds."""
    return {
        "environment": environment(),
        "peers": {scipy.name: scipy.version} if scipy else {},
        "calls": [asdict(one) for one in found],
        "large": [asdict(cell) for cell in cells],
        "parts": made_of,
    }


def load(path: Path) -> tuple[list[Called], list[Cell], race.Table, str]:
    """A file of calls, and where they were made; RunFileError for any other."""
    try:
        found = json.loads(path.read_bytes())
        versions = {"NumPy": found["environment"]["numpy"], **found["peers"]}
        made = ", ".join(f"{name} {version}" for name, version in versions.items())
        calls = [Called(**one) for one in found["calls"]]
        cells = [Cell(**cell) for cell in found["large"]]
        made_of = {name: dict(figures) for name, figures in found["parts"].items()}
        _ = [one.ratio[LINES] * one.microseconds[LINES] for one in calls]
        _ = [cell.ratio("fast", "before") for cell in cells]
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, RecursionError):
        message = f"{path}: not a file that `python -m bench race --calls` wrote"
        raise RunFileError(message) from None
    return calls, cells, made_of, made


def methods_of(folder: Path) -> Mapping[str, Method]:
    """METHODS of the `numerics` in a folder, imported beside the one that is in use."""
    mine = _set_aside()
    sys.path.insert(0, str(folder))
    try:
        older = importlib.import_module("numerics")
        if Path(older.__file__ or "").resolve().parents[1] != folder.resolve():
            raise ImportError(f"{folder} holds no package numerics")
        found: Mapping[str, Method] = older.METHODS
    finally:
        sys.path.remove(str(folder))
        _set_aside()
        sys.modules.update(mine)
    return found


def _set_aside() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "numerics"]
    return {name: sys.modules.pop(name) for name in names}
