"""Which method to take: decided from the run by what one needs, and nothing that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.runs import run_file
from bench.runs.committed import COMMITTED, REFERENCE
from bench.show import choice_tables
from bench.show.choice_tables import NEEDS, Candidate, choices
from numerics import METHODS, OPERATIONS


@pytest.fixture(scope="module")
def run() -> run_file.Run:
    return run_file.load(COMMITTED / REFERENCE)


def test_every_choice_has_what_is_needed_and_nothing_faster_has(run: run_file.Run) -> None:
    found = choices(run)
    assert {one.operation for one in found} == set(OPERATIONS)
    for one in found:
        table = run.accuracy
        mine = (table["operation"] == one.operation) & (table["format"] == one.format)
        failing = set(table[mine & (table["failures"] > 0)]["subject"])
        taken = {need: candidate for need, candidate in one.taken.items() if candidate}
        assert not failing & {candidate.method for candidate in taken.values()}
        assert taken["within 1 ulp"].max_ulp <= 1
        assert taken["the nearest number"].method == "exact"
        times = [taken[need].ns_per_element for need in ("speed", "within 1 ulp")]
        assert times == sorted(times)


def test_the_fastest_is_taken_that_has_what_is_needed() -> None:
    some = [
        Candidate("stable", 70.0, 1.0, False),
        Candidate("compensated", 0.7, 9.0, True),
        Candidate("widened", 0.51, 5.0, True),
    ]
    taken = choice_tables._taken(some)
    methods = [one.method if one else None for one in taken.values()]
    assert methods == ["stable", "widened", "widened", None]
    assert set(taken) == set(NEEDS)
    assert "naive" in METHODS  # which fails everywhere, and is taken nowhere


def test_a_method_that_begins_to_fail_is_taken_no_more(run: run_file.Run) -> None:
    """Plant a failure of the fastest in one case."""
    (before,) = [c for c in choices(run) if (c.operation, c.format, c.columns) == CELL]
    fastest = before.taken["speed"]
    assert fastest is not None
    accuracy = run.accuracy.copy()
    mine = (
        (accuracy["subject"] == fastest.method)
        & (accuracy["operation"] == CELL[0])
        & (accuracy["format"] == CELL[1])
    )
    accuracy.loc[accuracy.index[mine][0], "failures"] = 1
    failing = replace(run, accuracy=accuracy)
    (after,) = [c for c in choices(failing) if (c.operation, c.format, c.columns) == CELL]
    assert after.taken["speed"] != fastest


CELL = ("softmax", "fp32", 600)


def test_a_run_without_times_has_no_choice(run: run_file.Run, tmp_path: Path) -> None:
    assert choices(replace(run, throughput=pd.DataFrame())) == []
    assert choice_tables.sortable(replace(run, throughput=pd.DataFrame()))[1] == []
