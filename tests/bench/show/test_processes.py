"""Work in several processes; without what draws, which each of them would import."""

from __future__ import annotations

import os
import time

from bench.show.processes import in_order


def test_results_come_in_order_from_other_processes() -> None:
    found = list(in_order(_slow_first, range(4), processes=2))
    assert [number for number, _ in found] == [0, 1, 2, 3]
    assert len({process for _, process in found} - {os.getpid()}) == 2
    assert {process for _, process in in_order(_slow_first, range(2), processes=1)} == {os.getpid()}


def _slow_first(number: int) -> tuple[int, int]:
    time.sleep(0 if number else 1)
    return number, os.getpid()
