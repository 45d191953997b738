"""The largest errors known: the largest of all sources, with the word of the one that has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.hunt import worst_file
from bench.hunt.witness import Witness
from bench.runs import run_file
from bench.show import known_tables, worst_tables
from bench.show.known_tables import Known
from bench.sweep.summary import Summary
from bench.sweep.summary import Witness as Swept


def worst(ulp: float, domain: str = "any", ratio: float | None = 0.5) -> dict[str, Any]:
    witness = Witness(domain, [["0x0p+0", 2]], 0, 0, "0x1p-1", "0x1p-1", ulp, ratio)
    asked = {"format": "fp32", "goal": "ulp", "seed": 0}
    cell = worst_file.cell({}, asked, {"rounds": 1, "rows": 7}, [witness])
    return worst_file.content("stable", "softmax", [cell])


def sweep(ulps: list[str], exhaustive: bool) -> dict[str, Any]:
    found = [Swept(0, 0, 0, None, "0x0p+0", "0x0p+0", ulp) for ulp in ulps]
    summary = Summary(outputs=2_000, worst=found).as_json()
    cell = {"subject": "stable", "operation": "softmax", "summary": summary}
    return {
        "parts": [{"family": "x0", "format": "fp32", "exhaustive": exhaustive, "cells": [cell]}]
    }


KEY = "stable", "softmax", "fp32"


@pytest.mark.parametrize(
    ("sweeps", "hunts", "said"),
    [
        ([], [3.0], "3 hunted"),
        ([sweep(["0x1p+2"], exhaustive=True)], [3.0], "4 exhaustive of x0"),
        ([sweep(["0x1p+2"], exhaustive=False)], [3.0], "4 sampled of 2k"),
        ([sweep(["inf", "0x1p+1"], exhaustive=True)], [3.0], "3 hunted"),
        ([sweep(["inf"], exhaustive=True)], [], None),
        ([], [3.0, 5.0], "5 hunted"),
    ],
)
def test_the_largest_and_its_word(sweeps: list[Any], hunts: list[float], said: str | None) -> None:
    known = known_tables.largest(None, sweeps, [worst(ulp) for ulp in hunts])
    assert str(known.get(KEY)) == str(said)


def test_samples_of_a_run(reference: run_file.Run) -> None:
    columns = ("subject", "operation", "format", "max_ulp", "elements")
    rows = [("stable", "softmax", "fp32", 9.0, 100), ("stable", "softmax", "fp32", np.nan, 50)]
    run = replace(reference, accuracy=pd.DataFrame(rows, columns=columns))
    known = known_tables.largest(run, [], [worst(3.0), worst(99.0, "in range")])
    assert known[KEY] == Known(9.0, "sampled of 100")
    assert known_tables.in_range([worst(3.0), worst(99.0, "in range")])[KEY].ulp == 99
    assert "| stable   | fp32     | 9 sampled of 100 |" in known_tables.table(known)


def test_what_is_beyond_a_bound_is_told() -> None:
    assert worst_tables.refuted(worst(3.0, ratio=1.0)) == []
    assert worst_tables.refuted(worst(3.0, ratio=None)) == []
    (line,) = worst_tables.refuted(worst(3.0, ratio=1.01))
    assert line.startswith("REFUTED: softmax of stable in fp32 errs by 3 ulp, 1.01 times its bound")


def test_the_table_of_hunts() -> None:
    said = worst_tables.document([worst(3.0)])
    assert "| stable   | softmax     | fp32     |" in said
    assert "3 (0.5, 2)" in said
    assert "- rows with -inf, +inf or NaN" in said
