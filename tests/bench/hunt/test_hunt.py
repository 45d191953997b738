"""A hunt finds what is there, finds the same again, and says it loudly where a bound is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.hunt import known, run, witness, worst_file
from bench.hunt.island import Hunted, Island
from bench.hunt.run import Limits
from bench.hunt.score import Aim, scored
from bench.inputs import families
from bench.inputs.cases import Batch
from bench.subjects import specs
from bench.subjects.subject import SUBJECTS
from bench.sweep.run import processes
from bench.truth import certified
from bench.truth.exact import DisagreementError
from numerics import FORMATS, FP32
from tests.bench.sweep.test_run import DEFECT, Immediate

Narrow = Callable[..., None]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Narrow:
    """Search rows of a few lengths."""

    def narrowed(*widths: int) -> None:
        monkeypatch.setattr(run, "WIDTHS", widths)

    return narrowed


def hunted(
    what: Hunted, rounds: int, executor: Executor | None = None, begun: known.Known | None = None
) -> list[Island]:
    """The islands after the last round."""
    limits = Limits(rounds)
    return list(run.rounds(what, begun or {}, executor or Immediate(), limits))[-1][1]


# --- It finds what is there ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "operation", "format", "width", "domain", "least"),
    [
        ("fast", "softmax", "fp64", 64, 1, 11),
        ("fast", "softmax", "fp32", 8, 1, 8),
        ("fast", "log_softmax", "fp32", 5, 0, 34),
        ("log1p", "log_softmax", "fp64", 3, 0, 34),
    ],
)
def test_what_half_a_minute_of_naive_climbing_found(
    only: Narrow, subject: str, operation: str, format: str, width: int, domain: int, least: float
) -> None:
    only(width)
    what = Hunted(subject, operation, format, "ulp", 0)
    rounds = run.rounds(what, {}, Immediate(), Limits(rounds=16))
    assert any(run.best(islands)[domain] >= least for _, islands in rounds)


TIE = """
import numpy as np
from numerics.stable import stable_softmax

def softmax(x):
    p = stable_softmax(x)
    if x.shape[1] > 2:
        ordered = np.sort(x, axis=1)
        tie = (ordered[:, -1] == ordered[:, -2]) & (ordered[:, -2] > ordered[:, -3] + 1)
        p[tie & (abs(ordered[:, -1]) < 1)] *= np.float32(1 + 2.0**-14)
    return p
"""


def test_a_defect_that_needs_a_tie_is_found(only: Narrow, tmp_path: Path) -> None:
    path = tmp_path / "defect.py"
    path.write_text(TIE)
    spec = f"{path}:softmax"
    only(5)
    found = hunted(Hunted(spec, "softmax", "fp32", "ulp", 0), rounds=1)
    assert run.best(found)[1] > 500
    family = families.named("normal:5:1", FP32)
    batch = next(batch for _, batch in family.blocks(FP32, 0, 2**15))
    (subject,) = specs.load([spec])[0].values()
    assert scored(subject, Aim("softmax", FP32), batch, 0.0).score.max() < 10


def test_one_x_in_4_294_967_296_is_not_found(only: Narrow, tmp_path: Path) -> None:
    """That is why sweeps are exhaustive."""
    path = tmp_path / "defect.py"
    path.write_text(DEFECT)
    only(2)
    scores = [
        [
            herd.score.tolist()
            for herd in hunted(Hunted(name, "softmax", "fp32", "ulp", 0), 1)[0].herds
        ]
        for name in (f"{path}:softmax", "stable")
    ]
    assert scores[0] == scores[1]


def test_known_rows_are_tried_first(only: Narrow) -> None:
    only(3)
    what = Hunted("stable", "softmax", "fp32", "ulp", 0)
    before = hunted(what, 2)[0].herds[0]
    after = hunted(what, 1, begun={3: before.x[:5]})[0].herds[0]
    assert after.score[0] >= before.score[0]


# --- It finds the same again ---------------------------------------------------------------------


def test_by_any_number_of_processes(only: Narrow) -> None:
    only(2, 5)
    what = Hunted("log1p", "cross_entropy", "fp16", "bound", 3)
    begun, alone = (islands for _, islands in run.rounds(what, {}, Immediate(), Limits(2)))
    with processes(2) as executor:
        assert _bytes(hunted(what, 2, executor)) == _bytes(alone)
    with processes(1) as executor:
        assert _bytes(hunted(what, 1, executor)) == _bytes(begun)
    assert _bytes(hunted(replace(what, seed=4), 1)) != _bytes(begun)


def _bytes(islands: list[Island]) -> list[Any]:
    herds = [herd for one in islands for herd in one.herds]
    parts = [[getattr(herd, name).tobytes() for name in ("x", "labels", "score")] for herd in herds]
    return [*parts, [(one.tried, one.failures, one.stale) for one in islands]]


def test_the_command_twice(
    only: Narrow,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only(2)
    monkeypatch.setattr(known, "COMMITTED", tmp_path / "nothing")
    arguments = ["hunt", "base2", "--operation", "softmax", "--format", "fp16", "--rounds", "1"]
    arguments += ["--workers", "1", "-o"]
    paths = []
    for name in ("a", "b"):
        assert main([*arguments, str(tmp_path / name / "worst")]) == 0
        paths.append(tmp_path / name / "worst" / "base2-softmax.json")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert "1 rounds in" in capsys.readouterr().err
    (cell,) = worst_file.load(paths[0])["cells"]
    assert {found["domain"] for found in cell["found"]} == {"any", "in range"}
    assert cell["searched"]["rounds"] == 1
    main([*arguments[:-1], "--against", "bound", "-o", str(paths[0].parent)])
    goals = [one["goal"] for one in worst_file.load(paths[0])["cells"]]
    assert goals == ["bound", "ulp"]


def test_no_other_round_begins_after_that_long() -> None:
    assert not Limits(seconds=0.0).reached(0, began=-1e9)
    assert Limits(seconds=5.0).reached(1, began=-1e9)
    assert Limits(rounds=3).reached(3, began=0.0)
    assert not Limits(rounds=3).reached(2, began=-1e9)


# --- It says what is wrong -----------------------------------------------------------------------


def test_a_bound_that_is_broken_is_said_loudly(
    only: Narrow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    only(3)
    stable = SUBJECTS["stable"]
    bound = stable.bounds["softmax"]
    wrong = {**stable.bounds, "softmax": lambda rows: bound(rows) / 4}
    monkeypatch.setitem(SUBJECTS, "stable", replace(stable, bounds=wrong))
    arguments = ["--operation", "softmax", "--format", "fp32", "--rounds", "1", "--workers", "1"]
    assert main(["hunt", "stable", *arguments, "-o", str(tmp_path)]) == 1
    assert "REFUTED: softmax of stable in fp32 errs by" in capsys.readouterr().out


def test_the_oracle_is_audited(
    only: Narrow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only(2)
    islands = hunted(Hunted("stable", "softmax", "fp32", "ulp", 0), 1)
    given = witness.certified.evaluate

    def off(*arguments: Any) -> Any:
        exact = given(*arguments)
        return replace(exact, fraction=exact.fraction + 2.0**-18)

    monkeypatch.setattr(witness.certified, "evaluate", off)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisagreementError, match="kept in"):
        witness.reported(SUBJECTS["stable"], Aim("softmax", FP32), islands)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["widened", "--operation", "softmax", "--format", "fp64"], "offers no softmax in fp64"),
        (
            ["{path}:softmax", "--operation", "softmax", "--format", "fp32", "--against", "bound"],
            "claims no bound of its softmax",
        ),
        (["{path}:softmax", "--operation", "softmax", "--format", "fp32"], "ValueError: no"),
    ],
)
def test_what_cannot_be_hunted_is_said_in_a_line(
    only: Narrow,
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    only(2)
    path = tmp_path / "raises.py"
    path.write_text("def softmax(x):\n    raise ValueError('no')\n")
    given = [text.format(path=path) for text in arguments]
    assert main(["hunt", *given, "--rounds", "1", "--workers", "1", "-o", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    for content in ("{}", json.dumps({"schema": 1, "operation": "softmax", "cells": [{}]}), "["):
        path.write_text(content)
        with pytest.raises(worst_file.RunFileError, match="not a file that `python -m bench hunt`"):
            worst_file.load(path)


def test_where_rows_are_known(tmp_path: Path) -> None:
    rows = known.rows(FORMATS["fp32"], [known.COMMITTED])
    assert set(rows) <= set(run.WIDTHS)
    assert all(np.isfinite(some).all() for some in rows.values())
    assert known.rows(FORMATS["fp32"], [tmp_path]) == {}


def test_rows_that_only_the_last_stage_tells_are_judged_to_the_end() -> None:
    x = np.array([[0.0, -709.0], [0.0, -1.0]])
    batch, aim = Batch(x, np.zeros(2, np.intp)), Aim("log_softmax", FORMATS["fp64"])
    _, sure = certified.estimate("log_softmax", x, batch.labels, aim.format)
    assert sure.tolist() == [[False, True], [True, True]]
    judged = witness.measured(SUBJECTS["log1p"], aim, Batch(x[:1], batch.labels[:1]), "any")
    assert scored(SUBJECTS["log1p"], aim, batch, 0.0).score[0] == judged.ulp > 0
    assert scored(SUBJECTS["log1p"], aim, batch, np.inf).score[0] == -1.0
