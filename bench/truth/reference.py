"""The truth: the operations in mpmath, on the input as rounded to the format under test.

`compute` evaluates the definitions at a precision and again at twice that precision, and goes on
doubling until both agree to 2^-20 ulp. `Cache` keeps the exact values on disk. Knows no subject.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import mp

from bench.inputs.cases import Batch, checksum
from bench.inputs.formats import FORMATS
from bench.runs.files import write_whole
from bench.truth.definitions import definitions, special_row
from bench.truth.exact import LAYOUT, Exact, split, unpack
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE, LABELLED, OPERATIONS
from numerics.rows import at_least_fp32

PRECISION = 113
"""Bits at which the definitions are evaluated first."""
AGREEMENT = 20
"""Two evaluations agree when they differ by at most 2^-AGREEMENT ulp."""
VERSION = 4
"""Part of every cache key; raise it when a definition or the layout of `Exact` changes."""


# --- From rows to exact values -------------------------------------------------------------------


def compute(batches: Sequence[Batch], format: Format) -> dict[str, Exact]:
    """All operations on all rows, flat in the order of batches, rows and columns.

    Those that are not `defined` are left out.
    """
    operations = defined(batches)
    parts: dict[str, list[npt.NDArray[np.void]]] = {operation: [] for operation in operations}
    for batch in batches:
        for row, label in zip(batch.x, batch.labels, strict=True):
            exact = _exact_row(row, int(label) % row.size, format)
            for operation in operations:
                parts[operation].append(exact[operation])
    return {operation: unpack(np.concatenate(parts[operation])) for operation in operations}


def defined(batches: Sequence[Batch]) -> list[str]:
    """The operations that there are: where a label is out of range, those without labels."""
    in_range = all(batch.labels_in_range for batch in batches)
    return [operation for operation in OPERATIONS if in_range or operation not in LABELLED]


def _exact_row(row: FloatArray, label: int, format: Format) -> dict[str, npt.NDArray[np.void]]:
    row = at_least_fp32(row)  # exactly; mpmath knows only numbers, and ml_dtypes warns of NaN
    special = special_row(row)
    values, positions, counts = np.unique(row, return_inverse=True, return_counts=True)
    if special is None:
        by_value = _agreed(
            lambda: definitions(
                [mp.mpf(float(v)) for v in values], counts.tolist(), mp.mpf(float(row[label]))
            ),
            format,
            PRECISION + _bits_between(values),
        )
    else:
        positions = np.zeros(row.size, dtype=np.intp)
        by_value = _agreed(
            lambda: {op: [v] for op, v in (special_row(row) or {}).items()}, format, PRECISION
        )
    for operation in ("softmax", "log_softmax"):
        by_value[operation] = by_value[operation][positions]
    gradient = by_value["softmax"].copy()
    gradient[label] = by_value["cross_entropy_gradient"][0]
    return by_value | {"cross_entropy_gradient": gradient}


def row_values(
    value: float, count: int, length: int, label: int, format: Format
) -> dict[str, npt.NDArray[np.void]]:
    """All operations on a row of `count` equal logits and then -inf, packed."""
    row = np.full(length, -np.inf, format.dtype)
    row[:count] = value
    return _exact_row(row, label, format)


def _bits_between(values: FloatArray) -> int:
    """Bits that exp needs to tell the largest logits apart: 1/2 is here, 1/2 + 2^-1000 is not."""
    gap = mp.mpf(float(values[-1])) - mp.mpf(float(values[-2])) if values.size > 1 else mp.one
    return max(0, -int(mp.mag(gap))) if mp.isfinite(gap) else 0


def _agreed(
    evaluate: Callable[[], dict[str, list[Any]]], format: Format, precision: int
) -> dict[str, npt.NDArray[np.void]]:
    """Evaluate at doubling precision until two evaluations agree, and return the better one."""
    with mp.workprec(precision):
        before = evaluate()
    while True:
        precision *= 2
        with mp.workprec(precision):
            better = evaluate()
            if all(
                _agree(a, b, format)
                for operation in OPERATIONS
                for a, b in zip(before[operation], better[operation], strict=True)
            ):
                return {
                    operation: np.array([_packed(v, format) for v in values], dtype=LAYOUT)
                    for operation, values in better.items()
                }
        before = better


def _agree(before: Any, better: Any, format: Format) -> bool:
    if not mp.isfinite(better) or better == 0:
        return bool(before == better or (mp.isnan(before) and mp.isnan(better)))
    ulp_exponent = max(mp.mag(better) - 1, format.min_exponent) - format.precision + 1
    return bool(abs(before - better) <= mp.ldexp(1, ulp_exponent - AGREEMENT))


def _packed(value: Any, format: Format) -> tuple[float, float, int]:
    if not mp.isfinite(value) or value == 0:
        return float(value), 0.0, format.min_exponent - format.precision + 1
    significand, fraction, exponent = split(value, format)
    return float(significand), fraction, exponent


# --- The cache -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cache:
    """Exact values on disk. A file that is not what was stored is as good as absent.

    Each file is the sha256 of its key and content, then the content. Nothing is interpreted
    before that digest holds.
    """

    directory: Path

    def load(self, key: str, count: int) -> Exact | None:
        """What was stored under the key, or None."""
        try:
            data = (self.directory / key).read_bytes()
        except OSError:
            return None
        digest, content = data[:32], data[32:]
        if digest != _digest(key, content) or len(content) != count * LAYOUT.itemsize:
            return None
        return unpack(np.frombuffer(content, dtype=LAYOUT))

    def store(self, key: str, exact: Exact) -> None:
        """Store under the key. A directory that cannot be written only costs time next time."""
        packed = np.empty(exact.significand.size, dtype=LAYOUT)
        for name in ("significand", "fraction", "exponent"):
            packed[name] = getattr(exact, name)
        content = packed.tobytes()
        with contextlib.suppress(OSError):
            write_whole(self.directory / key, _digest(key, content) + content)


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def cache_key(input_checksum: str, operation: str, format: Format) -> str:
    """Name of the cache file: everything that the exact values depend on."""
    identity = f"{VERSION} {input_checksum} {operation} {format.name} {PRECISION} {AGREEMENT}"
    return hashlib.sha256(f"{identity} mpmath {mpmath.__version__}".encode()).hexdigest()


def _counts(batches: Sequence[Batch]) -> dict[str, int]:
    elements = sum(batch.x.size for batch in batches)
    rows = sum(batch.x.shape[0] for batch in batches)
    return {name: elements if name in ELEMENTWISE else rows for name in OPERATIONS}


Job: TypeAlias = tuple[Sequence[Batch], str]
"""Batches and the name of their format."""


def lookup(job: Job, cache: Cache) -> dict[str, Exact] | None:
    """All operations of a job from the cache; None when any is missing."""
    batches, format_name = job
    input_checksum, counts = checksum(batches), _counts(batches)
    found = {}
    for operation in defined(batches):
        key = cache_key(input_checksum, operation, FORMATS[format_name])
        exact = cache.load(key, counts[operation])
        if exact is None:
            return None
        found[operation] = exact
    return found


def _run(job: Job) -> dict[str, Exact]:
    batches, format_name = job
    return compute(batches, FORMATS[format_name])


def references(
    jobs: Sequence[Job], cache: Cache, workers: int
) -> Iterator[tuple[int, dict[str, Exact]]]:
    """Yield (index of the job, its exact values) as they become known, cached ones first.

    The rest is computed in `workers` processes, since mpmath's contexts are not thread-safe;
    largest jobs first, so that none is left over at the end.
    """
    missing = []
    for index, job in enumerate(jobs):
        found = lookup(job, cache)
        if found is None:
            missing.append(index)
        else:
            yield index, found
    if not missing:
        return
    missing.sort(key=lambda index: -_counts(jobs[index][0])["softmax"])
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        with children_deaf_to_ctrl_c():
            running: dict[Future[dict[str, Exact]], int] = {
                pool.submit(_run, jobs[index]): index for index in missing
            }
        for future in as_completed(running):
            index, exact = running[future], future.result()
            batches, format_name = jobs[index]
            for operation, values in exact.items():
                key = cache_key(checksum(batches), operation, FORMATS[format_name])
                cache.store(key, values)
            yield index, exact
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def children_deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started here inherit that they ignore it: only the parent has something to say.

    One that is interrupted on its own shows a traceback, or dies with a lock in its hands.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
