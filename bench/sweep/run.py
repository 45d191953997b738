"""Chunks through an executor: any that implements `concurrent.futures.Executor`.

No scheduler is written here. A few chunks more than there are workers are handed over at a time;
results come back by value and are kept at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.inputs import families
from bench.inputs.families import CHUNK
from bench.inputs.formats import FORMATS
from bench.subjects.subject import Subject
from bench.sweep import chunk, finished, identity, sweep_file
from bench.sweep.chunk import Task
from bench.sweep.sweep_file import SweepError
from bench.truth.reference import children_deaf_to_ctrl_c

AHEAD = 2
"""Chunks handed over for each worker."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Plan:
    """What is asked for: every family in every format, for all subjects and operations."""

    subjects: tuple[str, ...]
    operations: tuple[str, ...]
    families: tuple[str, ...]
    formats: tuple[str, ...]
    chunks: tuple[int, int] | None = None
    """From the first to before the second; all of a family that ends."""
    chunk_rows: int = CHUNK

    def tasks(self) -> list[Task]:
        """In order; SweepError for chunks that a family does not have."""
        return [
            Task(self.subjects, self.operations, family, format, number, self.chunk_rows)
            for family in self.families
            for format in self.formats
            for number in self._numbers(family, format)
        ]

    def _numbers(self, family: str, format_name: str) -> range:
        format = FORMATS[format_name]
        last = families.named(family, format).chunks(format, self.chunk_rows)
        if self.chunks is None and last is None:
            raise SweepError(f"{family}: does not end; say which chunks: --chunks 0:24")
        first, end = self.chunks or (0, last or 0)
        if last is not None and end > last:
            raise SweepError(f"{family} in {format_name}: has chunks 0:{last}, not {first}:{end}")
        return range(first, end)


def run(
    tasks: Sequence[Task],
    subjects: Mapping[str, Subject],
    executor: Executor,
    workers: int,
    folder: Path,
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Yield chunks as they are finished, those from the folder first.

    SweepError for one that does not belong here: in the folder, or from a worker that has other
    code or versions than this process.
    """
    made = identity.made(subjects)
    before = finished.find(folder, tasks, made)
    yield from before.items()
    waiting = iter([task for task in tasks if task not in before])
    running: dict[Future[dict[str, Any]], Task] = {}
    while True:
        for task in waiting:
            running[executor.submit(chunk.run, task)] = task
            if len(running) >= AHEAD * workers:
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task = running.pop(future)
            name = f"a worker's chunk {task.number} of {task.family}"
            found = finished.checked(_result(future), task, made, name)
            finished.keep(folder, task, found)
            yield task, found


def _result(future: Future[dict[str, Any]]) -> dict[str, Any]:
    try:
        return future.result()
    except BrokenExecutor:
        raise SweepError(
            "a worker was ended from outside, perhaps for want of memory; the same command goes on "
            "from what is finished"
        ) from None


def content(
    found: Mapping[Task, Mapping[str, Any]], subjects: Mapping[str, Subject]
) -> dict[str, Any]:
    """The content of a sweep file, whatever the order in which chunks came."""
    parts = [(f"chunk {task.number}", sweep_file.part_of(one)) for task, one in found.items()]
    return sweep_file.content(identity.made(subjects), sweep_file.combined(parts))


@contextlib.contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Processes on this machine, of one thread each."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with children_deaf_to_ctrl_c():
            for _ in range(workers):  # processes are started by what is handed over
                pool.submit(int)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """A Dask cluster that is there already, and how many threads its workers have."""
    try:
        from distributed import Client
    except ImportError:
        raise SweepError("--dask: needs the extra `cluster` (pip install '.[cluster]')") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise SweepError(f"--dask {address}: {error}") from None
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield executor, max(1, sum(client.nthreads().values()))
        finally:
            executor.shutdown(wait=False)  # client.close ends what is still running
