"""`bench misrounded` counts what it says, and sees an output that is one ulp off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs import directed
from bench.measure import misrounded
from bench.measure.misrounded import Found, Job, added, judge
from bench.runs.committed import ROOT
from bench.runs.files import RunFileError
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.subject import SUBJECTS
from numerics import FORMATS, OPERATIONS, Format
from numerics.exact import extended, rounding
from numerics.exact.blocks import Block
from numerics.formats import ALL_FORMATS


def test_exact_is_judged_right_and_one_ulp_off_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misrounded, "ROWS_OF_A_JOB", 20)
    right = SUBJECTS["exact"]

    def off(*arguments: Any) -> Any:
        return np.nextafter(right.functions["softmax"](*arguments), np.float32(2))

    monkeypatch.setattr(misrounded, "_subjects", lambda: [right])
    found = judge(Job("fresh", "fp32", 1, 0))
    assert set(found.misrounded.values()) == {0}
    assert found.outputs["exact softmax fp32"] == 40
    wrong = replace(right, functions={"softmax": off})
    monkeypatch.setattr(misrounded, "_subjects", lambda: [wrong])
    found = judge(Job("fresh", "fp32", 1, 0))
    assert found.misrounded["exact softmax fp32"] == 40
    assert found.witnesses[0].startswith("exact softmax fp32: ['")


@pytest.mark.parametrize("format", FORMATS)
def test_directed_rows_are_judged_right(monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    monkeypatch.setattr(misrounded, "ROWS_OF_A_JOB", 50)
    monkeypatch.setattr(misrounded, "_subjects", lambda: [SUBJECTS["exact"]])
    for number in (0, misrounded.LONG_EVERY, 1):
        found = judge(Job("directed", format, 1, number))
        assert found.witnesses == []
        assert set(found.misrounded.values()) == {0}


def test_an_output_below_a_power_of_two_taken_for_subnormal_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = rounding._assembled

    def wrong(whole: Any, unit: Any, negative: Any, format: Format) -> Any:
        result = right(whole, unit, negative, format)
        below = np.flatnonzero(whole == 2.0 ** (format.precision - 1) - 0.5)
        rounding.codes_of(result)[below] = whole[below].astype(f"u{result.itemsize}")
        return result

    monkeypatch.setattr(rounding, "_assembled", wrong)
    assert _misrounded(["beside the largest", "beside the gap"]) > 0


def test_a_guard_that_rounds_across_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounded_sum(block: Block) -> float:
        return -np.inf if block.smallest < block.top + extended.LOWEST else extended.LOWEST

    monkeypatch.setattr(Block, "lowest_gap", property(rounded_sum))
    assert _misrounded(["thresholds"]) > 0


def _misrounded(names: list[str]) -> int:
    """Outputs of `exact` in directed rows of fp64 that are wrong, of some directions alone."""
    some = tuple(d for d in directed.DIRECTIONS if d.name in names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directed, "DIRECTIONS", some)
        patch.setattr(misrounded, "ROWS_OF_A_JOB", 300)
        patch.setattr(misrounded, "_subjects", lambda: [SUBJECTS["exact"]])
        return sum(judge(Job("directed", "fp64", 3, 1)).misrounded.values())


def test_without_scipy_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise PeerMissingError(f"{name}: not installed")

    monkeypatch.setattr(libraries, "load", missing)
    assert main(["misrounded", "--rows", "1"]) == 2
    assert capsys.readouterr().err == "bench misrounded: scipy: not installed\n"


def test_counts_are_added() -> None:
    one = Found({"a": 2}, {"a": 1}, ["w"] * 15)
    assert added([one, one]) == Found({"a": 4}, {"a": 2}, ["w"] * 20)


def test_any_other_file_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", "[" * 100_000, '{"environment": {}}'):
        (tmp_path / "file.json").write_text(content)
        with pytest.raises(RunFileError, match="not a file of `bench misrounded`"):
            misrounded.load(tmp_path / "file.json")


def test_the_committed_count_is_zero_of_a_million() -> None:
    found, _, _ = misrounded.load(ROOT / "results" / "misrounded.json")
    for name in ALL_FORMATS:
        for operation in OPERATIONS:
            key = f"exact {operation} {name}"
            assert found["fresh"].outputs[key] >= 1_000_000
            assert found["fresh"].misrounded[key] == found["directed"].misrounded[key] == 0
        directed_outputs = [found["directed"].outputs[f"exact {op} {name}"] for op in OPERATIONS]
        assert sum(directed_outputs) >= 1_000_000
