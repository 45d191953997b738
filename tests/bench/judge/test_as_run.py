"""Verdict files in `diff` and on the page: what became worse is named, cell by cell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.inputs import probes
from bench.judge import as_run, diff, verdict, verdict_file
from bench.judge.verdict import Scope
from bench.judge.verdicts import Verdict
from bench.runs.files import RunFileError
from bench.show import page
from bench.subjects.isolated import Here
from bench.subjects.specs import load
from bench.truth import ahead
from tests.bench.content import run_content, written

CASES = ("confident", "empty rows", probes.PRESENTED, probes.PRESENTED_SPECIAL)
STEPS = (*(f"case {name!r}" for name in CASES), "row alone", "axis 0", "warnings", "flags")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the verdicts on two methods and a function that overflows, as one subject."""
    folder = tmp_path_factory.mktemp("verdicts")
    for name in ("stable", "naive", "exact"):
        found = replace(asked(name), subject="mine")
        verdict_file.save(folder / f"{name}.json", [found])
    return folder


def asked(name: str) -> Verdict:
    (subject,) = load([name])[0].values()
    scope = Scope(("softmax",), ("fp32",), only=STEPS)
    return verdict.complete(Here(subject), ahead.kept, lambda things, *_: things, scope)


def compared(folder: Path, before: str, after: str) -> diff.Diff:
    return diff.diff(*(as_run.load(folder / f"{name}.json") for name in (before, after)))


def test_what_became_worse_is_named_by_way_and_kind_of_row(judged: Path) -> None:
    found = compared(judged, "exact", "stable").accuracy
    worse = found[found["error"] == diff.WORSE]
    assert {"plain: ordinary rows", "row alone: masked rows"} <= set(worse["case"])
    assert (found["failing"] == diff.SAME).all()
    back = compared(judged, "stable", "exact").accuracy
    assert (back["error"] == diff.BETTER).sum() == len(worse)


def test_a_verdict_whose_outputs_became_nan_is_nowhere_better(judged: Path) -> None:
    found = compared(judged, "stable", "naive").accuracy
    spoilt = found[found["case"] == "plain: ordinary rows"]
    assert spoilt["became_nan"].all()
    assert (spoilt["failing"] == diff.WORSE).all()
    assert not (found.loc[found["became_nan"], ["error", "failing"]] == diff.BETTER).any(axis=None)
    policy = found[found["case"] == "policy: rows of -inf alone"]
    assert not policy["bits_equal"].any()


def test_the_commands_take_verdict_files(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(judged / f"{name}.json") for name in ("stable", "naive")]
    assert main(["diff", *files, "--fail-on", "failures"]) == 1
    assert "plain: ordinary rows" in capsys.readouterr().err
    assert main(["page", *files, "-o", str(tmp_path / "page.html")]) == 0
    assert "rows of -inf alone" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_is_neither_a_run_nor_a_verdict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "neither.json"
    for content in ("", "[]", '{"verdicts": 1}', '{"verdicts": [{}], "schema": 2}'):
        path.write_text(content)
        with pytest.raises(RunFileError, match=r"neither\.json: "):
            as_run.load(path)


def test_a_page_shows_verdicts_beside_runs(judged: Path, tmp_path: Path) -> None:
    files = [written(tmp_path / "run.json", run_content()), judged / "stable.json"]
    said = page.write(files, tmp_path / "both.html", tmp_path, lambda things, *_: things)
    assert "2 runs" in said
