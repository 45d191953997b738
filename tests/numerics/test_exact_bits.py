"""`exact` gives the same bits for every layout, batch, thread and version, in little memory."""

from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from numerics import FORMATS, OPERATIONS, Format
from numerics.exact import exact_log_softmax, exact_log_sum_exp, exact_softmax
from numerics.formats import FloatArray
from tests.truth import bits, mismatches, results

CORPUS = Path(__file__).with_name("exact_sha256.json")
FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


def _stream(name: str) -> Iterator[int]:
    """Bytes from sha256 alone: no version of NumPy's generators matters."""
    for block in range(2**20):
        yield from hashlib.sha256(f"{name} {block}".encode()).digest()


def corpus(format: Format, length: int, rows: int) -> FloatArray:
    """Rows that every version of everything makes alike: multiples of 2^-8 up to 2^scale."""
    stream = _stream(f"{format.name} {length}")
    numbers = [next(stream) * 256 + next(stream) for _ in range(rows * length)]
    x = (np.array(numbers, np.float64).reshape(rows, length) - 2**15) / 2**8
    return (x / 2.0 ** (np.arange(rows) % 9)[:, np.newaxis]).astype(format.dtype)


LENGTHS = {1: 20, 2: 200, 5: 200, 41: 40, 600: 9, 5000: 2}


def digests() -> dict[str, str]:
    """sha256 of all outputs of the corpus, by format and operation."""
    found = {}
    for format in FORMATS.values():
        arrays = [corpus(format, length, rows) for length, rows in LENGTHS.items()]
        labels = [np.arange(len(x)) % x.shape[1] for x in arrays]
        for operation in OPERATIONS:
            digest = hashlib.sha256()
            for x, y in zip(arrays, labels, strict=True):
                digest.update(results(x, y)[operation].astype(f"<f{x.itemsize}").tobytes())
            found[f"{operation} {format.name}"] = digest.hexdigest()
    return found


@FORMAT
def test_the_corpus_is_rounded_correctly(format: Format) -> None:
    for length, rows in LENGTHS.items():
        assert mismatches(corpus(format, length, rows)[: 2000 // length], format) == []


def test_the_corpus_gives_the_bits_that_are_committed() -> None:
    assert digests() == json.loads(CORPUS.read_text(encoding="utf-8"))


@FORMAT
def test_layout_axis_and_batch_change_no_bit(format: Format) -> None:
    for length, rows in LENGTHS.items():
        x = corpus(format, length, rows)
        before = bits(exact_softmax(x)), bits(exact_log_softmax(x)), bits(exact_log_sum_exp(x))
        spaced = np.zeros((rows, 2 * length), format.dtype)
        spaced[:, ::2] = x
        mixed = np.concatenate([np.full((1, length), np.nan, format.dtype), x * 0 - 100, x])
        for other in (np.asfortranarray(x), spaced[:, ::2], x.astype(x.dtype.newbyteorder())):
            assert bits(exact_softmax(other)) == before[0]
            assert bits(exact_log_softmax(other)) == before[1]
            assert bits(exact_log_sum_exp(other)) == before[2]
        assert bits(exact_softmax(x.T, axis=0).T) == before[0]
        assert bits(exact_softmax(mixed)[rows + 1 :]) == before[0]
        assert bits(exact_log_softmax(mixed)[rows + 1 :]) == before[1]
        one_by_one = np.concatenate([exact_log_softmax(row[np.newaxis]) for row in x])
        assert bits(one_by_one) == before[1]


def test_concurrent_calls_give_the_same_bits() -> None:
    x = corpus(FORMATS["fp64"], 41, 40)
    before, found = bits(exact_softmax(x)), []
    threads = [threading.Thread(target=lambda: found.append(exact_softmax(x))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bits(got) for got in found] == [before] * 8


@FORMAT
@pytest.mark.parametrize("length", [5, 600, 50_257, 10**6])
def test_memory_is_the_result_and_8_mib(format: Format, length: int) -> None:
    x = np.zeros((max(1, 2**24 // format.dtype.itemsize // length), length), format.dtype)
    x[:, 0] = 3.0
    exact_softmax(x[:1])  # tables
    for operation in (exact_softmax, exact_log_softmax, exact_log_sum_exp):
        tracemalloc.start()
        result = operation(x)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= result.nbytes + 8 * 2**20
