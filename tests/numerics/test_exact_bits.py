"""`exact` gives the same bits for every layout, batch, thread and version, in little memory."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

from bench.measure import corpus
from numerics import FORMATS, METHODS, OPERATIONS, Format
from numerics.exact import exact_softmax
from numerics.method import arguments
from tests.truth import bits, mismatches, results

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


@FORMAT
def test_the_corpus_is_rounded_correctly(format: Format) -> None:
    for length, rows in corpus.LENGTHS.items():
        assert mismatches(corpus.rows(format, length, rows)[: 2000 // length], format) == []


def test_the_corpus_gives_the_bits_that_are_committed() -> None:
    assert corpus.digests() == corpus.committed()


@FORMAT
def test_layout_axis_and_batch_change_no_bit(format: Format) -> None:
    for length, rows in corpus.LENGTHS.items():
        x = corpus.rows(format, length, rows)
        labels = np.arange(rows) % length
        before = {name: bits(got) for name, got in results(x, labels).items()}
        spaced = np.zeros((rows, 2 * length), format.dtype)
        spaced[:, ::2] = x
        mixed = np.concatenate([np.full((1, length), np.nan, format.dtype), x * 0 - 100, x])
        for other in (np.asfortranarray(x), spaced[:, ::2], x.astype(x.dtype.newbyteorder())):
            assert {name: bits(got) for name, got in results(other, labels).items()} == before
        assert bits(exact_softmax(x.T, axis=0).T) == before["softmax"]
        beside = np.concatenate([np.zeros(rows + 1, np.intp), labels])
        for name, got in results(mixed, beside).items():
            assert bits(got[rows + 1 :]) == before[name]
        alone = [results(x[i : i + 1], labels[i : i + 1]) for i in range(rows)]
        for name, expected in before.items():
            assert bits(np.concatenate([one[name] for one in alone])) == expected


def test_concurrent_calls_give_the_same_bits() -> None:
    x = corpus.rows(FORMATS["fp64"], 41, 40)
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
    x = np.zeros((max(1, 8 * 2**20 // format.dtype.itemsize // length), length), format.dtype)
    x[:, 0] = 3.0
    exact_softmax(x[:1])  # tables
    for operation in OPERATIONS:
        f, given = getattr(METHODS["exact"], operation), arguments(operation, x, 0)
        tracemalloc.start()
        result = f(*given)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= result.nbytes + 8 * 2**20
