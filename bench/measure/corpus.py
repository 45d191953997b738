"""The corpus of `exact`: rows that every version of everything makes alike, and what comes of them.

Correctly rounded results are the same bits everywhere, so their sha256 is committed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np

from bench.runs.committed import CORPUS
from numerics import FORMATS, METHODS, OPERATIONS
from numerics.formats import FloatArray, Format
from numerics.method import arguments

LENGTHS = {1: 20, 2: 200, 5: 200, 41: 40, 600: 9, 5000: 2}
"""How many rows there are, by K."""


def rows(format: Format, length: int, count: int) -> FloatArray:
    """Multiples of 2^-8, of up to 2^7, from sha256 alone: no version of a generator matters."""
    stream = _stream(f"{format.name} {length}")
    numbers = [next(stream) * 256 + next(stream) for _ in range(count * length)]
    x = (np.array(numbers, np.float64).reshape(count, length) - 2**15) / 2**8
    return (x / 2.0 ** (np.arange(count) % 9)[:, np.newaxis]).astype(format.dtype)


def _stream(name: str) -> Iterator[int]:
    for block in range(2**20):
        yield from hashlib.sha256(f"{name} {block}".encode()).digest()


def digests() -> dict[str, str]:
    """sha256 of all outputs of the corpus, little-endian, by operation and format."""
    found = {}
    for format in FORMATS.values():
        arrays = [rows(format, length, count) for length, count in LENGTHS.items()]
        for operation in OPERATIONS:
            digest = hashlib.sha256()
            for x in arrays:
                digest.update(_of_exact(operation, x).astype(f"<f{x.itemsize}").tobytes())
            found[f"{operation} {format.name}"] = digest.hexdigest()
    return found


def _of_exact(operation: str, x: FloatArray) -> FloatArray:
    given = arguments(operation, x, np.arange(len(x)) % x.shape[1])
    result: FloatArray = getattr(METHODS["exact"], operation)(*given)
    return result


def committed() -> dict[str, str]:
    """What `digests` must give."""
    found: dict[str, str] = json.loads(CORPUS.read_text(encoding="utf-8"))
    return found
