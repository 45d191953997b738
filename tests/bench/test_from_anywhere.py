"""The harness where somebody's function lives: from Python, in pytest, and in an empty folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.runs.committed import ROOT
from bench.subjects import arrays
from bench.subjects.arrays import Arrays
from numerics import stable_log_sum_exp, stable_softmax

TESTS = """
import numpy as np

def sound(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

def test_sound(softmax_verdict):
    softmax_verdict(sound, "softmax", formats=["fp32"], max_ulp=100, no_failures=True)

def test_broken(softmax_verdict):
    softmax_verdict(lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), "softmax",
                    formats=["fp32"], no_failures=True)
"""


@pytest.mark.usefixtures("small_verdicts")
def test_a_verdict_from_python() -> None:
    found = bench.verdict(stable_softmax, "softmax", formats=["fp32"], max_ulp=100)
    assert found.holds
    assert "off by up to" in found.sentence
    worse = bench.verdict(
        lambda x: stable_softmax(x) * 1.01, "softmax", formats=["fp32"], max_ulp=100
    )
    assert not worse.holds
    assert "does not hold: " in str(worse)
    assert worse.json()["violations"] == list(worse.broken)


@pytest.mark.usefixtures("small_verdicts")
def test_a_function_under_the_name_that_libraries_have_for_it() -> None:
    def logsumexp(x: np.ndarray) -> np.ndarray:
        return stable_log_sum_exp(x)

    found = bench.verdict(logsumexp, formats=["fp32"], seconds=0)
    assert [cell.operation for cell in found.verdict.cells] == ["log_sum_exp"]


@pytest.mark.usefixtures("small_verdicts")
def test_arrays_of_another_library_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Arrays("mine", "axis", lambda x: (np.asarray(x),), lambda y: np.asarray(y[0]))
    monkeypatch.setitem(arrays.LIBRARIES, "mine", lambda device: mine)
    found = bench.verdict(
        lambda boxed: (stable_softmax(boxed[0]),), "softmax", arrays="mine", formats=["fp32"],
        no_failures=True,
    )  # fmt: skip
    assert found.holds, found


def test_what_cannot_be_asked_is_named() -> None:
    def mine(x: np.ndarray) -> np.ndarray:
        return x

    for asked, value in (
        ({}, "'mine'"),
        ({"operation": "soft"}, "'soft'"),
        ({"operation": "softmax", "formats": ["fp8"]}, "'fp8'"),
        ({"operation": "softmax", "max_ulp": {"fp8": 1}}, "'fp8'"),
        ({"operation": "softmax", "special_rows": "theirs"}, "'theirs'"),
    ):
        with pytest.raises(ValueError, match=value):
            bench.verdict(mine, **asked)


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*command, "-p", "softmax_bench"], cwd=folder, env=environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def test_the_fixture_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = _pytest(tmp_path, "--softmax-save", "kept")
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "(--no-failures)" in done.stdout
    assert "got nan" in done.stdout
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(kept) == 2
    assert json.loads((tmp_path / "kept" / kept[0]).read_text())["schema"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"test_mine.py", "kept"}


def test_a_project_whose_own_package_is_called_bench(tmp_path: Path) -> None:
    theirs = "import sys, types; own = sys.modules['bench'] = types.ModuleType('bench')"
    (tmp_path / "conftest.py").write_text(f"{theirs}; own.__file__ = 'their/bench.py'")
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = _pytest(tmp_path, "-k", "sound")
    assert "their/bench.py hides the harness" in done.stdout
