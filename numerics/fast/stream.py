"""Blocks that fit the cache, `out=` and `workers=`: how `fast` goes through arrays.

Knows nothing of softmax: a kernel of `numerics.fast.kernels` does what there is to do in a block.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.fast.kernels import PART_BYTES, RANGES
from numerics.fast.sums import CHUNK
from numerics.formats import FloatArray
from numerics.rows import Axis

BLOCK_BYTES = 2**22
"""Most bytes of a block that is worked on in the result itself."""
ROOM_BYTES = 2**20 - 3 * PART_BYTES - 2**15
"""Most bytes of room: with temporaries, a worker takes 1 MiB next to input and output."""
SUMS_BYTES = 32
"""Bytes that a kernel takes for the numbers of a row, such as its sum."""
UNBUFFERED = 256
"""Rows longer than this are met by one number each without NumPy's buffer (docs/fast.md)."""

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]
Kernel: TypeAlias = Callable[..., None]


def elementwise(
    kernel: Kernel,
    x: npt.ArrayLike,
    axis: Axis,
    out: FloatArray | None,
    workers: int | None,
    *,
    needs_room: bool = True,
) -> FloatArray:
    """Apply kernel(x, out, room) to the rows of `x`; `needs_room`: even if it works in `out`."""
    array = rows.as_floating(x)
    axes = rows.normalized_axes(axis, array.ndim)
    result = (
        np.empty(array.shape, array.dtype) if out is None else _checked(out, array, array.shape)
    )
    logits = rows.rows_last(_apart(array, out), axes)
    target = rows.rows_last(result, axes)
    in_out = (
        target.flags.c_contiguous
        and target.dtype == RANGES[target.dtype].working.dtype
        and (out is None or not np.may_share_memory(logits, out))
    )
    _run(kernel, (logits, target), in_out, needs_room, workers)
    if len(axes) > 1 and not np.may_share_memory(target, result):
        result[...] = rows.rows_back(target, axes, result.shape)
    return result


def reduction(
    kernel: Kernel,
    x: npt.ArrayLike,
    axis: Axis,
    out: FloatArray | None,
    workers: int | None,
    *,
    keepdims: bool = False,
    labels: npt.ArrayLike | None = None,
) -> Any:
    """Apply kernel(x, out, room), or kernel(x, labels, out, room), to the rows of `x`."""
    array = rows.as_floating(x)
    axes = rows.normalized_axes(axis, array.ndim)
    batch = rows.batch_shape(array.shape, axes)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape)) if keepdims else batch
    result = np.empty(shape, array.dtype) if out is None else _checked(out, array, shape)
    apart = array if out is None or not np.may_share_memory(array, out) else array.copy()
    logits, target = rows.rows_last(apart, axes), result.reshape(batch)
    if labels is None:
        _run(kernel, (logits, target), False, True, workers)
    else:
        checked = rows.checked_labels(labels, batch, logits.shape[-1])
        _run(kernel, (logits, checked, target), False, True, workers)
    return result[()] if out is None else result


def _checked(out: FloatArray, x: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, not {type(out).__name__}")
    if out.dtype != x.dtype:
        raise TypeError(f"out must have dtype {x.dtype}, not {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, not {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    return out


def _apart(x: FloatArray, out: FloatArray | None) -> FloatArray:
    """The input, copied when `out` covers it in part or in another order, as ufuncs do."""
    if out is None or not np.may_share_memory(x, out):
        return x
    place, other = x.__array_interface__, out.__array_interface__
    same = place["data"] == other["data"] and x.strides == out.strides
    return x if same else x.copy()


# --- Blocks ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How to call a kernel: blocks of `height` rows, and `room`, or None: it works in `out`."""

    kernel: Kernel
    length: int
    height: int
    room: tuple[int, int] | None
    working: np.dtype[Any]


def _run(
    kernel: Kernel, arrays: Arrays, in_out: bool, needs_room: bool, workers: int | None
) -> None:
    """Call the kernel on every block of rows; the first array is (..., K), the last the result.

    `in_out`: the result can hold what is computed on the way, so blocks may be larger than `room`.
    """
    count = 1 if workers is None or workers == 1 else _number_of(workers)
    logits = arrays[0]
    if not logits.size:
        return
    length, batch = logits.shape[-1], logits.ndim - 1
    working = RANGES[logits.dtype].working.dtype
    row, rows = length * working.itemsize, logits.size // length
    height = room_height = max(1, ROOM_BYTES // (SUMS_BYTES + row)) if length <= CHUNK else 1
    if in_out and (length <= CHUNK or not needs_room):
        height = max(1, min(BLOCK_BYTES // row, ROOM_BYTES // SUMS_BYTES))
    room = (min(room_height, rows), min(length, CHUNK)) if needs_room or not in_out else None
    plan = Plan(kernel, length, min(height, rows), room, working)
    blocks = _blocks(arrays, batch, plan.height)
    count = min(count, math.ceil(rows / plan.height))
    if count == 1:
        _work(plan, blocks)
    else:
        _share(plan, blocks, count)


def _blocks(arrays: Arrays, batch: int, height: int) -> Iterator[Arrays]:
    for matrices in _matrices(arrays, batch):
        if len(matrices[0]) <= height:
            yield matrices
            continue
        for start in range(0, len(matrices[0]), height):
            yield tuple(a[start : start + height] for a in matrices)


def _matrices(arrays: Arrays, batch: int) -> Iterator[Arrays]:
    """The arrays with one axis in place of `batch` leading ones, never copied.

    Axes whose strides do not merge in all of the arrays are gone through one index at a time.
    """
    if batch <= 1:
        yield arrays if batch else tuple(a[np.newaxis] for a in arrays)
        return
    shape = arrays[0].shape[:batch]
    apart = next(i for i in range(batch + 1) if all(_merge(a, i, batch) for a in arrays))
    for index in itertools.product(*map(range, shape[:apart])):
        yield tuple(a[index].reshape((math.prod(shape[apart:]), *a.shape[batch:])) for a in arrays)


def _merge(array: npt.NDArray[Any], first: int, end: int) -> bool:
    """Whether the axes first .. end - 1 can be seen as one."""
    sizes = zip(array.shape[first:end], array.strides[first:end], strict=True)
    axes = [(n, s) for n, s in sizes if n != 1]
    return all(s == inner * n for (_, s), (n, inner) in itertools.pairwise(axes))


def _work(plan: Plan, blocks: Iterator[Arrays]) -> None:
    """Call the kernel on blocks, with floating-point warnings off, in room that is reused."""
    with np.errstate(all="ignore"):
        # NumPy copies a broadcast operand when a row is shorter than its buffer (docs/fast.md).
        # The buffer's size belongs to the thread, or since NumPy 2 to the context.
        broadcast = plan.height > 1 and plan.length > UNBUFFERED
        before = np.setbufsize(min(plan.length // 16 * 16, 8192)) if broadcast else None
        try:
            room = None if plan.room is None else np.empty(plan.room, plan.working)
            for block in blocks:
                out = block[-1]
                plan.kernel(*block, out if room is None else room[: len(out)])
        finally:
            if before is not None:
                np.setbufsize(before)


# --- Workers --------------------------------------------------------------------------------------


def _number_of(workers: int | None) -> int:
    """SciPy's convention: None is 1, -1 all cores, -2 all but one."""
    count = 1 if workers is None else operator.index(workers)
    cores = os.cpu_count() or 1
    if count < 0:
        count += 1 + cores
    if count <= 0:
        raise ValueError(f"workers must be positive, or at least -{cores}, not {workers}")
    return count


def _share(plan: Plan, blocks: Iterator[Arrays], count: int) -> None:
    """Threads that take one block after the other; none is left when this returns or raises."""
    lock, stop = Lock(), Event()

    def taken() -> Iterator[Arrays]:
        while not stop.is_set():
            with lock:
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def work() -> None:
        try:
            _work(plan, taken())
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(work) for _ in range(count)]
        try:
            for future in futures:
                future.result()
        finally:
            stop.set()
