"""The ways to pass the same rows, each as a row of a table.

`ask(call, x, labels)` passes the rows of `x`, shape (rows, K), and returns outputs row by row with
the number of the row that each belongs to. `call` is `asking.Ask`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.measure.asking import Answer, Ask, answer
from bench.subjects.subject import Subject
from numerics.formats import FloatArray
from numerics.rows import Labels

Asked: TypeAlias = tuple[FloatArray, npt.NDArray[np.intp]]
THREADS, TURNS, MANY = 4, 8, 600
LARGE = 2**22
SHORT = 1000


@dataclass(frozen=True)
class Presentation:
    """A way to pass rows.

    `words` is what a result depends on if it is another one this way. `over_axis`: for subjects
    that take an axis. `may_refuse`: a clear error is no defect. `fits`: for rows of which shape;
    `long`: for those of a whole vocabulary, too.
    """

    name: str
    words: str
    ask: Callable[[Ask, FloatArray, Labels], Asked]
    over_axis: bool = False
    may_refuse: bool = False
    fits: Callable[[int, int], bool] = lambda rows, K: True
    long: bool = False

    def takes(self, rows: int, K: int) -> bool:
        """Whether rows of a shape are passed this way."""
        return self.fits(rows, K) and (self.long or K <= SHORT)


def _each(x: FloatArray) -> npt.NDArray[np.intp]:
    return np.arange(len(x))


# --- Memory --------------------------------------------------------------------------------------


def _laid_out(arrange: Callable[[FloatArray], Any]) -> Callable[[Ask, FloatArray, Labels], Asked]:
    """Rows in other memory, the same array otherwise."""
    return lambda call, x, y: (call(arrange(x), y), _each(x))


def _strided(x: FloatArray) -> FloatArray:
    wide = np.full((x.shape[0], 2 * x.shape[1]), 7, x.dtype)
    wide[:, ::2] = x
    return wide[:, ::2]


def _every_other_row(x: FloatArray) -> FloatArray:
    tall = np.full((2 * x.shape[0], x.shape[1]), 7, x.dtype)
    tall[::2] = x
    return tall[::2]


def _read_only(x: FloatArray) -> FloatArray:
    frozen = x.copy()
    frozen.flags.writeable = False
    return frozen


def _unaligned(x: FloatArray) -> FloatArray:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    moved: FloatArray = memory[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


# --- Axes ----------------------------------------------------------------------------------------


def _axis_0(call: Ask, x: FloatArray, y: Labels) -> Asked:
    return call.back(call(np.ascontiguousarray(x.T), y, axis=0), (1, 0)), _each(x)


def _axis_0_of_a_view(call: Ask, x: FloatArray, y: Labels) -> Asked:
    return call.back(call(x.T, y, axis=0), (1, 0)), _each(x)


def _grid(x: FloatArray) -> tuple[int, int]:
    """Two numbers of which the rows are the product."""
    first = max(n for n in range(1, int(len(x) ** 0.5) + 1) if len(x) % n == 0)
    return first, len(x) // first


def _of_three(place: int, axis: int) -> Callable[[Ask, FloatArray, Labels], Asked]:
    """K at a place of three axes."""

    def ask(call: Ask, x: FloatArray, y: Labels) -> Asked:
        a, b = _grid(x)
        cube = np.ascontiguousarray(np.moveaxis(x.reshape(a, b, -1), -1, place))
        got = call(cube, y.reshape(a, b), axis=axis)
        rows = np.moveaxis(got, place, -1) if call.elementwise else got
        return rows.reshape(len(x), *x.shape[1:] * call.elementwise), _each(x)

    return ask


def _of_four(call: Ask, x: FloatArray, y: Labels) -> Asked:
    """K as the second of four axes, the last of which has length 1."""
    a, b = _grid(x)
    whole = np.ascontiguousarray(x.reshape(a, b, 1, -1).transpose(0, 3, 1, 2))
    got = call(whole, y.reshape(a, b, 1), axis=1)
    rows = np.moveaxis(got, 1, -1) if call.elementwise else got
    return rows.reshape(len(x), *x.shape[1:] * call.elementwise), _each(x)


def _beside_axes_of_1(call: Ask, x: FloatArray, y: Labels) -> Asked:
    parts = [call(row.reshape(-1, 1, 1), y[i].reshape(1, 1), axis=0) for i, row in enumerate(x)]
    return np.stack([part.reshape(x.shape[1:] * call.elementwise) for part in parts]), _each(x)


def _over_a_length_of_1(call: Ask, x: FloatArray, y: Labels) -> Asked:
    got = call(x[:, np.newaxis], y[:, np.newaxis], axis=-1)
    return got.reshape(len(x), *x.shape[1:] * call.elementwise), _each(x)


# --- Batches -------------------------------------------------------------------------------------


def _in_batches(*sizes: int) -> Callable[[Ask, FloatArray, Labels], Asked]:
    """Calls with so many rows each, over and over."""

    def ask(call: Ask, x: FloatArray, y: Labels) -> Asked:
        found: list[FloatArray] = []
        index: list[npt.NDArray[np.intp]] = []
        start = 0
        while start < len(x):
            size = sizes[len(found) % len(sizes)]
            rows = np.arange(start, start + size) % len(x)
            found.append(call(x[rows], y[rows]))
            index.append(rows)
            start += size
        return np.concatenate(found), np.concatenate(index)

    return ask


def _tiled(
    rows: Callable[[int], int], axis: int | None
) -> Callable[[Ask, FloatArray, Labels], Asked]:
    """One call with the rows over and over, until there are so many."""

    def ask(call: Ask, x: FloatArray, y: Labels) -> Asked:
        index = np.arange(rows(x.shape[1])) % len(x)
        if axis is None:
            return call(x[index], y[index]), index
        return call.back(call(np.ascontiguousarray(x[index].T), y[index], axis), (1, 0)), index

    return ask


def _alone(call: Ask, x: FloatArray, y: Labels) -> Asked:
    return np.stack([call(row, label[()]) for row, label in zip(x, y, strict=True)]), _each(x)


def _none(call: Ask, x: FloatArray, y: Labels) -> Asked:
    return call(x[:0], y[:0]), _each(x)[:0]


def _poisoned(call: Ask, x: FloatArray, y: Labels) -> Asked:
    """Every row between two of NaN, of +inf, of -inf alone."""
    found = []
    for poison in (np.nan, np.inf, -np.inf):
        wide = np.full((2 * len(x) + 1, x.shape[1]), poison, x.dtype)
        labels = np.zeros(len(wide), y.dtype)
        wide[1::2], labels[1::2] = x, y
        found.append(call(wide, labels)[1::2])
    return np.concatenate(found), np.tile(_each(x), 3)


# --- Turns ---------------------------------------------------------------------------------------


def _other(x: FloatArray) -> FloatArray:
    """Rows of the same shape, memory and first logit, and of other values."""
    other = np.ascontiguousarray(x[:, ::-1]) * x.dtype.type(0.5)
    other[:, 0] = x[:, 0]
    return other


def _twice(call: Ask, x: FloatArray, y: Labels) -> Asked:
    return np.concatenate([call(x, y), call(x, y)]), np.tile(_each(x), 2)


def _after_others(call: Ask, x: FloatArray, y: Labels) -> Asked:
    """In new memory and in memory that held other rows: both have been remembered by some.

    Two of each row, a shape in which others come first: right results are remembered, too.
    """
    index = np.tile(_each(x), 2)
    both, labels = x[index], y[index]
    memory = _other(both)
    call(memory, labels)
    call(_other(x[:, :1]), y * 0)
    memory[...] = both
    return np.concatenate([call(memory, labels), call(both, labels)]), np.tile(index, 2)


def _kept(call: Ask, x: FloatArray, y: Labels) -> Asked:
    first = call.live(x, y)
    for _ in range(2):
        call.live(_other(x), y)
    return np.array(first), _each(x)


def _many(call: Ask, x: FloatArray, y: Labels) -> Asked:
    found = [call(x[:1], y[:1]) for _ in range(MANY)]
    return np.concatenate(found), np.zeros(MANY, np.intp)


def _threads(call: Ask, x: FloatArray, y: Labels) -> Asked:
    """Each thread with the rows in another order; the first error of any is raised."""
    found: list[Asked] = []
    errors: list[BaseException] = []
    together = threading.Barrier(THREADS)

    def work(turn: int) -> None:
        try:
            rows = np.roll(_each(x), 5 * turn)
            mine, labels = x[rows], y[rows]
            together.wait(timeout=60)
            found.extend((call(mine, labels), rows) for _ in range(TURNS))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(turn,), daemon=True) for turn in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    outputs, index = zip(*found, strict=True)
    return np.concatenate(outputs), np.concatenate(index)


PLAIN = Presentation("plain", "nothing", lambda call, x, y: (call(x, y), _each(x)))

PRESENTATIONS: tuple[Presentation, ...] = (
    PLAIN,
    Presentation("twice in a row", "earlier calls", _twice),
    Presentation("after other rows", "earlier calls", _after_others),
    Presentation("result kept while the next is computed", "later calls", _kept),
    Presentation("many times", "earlier calls", _many, fits=lambda rows, K: K == 3),
    Presentation("four threads", "other threads", _threads, fits=lambda rows, K: K in (3, 100)),
    Presentation("F order", "memory order", _laid_out(np.asfortranarray), may_refuse=True,
                 long=True),
    Presentation("strided", "strides", _laid_out(_strided), may_refuse=True, long=True),
    Presentation("every other row", "strides", _laid_out(_every_other_row), may_refuse=True),
    Presentation("reversed", "the direction of strides",
                 _laid_out(lambda x: x[::-1, ::-1].copy()[::-1, ::-1]), may_refuse=True),
    Presentation("read-only", "whether it may be written to", _laid_out(_read_only),
                 may_refuse=True),
    Presentation("other byte order", "byte order",
                 _laid_out(lambda x: x.astype(x.dtype.newbyteorder())), may_refuse=True),
    Presentation("unaligned", "alignment", _laid_out(_unaligned), may_refuse=True),
    Presentation("axis 0", "the place of the axis", _axis_0, True, True, long=True),
    Presentation("axis 0 of a view", "the place of the axis", _axis_0_of_a_view, True, True),
    Presentation("axis counted from the front", "how the axis is counted",
                 lambda call, x, y: (call(x, y, axis=1), _each(x)), True, True),
    Presentation("first of three axes", "the place of the axis", _of_three(0, 0), True, True),
    Presentation("middle of three axes", "the place of the axis", _of_three(1, 1), True, True,
                 long=True),
    Presentation("middle of three axes, counted from the end", "the place of the axis",
                 _of_three(1, -2), True, True),
    Presentation("last of three axes", "the number of axes", _of_three(2, -1), True, True),
    Presentation("second of four axes", "the number of axes", _of_four, True, True),
    Presentation("first of three axes, beside axes of 1", "the place of the axis",
                 _beside_axes_of_1, True, True),
    Presentation("last axis, beside one of 1", "the number of axes", _over_a_length_of_1,
                 True, True),
    Presentation("row alone, 1-D", "the batch around a row", _alone, may_refuse=True, long=True),
    Presentation("row alone", "the batch around a row", _in_batches(1)),
    Presentation("7 rows", "the number of rows", _in_batches(7)),
    Presentation("2 to 9 rows", "the number of rows", _in_batches(2, 9, 3, 8, 4, 6, 5)),
    Presentation("no rows", "whether there are rows", _none),
    Presentation("special neighbours", "the batch around a row", _poisoned,
                 fits=lambda rows, K: K != 1),
    Presentation("256 rows", "the number of rows", _tiled(lambda K: 256, None),
                 fits=lambda rows, K: K >= 100),
    Presentation("4,097 rows", "the number of rows", _tiled(lambda K: 4097, None),
                 fits=lambda rows, K: K in (5, 100)),
    Presentation("70,000 rows", "the number of rows", _tiled(lambda K: 70_000, None),
                 fits=lambda rows, K: K == 5),
    Presentation("2^22 numbers", "the size of the array",
                 _tiled(lambda K: LARGE // K + 1, None), fits=lambda rows, K: K == 1000),
    Presentation("256 rows, axis 0", "the place of the axis", _tiled(lambda K: 256, 0), True, True,
                 fits=lambda rows, K: K in (5, 1000)),
    Presentation("70,000 rows, axis 0", "the place of the axis", _tiled(lambda K: 70_000, 0),
                 True, True, fits=lambda rows, K: K == 5),
)  # fmt: skip
BY_NAME = {one.name: one for one in PRESENTATIONS}


@dataclass(frozen=True)
class Presented:
    """A task: batches presented one way to one operation."""

    operation: str
    presentation: str
    batches: Sequence[Batch]

    def __call__(self, subject: Subject) -> list[Answer]:
        """An answer for each batch."""
        way, call = BY_NAME[self.presentation], Ask(subject, self.operation)
        found = []
        for batch in self.batches:
            x, labels = batch.x.copy(), batch.labels % batch.x.shape[1]
            found.append(answer(lambda *rows: way.ask(call, *rows), x, labels, way.may_refuse))
        return found
