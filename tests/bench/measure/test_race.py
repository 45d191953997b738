"""The race: interleaved rounds, ratios by round, files in and out."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import numerics
from bench.__main__ import main
from bench.measure import calls, race, race_details, timing
from bench.measure.timing import Cell
from bench.runs.files import RunFileError
from bench.show import race_tables
from bench.subjects.peers import libraries
from numerics.method import arguments


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine is ten times slower in the second round: each ratio stays what it is."""
    seconds = {"fast": [1.0, 10.0, 1.0], "other": [2.0, 20.0, 4.0]}
    cell = Cell("softmax", "fp32", 2, 1, 10, seconds)
    assert cell.ratio("other") == 2.0
    assert cell.ns_per_element("fast") == 1e8


def test_rounds_are_interleaved_and_begin_with_another_call() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    seconds = timing.interleaved(calls, 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"  # the first is not counted
    assert [len(rounds) for rounds in seconds.values()] == [3, 3]


PAGE_FAULTS = """
import resource, numpy as np
from bench.measure import timing
{first}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3): [np.ones(2**16) for _ in range(8)]
before = faults()
for _ in range(10): [np.ones(2**16) for _ in range(8)]
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_no_round_pays_for_pages_that_the_last_one_had() -> None:
    """The fault planted: without what `interleaved` does first, every round does."""
    faults = {}
    for first in ("", "timing.interleaved({'a': int}, 1)"):
        code = PAGE_FAULTS.format(first=first)
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        faults[first] = int(said.stdout)
    assert min(faults.values()) < 10 <= faults[""], faults


@pytest.mark.parametrize(("seconds", "number"), [(2.0**-13, 8), (2.0**-9, 1), (2.0**-3, 1)])
def test_short_calls_are_timed_several_in_a_row(
    seconds: float, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def call() -> None:
        clock[0] += seconds

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert timing.interleaved({"a": call}, 3, in_a_row=2.0**-10) == {"a": [seconds] * 3}
    before = 1 if seconds > 100 * 2.0**-10 else 2
    assert clock[0] == seconds * (before + 3 * number)


def test_a_call_that_the_clock_cannot_see_is_timed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    assert timing.interleaved({"a": lambda: None}, 2) == {"a": [1e-9, 1e-9]}


def test_the_command_writes_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(race, "COLUMNS", (5, 600))
    monkeypatch.setattr(race, "RIVALS", ("scipy",))
    monkeypatch.setattr(race_details, "SAMPLED", race_details.DRAWN)
    path = tmp_path / "race.json"
    assert main(["race", "--mebibytes", "1", "--rounds", "1", "-o", str(path)]) == 0
    raced = race.load(path)
    assert {cell.operation for cell in raced.cells} == set(race.OPERATIONS)
    assert "scipy" in raced.versions
    printed = capsys.readouterr().out
    assert race_tables.softmax(raced.cells) in printed
    assert race_tables.logarithms(raced.cells) in printed
    assert "scipy / fast" in printed
    assert "K = 600" in race_tables.steps(raced.steps)
    assert raced.sampled["`fast`, fp16"]["64"] == 1  # the other neighbour, now and then
    assert 2 < raced.sampled["`fast`, fp32"]["64"] < raced.sampled["scipy, fp32"]["64"]
    assert "`stable`, fp64" in race_tables.sampled(raced.sampled)


def test_calls_are_timed_beside_an_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calls, "SHAPES", ((5,), (4, 600)))
    monkeypatch.setattr(race, "COLUMNS", (600,))
    path = tmp_path / "calls.json"
    given = ["race", "--calls", "--before", str(Path(numerics.__file__).parents[1])]
    assert main([*given, "--mebibytes", "1", "--rounds", "1", "-o", str(path)]) == 0
    found, cells, made_of, made = calls.load(path)
    assert "1 × 5" in race_tables.parts(made_of)
    assert len(found) == len(calls.cells()) == 28
    assert len(cells) == 9
    assert "scipy" in made
    names = {calls.LINES, "`fast`", "`stable`", "scipy", "`fast`, before", "`stable`, before"}
    assert set(found[0].ratio) == names
    assert all(one.ratio[calls.LINES] == 1 for one in found)
    printed = capsys.readouterr().out
    assert race_tables.calls(found) in printed
    assert race_tables.before(cells) in printed
    assert "softmax, fp32, shifted" in printed
    path.write_text("{}")
    with pytest.raises(RunFileError, match=r"calls\.json: not a file that .*--calls"):
        calls.load(path)


def test_an_older_version_is_imported_beside_this_one(tmp_path: Path) -> None:
    mine = numerics.stable.stable_softmax
    older = calls.methods_of(Path(numerics.__file__).parents[1])
    assert older["stable"].softmax is not mine
    assert numerics.METHODS["stable"].softmax is mine is sys.modules["numerics"].stable_softmax
    (tmp_path / "numerics").mkdir()
    with pytest.raises((ImportError, AttributeError)):
        calls.methods_of(tmp_path)
    assert sys.modules["numerics"] is numerics


@pytest.mark.parametrize("operation", numerics.OPERATIONS)
@pytest.mark.parametrize("shape", [(5,), (4, 600)])
def test_two_lines_compute_what_they_are_timed_for(operation: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape)
    given = arguments(operation, x, np.zeros(shape[:-1], np.intp))
    expected = getattr(numerics.METHODS["exact"], operation)(*given)
    assert np.allclose(calls.two_lines(operation)(*given), expected)


def test_a_peer_that_is_absent_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    found, missing = race.available()
    assert found == {}
    assert missing == [f"{name}: not installed (pip install '.[peers]')" for name in race.RIVALS]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"cells": [1]}', '{"cells": [{"seconds": {}}]}', "[" * 100_000]
)
def test_a_file_that_is_none_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "race.json"
    path.write_text(content)
    with pytest.raises(RunFileError, match=r"race\.json: not a file that"):
        race.load(path)


@pytest.mark.parametrize(
    "given",
    [
        ["race", "--rounds", "0"],
        ["race", "--mebibytes", "0"],
        ["misrounded", "--rows", "0"],
        ["misrounded", "--rounds", "x"],
        ["misrounded", "--seed", "-1"],
    ],
)
def test_nothing_is_measured_with_nothing(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given)
    assert f"{given[2]!r}: expected a whole number of at least" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["race", "misrounded"])
def test_where_it_cannot_be_kept_nothing_is_measured(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no folder").touch()
    assert main([command, "-o", str(tmp_path / "no folder" / "file.json")]) == 2
    assert "no folder" in capsys.readouterr().err


def test_peers_compute_what_they_are_named_after() -> None:
    scipy = libraries.load("scipy").subject()
    x = np.array([[1.0, 2.0, 3.0]])
    assert np.allclose(scipy.functions["softmax"](x).sum(), 1)
    assert np.allclose(scipy.functions["log_softmax"](x), np.log(scipy.functions["softmax"](x)))
    assert json.dumps(scipy.formats)
