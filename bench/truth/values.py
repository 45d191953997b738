"""The exact values of batches of rows, wherever they come from: the one place to ask.

Most come from the certified oracle. Rows whose values are known in closed form (special rows by the
policy, and equal logits, which no enclosure ever tells from a midpoint) come from mpmath, once for
each length. Rows of many lengths are asked together, filled up with -inf, which changes no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.inputs.kinds import KINDS, SPECIAL, kinds_of
from bench.truth import certified
from bench.truth.exact import LAYOUT, Exact, unpack
from bench.truth.reference import row_values
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE
from numerics.rows import at_least_fp32

TOGETHER = 2**15
"""So many logits of rows of several lengths are asked at once."""
_SPECIAL = [KINDS.index(kind) for kind in SPECIAL]


def exact_values(operation: str, batches: Sequence[Batch], format: Format) -> list[Exact]:
    """The values of an operation on each batch, flat in the order of rows and columns."""
    found: list[npt.NDArray[np.void]] = []
    for group in _groups(batches):
        found += _of_group(operation, group, format)
    return [unpack(packed) for packed in found]


def _groups(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Neighbours of nearly the same length that are small enough to be asked together."""
    group: list[Batch] = []
    for batch in batches:
        longest = max([batch.x.shape[1], *(one.x.shape[1] for one in group)])
        rows = len(batch.x) + sum(len(one.x) for one in group)
        shortest = min([batch.x.shape[1], *(one.x.shape[1] for one in group)])
        if group and (rows * longest > TOGETHER or longest > 2 * shortest):
            yield group
            group = []
        group.append(batch)
    if group:
        yield group


def _of_group(operation: str, group: Sequence[Batch], format: Format) -> list[npt.NDArray[np.void]]:
    found = [_empty(operation, batch) for batch in group]
    places: list[tuple[int, int]] = []
    rows: list[FloatArray] = []
    labels: list[int] = []
    for which, batch in enumerate(group):
        for row in _known(batch):
            found[which][row] = _in_closed_form(operation, batch, row, format)
        for row in np.flatnonzero(~_is_known(batch.x)).tolist():
            places.append((which, row))
            rows.append(batch.x[row])
            labels.append(int(batch.labels[row]) % batch.x.shape[1])
    if rows:
        _fill(operation, rows, labels, format, places, found)
    return [packed.ravel() for packed in found]


def _empty(operation: str, batch: Batch) -> npt.NDArray[np.void]:
    return np.empty(batch.x.shape if operation in ELEMENTWISE else len(batch.x), LAYOUT)


def _fill(
    operation: str,
    rows: Sequence[FloatArray],
    labels: Sequence[int],
    format: Format,
    places: Sequence[tuple[int, int]],
    found: Sequence[npt.NDArray[np.void]],
) -> None:
    longest = max(row.size for row in rows)
    x = np.full((len(rows), longest), -np.inf, format.dtype)
    for filled, row in zip(x, rows, strict=True):
        filled[: row.size] = row
    packed = _packed(certified.evaluate(operation, x, np.array(labels, np.intp), format))
    packed = packed.reshape(len(rows), -1)
    for values, row, (which, at) in zip(packed, rows, places, strict=True):
        found[which][at] = values[: row.size] if operation in ELEMENTWISE else values[0]


def _packed(exact: Exact) -> npt.NDArray[np.void]:
    packed = np.empty(exact.significand.size, LAYOUT)
    for name in LAYOUT.names or ():
        packed[name] = getattr(exact, name)
    return packed


# --- In closed form ------------------------------------------------------------------------------


def _is_known(x: FloatArray) -> npt.NDArray[np.bool_]:
    """Rows that are special, or whose finite logits are equal."""
    x = at_least_fp32(x)
    kinds = kinds_of(x)
    largest = x.max(axis=1)
    least = np.where(np.isneginf(x), np.inf, x).min(axis=1)
    result: npt.NDArray[np.bool_] = np.isin(kinds, _SPECIAL) | (least == largest)
    return result


def _known(batch: Batch) -> list[int]:
    return [int(row) for row in np.flatnonzero(_is_known(batch.x))]


def _in_closed_form(
    operation: str, batch: Batch, row: int, format: Format
) -> npt.NDArray[np.void] | np.void:
    x, label = at_least_fp32(batch.x[row]), int(batch.labels[row]) % batch.x.shape[1]
    if operation == "cross_entropy_gradient":
        return _gradient_in_closed_form(batch, row, format)
    kind = KINDS[int(kinds_of(x[np.newaxis])[0])]
    if kind in SPECIAL:
        value = {"empty": -np.inf, "+inf": np.inf, "NaN": np.nan}[kind]
        return _equal(operation, value, x.size, x.size, True, format)
    masked = np.isneginf(x)
    count = int(x.size - masked.sum())
    largest = float(x.max())
    if operation not in ELEMENTWISE:
        on_mask = operation == "cross_entropy" and bool(masked[label])
        return _equal(operation, largest, count, x.size, not on_mask, format)
    result = np.empty(x.size, LAYOUT)
    for where, at_value in ((~masked, True), (masked, False)):
        if where.any():
            result[where] = _equal(operation, largest, count, x.size, at_value, format)
    return result


def _gradient_in_closed_form(batch: Batch, row: int, format: Format) -> npt.NDArray[np.void]:
    """Softmax, but at the label."""
    x, label = at_least_fp32(batch.x[row]), int(batch.labels[row]) % batch.x.shape[1]
    result = np.empty(x.size, LAYOUT)
    result[:] = _in_closed_form("softmax", batch, row, format)
    special = not np.isfinite(x.max())
    value = float(x.max())
    count = x.size if special else int(x.size - np.isneginf(x).sum())
    on_mask = not special and bool(np.isneginf(x[label]))
    result[label] = _equal("cross_entropy_gradient", value, count, x.size, not on_mask, format)
    return result


@lru_cache(maxsize=4096)
def _equal(
    operation: str, value: float, count: int, length: int, at_value: bool, format: Format
) -> np.void:
    """The output at (or beside) one of `count` equal logits among -inf."""
    label = 0 if at_value else count
    values = row_values(value, count, length, label, format)
    result: np.void = values[operation][label if operation in ELEMENTWISE else 0]
    return result
