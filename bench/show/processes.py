"""Work in all cores: the same results in the same order as one after another."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")


def cores() -> int:
    """How many this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def in_order(
    work: Callable[[J], R], jobs: Sequence[J], processes: int | None = None
) -> Iterator[R]:
    """The results of all jobs; jobs, results and work have to be fit for pickle."""
    with begun(work, jobs, processes) as results:
        yield from results


@contextmanager
def begun(
    work: Callable[[J], R], jobs: Sequence[J], processes: int | None = None
) -> Iterator[Iterator[R]]:
    """As `in_order`; other processes are at work while this one does something else.

    Without several jobs and cores nothing is started: a new process takes a second to import what
    it draws with. It starts empty (`spawn`), since a copy of one with threads may hang.
    """
    count = min(cores() if processes is None else processes, len(jobs))
    if count < 2:
        yield map(work, jobs)
        return
    pool = ProcessPoolExecutor(count, get_context("spawn"), _quiet)
    try:
        yield pool.map(work, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _quiet() -> None:
    """An interruption is for the process that was started by hand, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
