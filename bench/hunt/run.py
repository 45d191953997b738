"""Rounds of all islands through an executor. The number of rounds decides, seconds only end it.

An island is advanced by one process at a time and sent back by value, so whoever runs it, and how
many there are, changes no byte of what is found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from bench.hunt import island as islands_of
from bench.hunt.domains import DOMAINS, WIDTHS
from bench.hunt.errors import HuntError
from bench.hunt.island import Hunted, Island
from bench.hunt.known import Known
from bench.inputs.formats import FORMATS
from bench.subjects.subject import FOREIGN, Subject, described


@dataclass(frozen=True)
class Limits:
    """When to end: after so many rounds, or when a round ends after so many seconds."""

    rounds: int | None = None
    seconds: float | None = None

    def reached(self, rounds: int, began: float) -> bool:
        """Whether no other round begins."""
        if self.rounds is not None and rounds >= self.rounds:
            return True
        return self.seconds is not None and rounds > 0 and time.monotonic() - began >= self.seconds


def check(subject: Subject, hunted: Hunted) -> None:
    """HuntError for a cell that there is not."""
    if not subject.offers(hunted.operation, hunted.format):
        raise HuntError(f"{subject.name}: offers no {hunted.operation} in {hunted.format}")
    if hunted.goal == "bound" and hunted.operation not in subject.bounds:
        raise HuntError(f"{subject.name}: claims no bound of its {hunted.operation}")


def rounds(
    hunted: Hunted, known: Known, executor: Executor, limits: Limits
) -> Iterator[tuple[int, list[Island]]]:
    """Yield the number of rounds that are done and all islands, after each round."""
    islands = [islands_of.empty(width, 0, hunted.format) for width in WIDTHS]
    nothing = {w: np.empty((0, w), FORMATS[hunted.format].dtype) for w in WIDTHS}
    began, number = time.monotonic(), 0
    while not limits.reached(number, began):
        given = {**nothing, **known} if number == 0 else nothing
        futures = [
            executor.submit(islands_of.evolved, hunted, one, number, given[one.width])
            for one in reversed(islands)  # long rows take the longest
        ]
        try:
            islands = [future.result() for future in futures][::-1]
        except FOREIGN as error:
            raise HuntError(f"{hunted.subject}: {described(error)}") from error
        number += 1
        yield number, islands


def best(islands: Sequence[Island]) -> list[float]:
    """The largest score of each domain."""
    herds = [[one.herds[k] for one in islands] for k in range(len(DOMAINS))]
    return [max(map(islands_of.best, some), default=0.0) for some in herds]


def searched(number: int, islands: Sequence[Island], known: Known) -> dict[str, int]:
    """How long it was searched, in what no clock changes."""
    return {
        "rounds": number,
        "rows": sum(one.tried for one in islands),
        "known_rows": sum(len(rows) for rows in known.values()),
        "not_finite": sum(one.failures for one in islands),
    }
