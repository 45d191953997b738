"""Row families: numbered supplies of rows, cut into chunks. Knows no subject.

A chunk is a pure function of family, format and number, and so is every block of it: what one
machine draws, every other draws, too. Families with every row of a kind are exhaustive, and end;
the others go on for as long as anyone asks. Labels run through the columns.

    x0                  [x, 0] for every x of the format, NaN and infinities among them
    pairs               every pair of finite numbers, up to order
    normal:K:SCALE      K normal logits
    ulps:K              K logits uniform in ulp distance: every finite number alike
    confident:K         normal logits, one of which is 5 to 120 above the others
    offset:K:DISTANCE   normal logits, all of them that far from 0
    masked:K            normal logits, of which each is -inf with probability 1/2, one excepted
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import SEED, Batch
from numerics.formats import FloatArray, Format

CHUNK = 2**22
"""Rows of a chunk."""
BLOCK_LOGITS = 2**18
"""Logits that are made at a time, at most: a block has the largest power of two of rows below."""
LONGEST = 2**16

Rows: TypeAlias = tuple[int, int]
"""The first row of a block, and the first one after it."""


class FamilyError(ValueError):
    """No such family, or not in that format; the message is one line that names it."""


@dataclass(frozen=True)
class Family:
    """A supply of rows with `width` logits each.

    `size` is how many there are in a format, None where there is no end; `block` makes rows a to b,
    which lie in one block.
    """

    name: str
    width: int
    size: Callable[[Format], int | None]
    block: Callable[[Format, int, int], FloatArray]

    def chunks(self, format: Format, rows: int = CHUNK) -> int | None:
        """How many chunks of so many rows there are; the last one may be shorter."""
        size = self.size(format)
        return None if size is None else -(-size // rows)

    def range(self, format: Format, number: int, rows: int = CHUNK) -> range:
        """The numbers of the rows of a chunk."""
        size, end = self.size(format), (number + 1) * rows
        return range(number * rows, end if size is None else min(end, size))

    def blocks(self, format: Format, number: int, rows: int = CHUNK) -> Iterator[tuple[int, Batch]]:
        """The rows of a chunk, and the number of the first one of each block.

        A chunk has a power of two of rows, and so does a block.
        """
        of_chunk, step = self.range(format, number, rows), min(block_rows(self.width), rows)
        end = of_chunk.stop
        for start in of_chunk[::step]:
            x = self.block(format, start, min(start + step, end))
            labels = np.arange(start, start + len(x)) % self.width
            yield start, Batch(x, labels.astype(np.intp))


def block_rows(width: int) -> int:
    """Rows of a block: a power of two.

    >>> block_rows(2), block_rows(600)
    (131072, 256)
    """
    return 1 << ((BLOCK_LOGITS // width).bit_length() - 1)


def named(text: str, format: Format) -> Family:
    """The family of a name such as `x0` or `normal:5:3`; FamilyError for any other.

    >>> from numerics import FP16, FP32
    >>> named("pairs", FP16).size(FP16)
    2015394816
    >>> named("normal:5", FP32)
    Traceback (most recent call last):
    ...
    bench.inputs.families.FamilyError: 'normal:5': expected normal:K:SCALE
    """
    kind, *given = text.split(":")
    if kind not in KINDS:
        raise FamilyError(f"{text!r}: no such family; there are {', '.join(SHAPES.values())}")
    make, names = KINDS[kind]
    try:
        values = [_whole(v) if n == "K" else _size(v) for n, v in zip(names, given, strict=True)]
    except ValueError:
        raise FamilyError(f"{text!r}: expected {SHAPES[kind]}") from None
    family = make(text, *values)
    if kind == "pairs" and format.bits != 16:
        raise FamilyError(f"{text!r}: of formats of 16 bits, not of {format.name}")
    return family


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LONGEST):
        raise ValueError
    return int(text)


def _size(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError
    return value


# --- Exhaustive ----------------------------------------------------------------------------------


def _beside_zero(name: str) -> Family:
    return Family(name, 2, lambda format: 2**format.bits, _every_beside_zero)


def _every_beside_zero(format: Format, start: int, stop: int) -> FloatArray:
    x = np.zeros((stop - start, 2), format.dtype)
    x[:, 0] = np.arange(start, stop, dtype=np.uint64).astype(_integer(format)).view(format.dtype)
    return x


def _pairs(name: str) -> Family:
    return Family(name, 2, lambda format: _triangle(2 * _magnitudes(format)), _every_pair)


def _magnitudes(format: Format) -> int:
    """Finite numbers of one sign, a zero among them; their bits are the smallest integers."""
    return (2 * format.max_exponent + 1) << (format.precision - 1)


def _triangle(n: int) -> int:
    return n * (n + 1) // 2


def _every_pair(format: Format, start: int, stop: int) -> FloatArray:
    """Row n is the pair (i, j) with i (i + 1) / 2 + j = n and j <= i, of the finite numbers."""
    n = np.arange(start, stop)
    i = ((np.sqrt(8.0 * n + 1.0) - 1) / 2).astype(np.int64)
    i -= _triangles(i) > n  # where the square root was rounded up
    i += _triangles(i + 1) <= n
    both = np.stack([i, n - _triangles(i)], axis=1)
    return _finite(both.astype(np.uint64), format)


def _triangles(n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    result: npt.NDArray[np.int64] = n * (n + 1) // 2
    return result


def _finite(number: npt.NDArray[np.uint64], format: Format) -> FloatArray:
    """Finite numbers by their place: 0 and what is above it, then -0 and what is below."""
    count = np.uint64(_magnitudes(format))
    sign = np.uint64(1 << (8 * format.dtype.itemsize - 1))
    codes = np.where(number < count, number, number - count + sign)
    result: FloatArray = codes.astype(_integer(format)).view(format.dtype)
    return result


def _integer(format: Format) -> np.dtype[np.unsignedinteger[npt.NBitBase]]:
    return np.dtype(f"u{format.dtype.itemsize}")


# --- Random --------------------------------------------------------------------------------------

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int], Format], npt.ArrayLike]


def _random(name: str, width: int, draw: Draw) -> Family:
    def block(format: Format, start: int, stop: int) -> FloatArray:
        # A block is drawn whole, so that its rows do not depend on where a chunk ends.
        step = block_rows(width)
        number = start // step
        rng = np.random.default_rng([SEED, number, *format.name.encode(), *name.encode()])
        with np.errstate(over="ignore"):
            x = np.asarray(draw(rng, (step, width), format)).astype(format.dtype)
        return x[start - number * step : stop - number * step]

    return Family(name, width, lambda format: None, block)


def _normal(name: str, width: int, scale: float) -> Family:
    return _random(name, width, lambda rng, shape, format: rng.normal(scale=scale, size=shape))


def _uniform_in_ulps(name: str, width: int) -> Family:
    def draw(rng: np.random.Generator, shape: tuple[int, int], format: Format) -> FloatArray:
        return _finite(rng.integers(0, 2 * _magnitudes(format), shape, np.uint64), format)

    return _random(name, width, draw)


def _confident(name: str, width: int) -> Family:
    def draw(rng: np.random.Generator, shape: tuple[int, int], format: Format) -> FloatArray:
        x = rng.normal(size=shape)
        at = rng.integers(0, width, len(x))
        x[np.arange(len(x)), at] = x.max(axis=1) + rng.uniform(5, 120, len(x))
        return x

    return _random(name, width, draw)


def _offset(name: str, width: int, distance: float) -> Family:
    return _random(
        name, width, lambda rng, shape, format: rng.normal(scale=3.0, size=shape) + distance
    )


def _masked(name: str, width: int) -> Family:
    def draw(rng: np.random.Generator, shape: tuple[int, int], format: Format) -> FloatArray:
        x = rng.normal(scale=3.0, size=shape)
        masked = rng.random(shape) < 0.5
        masked[np.arange(len(x)), rng.integers(0, width, len(x))] = False
        x[masked] = -np.inf
        return x

    return _random(name, width, draw)


KINDS: dict[str, tuple[Callable[..., Family], tuple[str, ...]]] = {
    "x0": (_beside_zero, ()),
    "pairs": (_pairs, ()),
    "normal": (_normal, ("K", "SCALE")),
    "ulps": (_uniform_in_ulps, ("K",)),
    "confident": (_confident, ("K",)),
    "offset": (_offset, ("K", "DISTANCE")),
    "masked": (_masked, ("K",)),
}
"""How a family is made, and what follows its name."""
SHAPES = {kind: ":".join((kind, *names)) for kind, (_, names) in KINDS.items()}
