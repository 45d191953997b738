"""README's findings: numbers from the files, and no words that the files contradict."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.measure.misrounded import Found
from bench.measure.timing import Cell
from bench.runs import run_file
from bench.runs.committed import ROOT
from bench.show import findings, known_tables
from bench.show.findings import FindingError
from bench.show.kept import Committed, load
from bench.sweep.sweep_file import SweepError
from numerics import FORMATS

RESULTS = ROOT / "results"
EXACT, SCIPY = "exact softmax fp32", "scipy softmax fp32"


@pytest.fixture(scope="module")
def kept(reference: run_file.Run, committed_versions: list[run_file.Run]) -> Committed:
    """What is committed, with counts and times of `exact` that are known here."""
    found = Found({EXACT: 2_000, SCIPY: 2_000}, {EXACT: 0, SCIPY: 500}, [])
    seconds = {"exact": [3.0], "scipy": [2.0]}
    return replace(
        load(ROOT, reference, committed_versions),
        counts={"fresh": found, "directed": found},
        exact_times=[Cell("softmax", name, 2, 1, 5, seconds) for name in FORMATS],
    )


def test_the_numbers_are_those_of_the_files(kept: Committed) -> None:
    said = re.sub(r"\s+", " ", findings.as_list(kept))
    assert "Of 2,000 results on random rows and 2,000 on rows built to be hard, 0 are" in said
    assert "(SciPy: 25 %)" in said
    assert "Softmax takes 1.5 / 1.5 / 1.5 times as long as SciPy's" in said
    cells = [c for c in kept.raced.cells if c.operation == "softmax"]
    assert f"of {3 * len(cells)} cells" in said


def test_a_misrounded_result_contradicts_the_words(kept: Committed) -> None:
    wrong = replace(kept.counts["directed"], misrounded={EXACT: 1, SCIPY: 500})
    with pytest.raises(FindingError, match="`exact` is always the nearest number"):
        findings.as_list(replace(kept, counts={**kept.counts, "directed": wrong}))


def test_a_library_that_keeps_its_digits_contradicts_the_words(kept: Committed) -> None:
    first, *rest = kept.libraries
    better = replace(first, cells=[replace(cell, confident_ulp=1.0) for cell in first.cells])
    with pytest.raises(FindingError, match="no right digit in any library"):
        findings.as_list(replace(kept, libraries=[better, *rest]))


def test_a_gradient_that_is_kept_contradicts_the_words(kept: Committed) -> None:
    kept_by_all = [replace(one, errors=[1e-8] * len(one.errors)) for one in kept.faded]
    with pytest.raises(FindingError, match="libraries lose the gradient"):
        findings.as_list(replace(kept, faded=kept_by_all))
    lost_by_all = [replace(one, errors=[1.0] * len(one.errors)) for one in kept.faded]
    with pytest.raises(FindingError, match="`fast` keeps the digits"):
        findings.as_list(replace(kept, faded=lost_by_all))


def test_an_upgrade_that_changes_bits_contradicts_the_words(kept: Committed) -> None:
    *older, last, without = kept.by_version
    changed = replace(last, accuracy=last.accuracy.assign(output_sha256="0" * 6))
    with pytest.raises(FindingError, match=r"no bit changes from NumPy 2\.0"):
        findings.as_list(replace(kept, by_version=[*older, changed, without]))


def test_a_shift_that_costs_nothing_contradicts_the_words(kept: Committed) -> None:
    accuracy = kept.run.accuracy.copy()
    accuracy.loc[accuracy["subject"] == "stable", "max_ulp"] = 0.5
    with pytest.raises(FindingError, match="the shift costs digits"):
        findings.as_list(replace(kept, run=replace(kept.run, accuracy=accuracy)))


def test_a_misrounded_result_of_a_sweep_contradicts_the_words(kept: Committed) -> None:
    wrong = copy.deepcopy(list(kept.sweeps))
    cells = [cell for part in wrong[0]["parts"] for cell in part["cells"]]
    next(cell for cell in cells if cell["subject"] == "exact")["summary"]["misrounded"] = 1
    with pytest.raises(FindingError, match="`exact` is right in every sweep"):
        findings.as_list(replace(kept, sweeps=wrong))


def test_a_hunt_that_finds_less_than_a_sample_contradicts_the_words(kept: Committed) -> None:
    less = copy.deepcopy(list(kept.worst))
    for content in less:
        for cell in content["cells"]:
            for witness in cell["found"]:
                witness["ulp"] = 0.25
    with pytest.raises(FindingError, match="a hunt finds more than a sample"):
        findings.as_list(replace(kept, worst=less))


def test_no_output_of_a_sweep_counts_twice(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    swept = (ROOT / "results" / "sweeps" / "x0-fp16.json.xz").read_bytes()
    for name in ("one.json.xz", "other.json.xz"):
        (tmp_path / "sweeps" / name).write_bytes(swept)
    with pytest.raises(SweepError, match=r"one\.json\.xz and other\.json\.xz: an overlap"):
        known_tables.committed(tmp_path)
