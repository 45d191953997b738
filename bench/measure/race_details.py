"""What docs/fast.md shows besides the race: what `fast` is made of, small calls, sampled errors."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import SEED
from bench.measure.race import IN_A_ROW, Table
from bench.measure.timing import Call, interleaved
from bench.subjects.peers.peer import Peer
from numerics import FORMATS, METHODS, fast_softmax
from numerics.fast import half, kernels

SMALL = ((5,), (1, 5), (600,), (32, 10), (8, 64), (4, 600), (4096,), (50_257,))
SAMPLED_CELLS = tuple(itertools.product(FORMATS, (5, 64, 600, 4096)))
SAMPLED = 2**24
"""About so many results of each format, K and library are compared with `exact`."""
DRAWN = 2**18
"""About so many of them at a time."""


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


def small_calls(found: dict[str, Peer], rounds: int) -> Table:
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


def sampled(cells: Iterable[tuple[str, int]], found: dict[str, Peer]) -> Table:
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
