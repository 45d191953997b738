"""Exact values of cases come from the oracle, and mpmath has its say about some rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.inputs.cases import named
from bench.measure import confirmation
from bench.measure.accuracy import measure
from bench.subjects.subject import SUBJECTS
from bench.truth import audited, certified, reference
from bench.truth.audited import Asked, confirm, exact_values
from bench.truth.exact import DisagreementError
from bench.truth.reference import Cache
from numerics import FORMATS, LABELLED, OPERATIONS

NAMES = ("confident", "single element", "plus inf", "vanishing", "log-sum-exp near 0")


def jobs() -> list[reference.Job]:
    return [(named(name).batches(FORMATS["fp32"]), "fp32") for name in NAMES]


def test_they_are_those_of_mpmath(tmp_path: Path) -> None:
    found = dict(exact_values(jobs(), Cache(tmp_path), workers=1))
    assert sorted(found) == list(range(len(NAMES)))
    for index, (given, _) in enumerate(jobs()):
        batches = given[:3] if NAMES[index] == "log-sum-exp near 0" else given
        expected = reference.compute(batches, FORMATS["fp32"])
        assert found[index].keys() == expected.keys()
        for operation, exact in expected.items():
            part = found[index][operation][slice(exact.significand.size)]
            assert np.array_equal(part.significand, exact.significand, equal_nan=True)
            assert (part.exponent == exact.exponent).all()
            assert (np.abs(part.fraction - exact.fraction) <= 2.0**-19).all()
    assert not found[1].keys() & set(LABELLED)  # its label is out of range


def test_an_oracle_that_errs_is_stopped_by_the_sample(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = certified.evaluate

    def off(*arguments: Any) -> Any:
        exact = given(*arguments)
        return replace(exact, fraction=exact.fraction + 2.0**-18)

    monkeypatch.setattr(certified, "evaluate", off)
    with pytest.raises(DisagreementError, match="kept in"):
        dict(exact_values(jobs()[:1], Cache(tmp_path), workers=1))
    assert len(list((tmp_path / "disagreements").glob("*.json"))) == 1


def test_rows_of_the_largest_errors_are_audited(tmp_path: Path) -> None:
    case, format = named("confident"), FORMATS["fp32"]
    job = (case.batches(format), format.name)
    truth = audited.of(job)
    records = [measure(SUBJECTS["stable"], op, case, format, truth) for op in OPERATIONS]
    (asked,) = confirmation.asked(records, {(case.name, format.name): truth})
    rows = {(r.worst["batch"], r.worst["row"]) for r in records if r.worst}
    chosen = {(b, int(row)) for b, at in enumerate(asked.chosen) for row in at}
    assert rows <= chosen
    assert list(confirm([asked], Cache(tmp_path), workers=1)) == [0]
    row = next(iter(rows))[1]
    wrong = {op: replace(e, fraction=e.fraction + 2.0**-18) for op, e in truth.items()}
    chosen_alone = [np.array([row] if b == 0 else [], np.intp) for b in range(len(job[0]))]
    with pytest.raises(DisagreementError):
        list(confirm([Asked(job, chosen_alone, wrong)], Cache(tmp_path), workers=1))
