"""`bench misrounded` counts what it says, and sees an output that is one ulp off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.measure import misrounded
from bench.measure.misrounded import Found, Job, added, judge
from bench.runs.committed import ROOT
from bench.runs.files import RunFileError
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.subject import SUBJECTS
from numerics import FORMATS, OPERATIONS


def test_exact_is_judged_right_and_one_ulp_off_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misrounded, "ROWS_OF_A_JOB", 20)
    right = SUBJECTS["exact"]

    def off(*arguments: Any) -> Any:
        return np.nextafter(right.functions["softmax"](*arguments), np.float32(2))

    monkeypatch.setattr(misrounded, "_subjects", lambda: [right])
    found = judge(Job("fp32", 1, 0))
    assert set(found.misrounded.values()) == {0}
    assert found.outputs["exact softmax fp32"] == 40
    wrong = replace(right, functions={"softmax": off})
    monkeypatch.setattr(misrounded, "_subjects", lambda: [wrong])
    found = judge(Job("fp32", 1, 0))
    assert found.misrounded["exact softmax fp32"] == 40
    assert found.witnesses[0].startswith("exact softmax fp32: ['")


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
    for operation in OPERATIONS:
        for name in FORMATS:
            assert found.outputs[f"exact {operation} {name}"] >= 1_000_000
            assert found.misrounded[f"exact {operation} {name}"] == 0
