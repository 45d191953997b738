"""Times in interleaved rounds (A B, B A, ...): ratios of neighbours, and what they come to."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Call: TypeAlias = Callable[[], Any]
HEAP_BYTES = 2**25 - 2**16
"""Just below the largest array that glibc ever takes from its heap: DEFAULT_MMAP_THRESHOLD_MAX."""
SCHEDULED = Path("/proc/thread-self/schedstat")
"""Linux: nanoseconds on a processor, nanoseconds waiting for one, and how often."""


@dataclass(frozen=True)
class Cell:
    """An operation on normal logits of scale 3, shape (rows, columns); seconds of each round."""

    operation: str
    format: str
    mebibytes: int
    rows: int
    columns: int
    seconds: dict[str, list[float]]

    def ns_per_element(self, name: str) -> float:
        """Median over the rounds."""
        return statistics.median(self.seconds[name]) * 1e9 / (self.rows * self.columns)

    def ratio(self, name: str, to: str = "fast") -> float:
        """Median over the rounds of one time over another of the same round."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(one / other for one, other in pairs)


def settle_heap() -> None:
    """Let the allocator keep what is freed, as in any process that has freed a large array before.

    glibc starts by giving back all temporaries of more than 128 KiB, and takes larger ones for
    small as soon as one was freed. Until then each of them costs page faults: the same call takes
    two to five times as long in one process as in another, and says nothing of the function.
    """
    np.empty(HEAP_BYTES, np.uint8)


def interleaved(
    calls: dict[str, Call],
    rounds: int,
    limit: float = math.inf,
    in_a_row: float = 0.0,
    least: int = 1,
    clock: Callable[[], float] | None = None,
) -> dict[str, list[float]]:
    """Seconds of each call in each round; `least` rounds, and more for up to `limit` seconds.

    Each time is the mean of as many calls in a row as take `in_a_row` seconds, or one call. Every
    round begins with another call (A B C, B C A, ...): so none always comes after the same one, and
    finds memory as that has left it.
    """
    settle_heap()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + limit
    with np.errstate(all="ignore"):
        numbers = {name: _number(call, in_a_row) for name, call in calls.items()}
        for turn in range(rounds):
            if turn >= least and time.perf_counter() > end:
                break
            first = turn % len(calls)
            for name in [*calls][first:] + [*calls][:first]:
                seconds[name].append(_seconds_of(calls[name], numbers[name], clock))
    return seconds


def short(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    """As they are kept: no clock is right to more than four digits."""
    return {name: [float(f"{time:.4g}") for time in times] for name, times in seconds.items()}


def undisturbed() -> float:
    """Seconds that pass, without those in which this thread waited for a processor.

    Where the system tells; elsewhere all of them. A call of a second among many other processes is
    interrupted, one of a millisecond is not, and the ratio would be the machine's.
    """
    waited = _waited()
    while True:
        now, before, waited = time.perf_counter(), waited, _waited()
        if waited == before:  # else it waited between the two clocks
            return now - waited


def _waited() -> float:
    try:
        return int(SCHEDULED.read_text().split()[1]) * 1e-9
    except (OSError, ValueError, IndexError):
        return 0.0


def _seconds_of(call: Call, number: int, clock: Callable[[], float] | None = None) -> float:
    clock = clock or time.perf_counter
    start = clock()
    for _ in range(number):
        call()
    return max(clock() - start, 1e-9) / number


def _number(call: Call, in_a_row: float) -> int:
    """How many calls take so long; the first one is for compilers and page tables."""
    if _seconds_of(call, 1) >= 100 * in_a_row:
        return 1
    return max(1, math.ceil(in_a_row / max(_seconds_of(call, 1), 1e-9)))
