"""Exact values of cases, computed in other processes while a subject is asked.

In processes of their own, since a subject may tell the processor to flush subnormal numbers.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import Protocol, TypeAlias

from bench.inputs.cases import Case
from bench.inputs.formats import FORMATS
from bench.inputs.probes import named
from bench.truth.exact import Exact
from bench.truth.reference import children_deaf_to_ctrl_c
from bench.truth.values import exact_values
from numerics.method import LABELLED

Key: TypeAlias = tuple[str, str, str]
"""Operation, case, format."""
AHEAD = 32
"""So many are under way, so that a slow subject is not waited for with all of them in memory."""


class Truth(Protocol):
    """Where exact values come from."""

    def __call__(self, key: Key) -> list[Exact] | None:
        """One for each batch; None where a label is out of range."""
        ...


def of(key: Key) -> list[Exact] | None:
    """Computed here and now."""
    operation, case, format_name = key
    return computed(operation, named(case), format_name)


kept = lru_cache(maxsize=512)(of)
"""Computed once in this process."""


def computed(operation: str, case: Case, format_name: str) -> list[Exact] | None:
    """The values of a case; None where a label is out of range of an operation that has some."""
    format = FORMATS[format_name]
    batches = case.batches(format)
    if operation in LABELLED and not all(b.labels_in_range for b in batches):
        return None
    return exact_values(operation, batches, format)


class Ahead:
    """Values that are asked for in the order of `keys`, a few of them under way."""

    def __init__(self, pool: ProcessPoolExecutor, keys: Sequence[Key]) -> None:  # noqa: D107
        self._pool, self._waiting = pool, deque(keys)
        self._running: dict[Key, Future[list[Exact] | None]] = {}
        self._fill()

    def __call__(self, key: Key) -> list[Exact] | None:
        """What was computed, or is now."""
        while key not in self._running and key in self._waiting:
            self._start(self._waiting.popleft())
        running = self._running.pop(key, None)
        self._fill()
        return of(key) if running is None else running.result()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < AHEAD:
            self._start(self._waiting.popleft())

    def _start(self, key: Key) -> None:
        self._running[key] = self._pool.submit(of, key)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """A process for each core."""
    pool = ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn"))
    try:
        with children_deaf_to_ctrl_c():
            for _ in range(os.cpu_count() or 1):
                pool.submit(os.getpid)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
