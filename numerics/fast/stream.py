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
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics import rows
from numerics.fast.kernels import PART_BYTES, RANGES
from numerics.formats import FloatArray
from numerics.rows import Axis

BLOCK_BYTES = 2**22
"""Most bytes of a block that is worked on in the result itself."""
ROOM_BYTES = 2**20 - 3 * PART_BYTES - 2**15
"""Most bytes of room, but for one long row: a worker takes 1 MiB next to input and output."""
LONG = 2**16
"""Columns of room that do for a row of a reduction, however long."""
SUMS_BYTES = 32
"""Bytes that a kernel takes for the numbers of a row, such as its sum."""

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]
Kernel: TypeAlias = Callable[..., None]
Out: TypeAlias = FloatArray | None
Workers: TypeAlias = int | None


def elementwise(
    kernel: Kernel, x: npt.ArrayLike, axis: Axis, out: Out, workers: Workers, *, in_out: bool
) -> Any:
    """Apply kernel(x, out, room) to the rows of `x`; `in_out`: `out` may be its room."""
    array = rows.as_floating(x)
    axes = rows.normalized_axes(axis, array.ndim)
    result = _result(out, array, array.shape)
    logits = rows.rows_last(_apart(array, out), axes)
    target = rows.rows_last(result, axes)
    in_out &= target.flags.c_contiguous and target.itemsize > 2
    in_out &= out is None or not np.may_share_memory(logits, out)
    row_bytes = logits.shape[-1] * RANGES[array.itemsize].working.dtype.itemsize
    height = ROOM_BYTES // (SUMS_BYTES + row_bytes)
    if in_out:
        height = min(BLOCK_BYTES // row_bytes, ROOM_BYTES // SUMS_BYTES)
    _run(kernel, (logits, target), height, None if in_out else logits.shape[-1], workers)
    if len(axes) > 1 and not np.may_share_memory(target, result):
        result[...] = rows.rows_back(target, axes, result.shape)
    return result if result.ndim or out is not None else result[()]


def reduction(
    kernel: Kernel,
    x: npt.ArrayLike,
    axis: Axis,
    out: Out,
    workers: Workers,
    *,
    keepdims: bool = False,
    labels: npt.ArrayLike | None = None,
) -> Any:
    """Apply kernel(x, out, room), or kernel(x, labels, out, room), to the rows of `x`."""
    array = rows.as_floating(x)
    axes = rows.normalized_axes(axis, array.ndim)
    batch = rows.batch_shape(array.shape, axes)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape)) if keepdims else batch
    result = _result(out, array, shape)
    apart = array if out is None or not np.may_share_memory(array, out) else array.copy()
    logits, target = rows.rows_last(apart, axes), result.reshape(batch)
    arrays = [logits, target]
    if labels is not None:
        arrays.insert(1, rows.checked_labels(labels, batch, logits.shape[-1]))
    width = min(logits.shape[-1], LONG)
    height = ROOM_BYTES // (SUMS_BYTES + width * RANGES[array.itemsize].working.dtype.itemsize)
    _run(kernel, tuple(arrays), height if width == logits.shape[-1] else 1, width, workers)
    return result[()] if out is None else result


def _result(out: Out, x: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    if out is None:
        return np.empty(shape, x.dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, not {type(out).__name__}")
    if out.dtype != x.dtype:
        raise TypeError(f"out must have dtype {x.dtype}, not {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, not {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    return out


def _apart(x: FloatArray, out: Out) -> FloatArray:
    """The input, copied when `out` covers it in part or in another order, as ufuncs do."""
    if out is None or not np.may_share_memory(x, out):
        return x
    place, other = x.__array_interface__, out.__array_interface__
    same = place["data"] == other["data"] and x.strides == out.strides
    return x if same else x.copy()


def _run(kernel: Kernel, arrays: Arrays, height: int, width: int | None, workers: Workers) -> None:
    """Call the kernel on blocks of so many rows, in room of that height, or in `out`.

    The first array is (..., K), the last the result.
    """
    count = 1 if workers is None or workers == 1 else _number_of(workers)
    logits = arrays[0]
    if not logits.size:
        return
    number = logits.size // logits.shape[-1]
    height = min(max(1, height), number)
    working = RANGES[logits.itemsize].working.dtype

    def work(blocks: Iterator[Arrays]) -> None:
        with np.errstate(all="ignore"):
            room = None if width is None else np.empty((height, width), working)
            for block in blocks:
                out = block[-1]
                kernel(*block, out if room is None else room[: len(out)])

    blocks = _blocks(arrays, logits.ndim - 1, height)
    count = min(count, math.ceil(number / height))
    if count == 1:
        work(blocks)
        return
    with ThreadPoolExecutor(count) as pool:
        # If one raises, `map` cancels what has not begun.
        for _ in pool.map(lambda block: work(iter((block,))), blocks):
            pass


def _blocks(arrays: Arrays, batch: int, height: int) -> Iterator[Arrays]:
    """The arrays with one axis in place of `batch` leading ones, cut into blocks, never copied."""
    if batch > 1 and not all(_merge(a, batch) for a in arrays):
        for index in range(len(arrays[0])):
            yield from _blocks(tuple(a[index] for a in arrays), batch - 1, height)
        return
    number = math.prod(arrays[0].shape[:batch])
    merged = tuple(a.reshape(number, *a.shape[batch:]) for a in arrays)
    for start in range(0, number, height):
        yield tuple(a[start : start + height] for a in merged)


def _merge(array: npt.NDArray[Any], batch: int) -> bool:
    """Whether the leading axes can be seen as one."""
    axes = [(n, s) for n, s in zip(array.shape[:batch], array.strides, strict=False) if n != 1]
    return all(s == inner * n for (_, s), (n, inner) in itertools.pairwise(axes))


def _number_of(workers: int) -> int:
    """SciPy's convention: -1 is all cores, -2 all but one."""
    count, cores = operator.index(workers), os.cpu_count() or 1
    if count < 0:
        count += 1 + cores
    if count <= 0:
        raise ValueError(f"workers must be positive, or at least -{cores}, not {workers}")
    return count
