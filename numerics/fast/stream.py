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
from numerics.fast.kernels import PART_BYTES, range_of
from numerics.formats import FloatArray
from numerics.rows import Axis

BLOCK_BYTES = 2**22  # most bytes of a block that is worked on in the result itself
ROOM_BYTES = 2**20 - 3 * PART_BYTES - 2**15  # a worker takes 1 MiB next to input and output
SUMS_BYTES = 32  # bytes that a kernel takes for the numbers of a row, such as its sum

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]
Kernel: TypeAlias = Callable[..., None]
Out: TypeAlias = FloatArray | None
Cores: TypeAlias = int | None


def apply(
    kernel: Kernel,
    x: npt.ArrayLike,
    axis: Axis,
    out: Out,
    workers: Cores,
    *,
    in_out: bool = False,
    reduces: bool = True,
    keepdims: bool = False,
    labels: npt.ArrayLike | None = None,
) -> Any:
    """Apply kernel(x, out, room), or kernel(x, labels, out, room), to the rows of `x`.

    `in_out`: `out` may be its room. `reduces`: it has a number for each row, with `keepdims` along
    axes of length 1.
    """
    array = rows.as_floating(x)
    axes = rows.normalized_axes(axis, array.ndim)
    shape = batch = rows.batch_shape(array.shape, axes)
    if keepdims or not reduces:
        shape = tuple(1 if keepdims and a in axes else n for a, n in enumerate(array.shape))
    result = _result(out, array, shape)
    logits = rows.rows_last(_apart(array, out), axes)
    target = result.reshape(batch) if reduces else rows.rows_last(result, axes)
    checked = [] if labels is None else [rows.checked_labels(labels, batch, logits.shape[-1])]
    in_out &= target.flags.c_contiguous and target.dtype == range_of(target.dtype).working.dtype
    in_out &= out is None or not np.may_share_memory(logits, out)
    _run(kernel, (logits, *checked, target), in_out, workers)
    if not reduces and len(axes) > 1 and not np.may_share_memory(target, result):
        result[...] = rows.rows_back(target, axes, shape)
    return result if shape or out is not None else result[()]


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
    same = x.__array_interface__["data"] == out.__array_interface__["data"]
    return x if same and x.strides == out.strides else x.copy()


def _run(kernel: Kernel, arrays: Arrays, in_out: bool, workers: Cores) -> None:
    """Call the kernel on blocks of rows; the first array is (..., K), the last the result."""
    logits, working = arrays[0], range_of(arrays[0].dtype).working.dtype
    length = logits.shape[-1]
    number, row = logits.size // length, length * working.itemsize
    height = ROOM_BYTES // (SUMS_BYTES + (0 if in_out else row))
    height = max(1, min(height, number, BLOCK_BYTES // row))

    def work(blocks: Iterator[Arrays]) -> None:
        with np.errstate(all="ignore"):
            room = None if in_out else np.empty((height, length), working)
            for block in blocks:
                kernel(*block, block[-1] if room is None else room[: len(block[-1])])

    blocks = _blocks(arrays, logits.ndim - 1, height)
    count = min(1 if workers is None else _number_of(workers), math.ceil(number / height))
    if count <= 1:
        work(blocks)
    else:
        with ThreadPoolExecutor(count) as pool:  # if one raises, what has not begun is cancelled
            list(pool.map(lambda block: work(iter((block,))), blocks))


def _blocks(arrays: Arrays, batch: int, height: int) -> Iterator[Arrays]:
    """The arrays with one axis in place of `batch` leading ones, cut into blocks, never copied."""
    if batch > 1 and not all(_merge(a, batch) for a in arrays):
        for index in range(len(arrays[0])):
            yield from _blocks(tuple(a[index] for a in arrays), batch - 1, height)
        return
    number = math.prod(arrays[0].shape[:batch])
    merged = tuple(a.reshape(number, *a.shape[batch:]) for a in arrays)
    for start in range(0, number if merged[0].size else 0, height):
        yield tuple(a[start : start + height] for a in merged)


def _merge(array: npt.NDArray[Any], batch: int) -> bool:
    """Whether the leading axes can be seen as one."""
    axes = [(n, s) for n, s in zip(array.shape[:batch], array.strides, strict=False) if n != 1]
    return all(s == inner * n for (_, s), (n, inner) in itertools.pairwise(axes))


def _number_of(workers: int) -> int:
    """SciPy's convention: -1 is all cores, -2 all but one."""
    count, cores = operator.index(workers), os.cpu_count() or 1
    count += 1 + cores if count < 0 else 0
    if count <= 0:
        raise ValueError(f"workers must be positive, or at least -{cores}, not {workers}")
    return count
