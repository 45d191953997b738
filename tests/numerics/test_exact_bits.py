"""`exact` gives the same bits for every layout, batch, thread and version, in little memory."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

from bench.measure import corpus
from numerics import FORMATS, Format
from numerics.exact import exact_log_softmax, exact_log_sum_exp, exact_softmax
from tests.truth import bits, mismatches

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
    x = np.zeros((max(1, 2**24 // format.dtype.itemsize // length), length), format.dtype)
    x[:, 0] = 3.0
    exact_softmax(x[:1])  # tables
    for operation in (exact_softmax, exact_log_softmax, exact_log_sum_exp):
        tracemalloc.start()
        result = operation(x)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= result.nbytes + 8 * 2**20
