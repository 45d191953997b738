"""Suspects: each is recognised in a function written apart from it, and in no other function."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs import probes
from bench.inputs.cases import Batch
from bench.inputs.kinds import SPECIAL
from bench.judge import verdict_file
from bench.judge.suspects import contest, explain, rates
from bench.judge.suspects.arithmetic import to_bf16
from bench.judge.suspects.cures import CURES
from bench.judge.suspects.explanation import Explanation, Habit
from bench.judge.suspects.formulas import SUSPECTS
from bench.judge.verdict import FORMULA, Scope, complete
from bench.judge.verdicts import PLAIN, Cell, Verdict, Way
from bench.measure.presentations import Presented
from bench.runs.committed import COMMITTED
from bench.runs.committed import SUSPECTS as SUSPECTS_FILE
from bench.runs.files import RunFileError
from bench.show import suspects_tables, why_words
from bench.subjects import specs
from bench.subjects.isolated import Here
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth import ahead
from numerics import FORMATS, METHODS
from tests.bench.judge.suspected import OF_ANOTHER_KIND, SUSPECTED, Suspected


@lru_cache
def rows(operation: str, format_name: str) -> tuple[list[Batch], list[Any]]:
    exact = ahead.of((operation, probes.TELLING.name, format_name))
    assert exact is not None
    return probes.TELLING.batches(FORMATS[format_name]), exact


def explained(subject: Subject, operation: str, format_name: str) -> Explanation:
    batches, exact = rows(operation, format_name)
    home = Here(subject)
    with np.errstate(all="ignore"):
        found = explain.explained(
            operation, FORMATS[format_name], batches, exact,
            lambda asked: home.run(Presented(operation, "plain", asked)),
        )  # fmt: skip
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "format_name"),
    [
        pytest.param(one, name, id=f"{one.name}-{name}".replace(" ", "_"))
        for one in SUSPECTED
        for name in one.formats
    ],
)
def test_a_function_by_the_same_idea_is_recognised(one: Suspected, format_name: str) -> None:
    found = explained(specs.of_function(one.function, one.operation), one.operation, format_name)
    habits = [habit.name for habit in found.habits]
    assert found.name == one.formula
    assert one.alike or not found.alike
    assert all(name.startswith(one.habit) for name in habits)
    assert bool(habits) == bool(one.habit)


@pytest.mark.parametrize("format_name", ["fp16", "fp32", "fp64"])
@pytest.mark.parametrize(("function", "operation"), OF_ANOTHER_KIND)
def test_nothing_is_named_where_nothing_is_known(
    function: Any, operation: str, format_name: str
) -> None:
    found = explained(specs.of_function(function, operation), operation, format_name)
    assert (found.name, found.habits, found.cure) == ("", [], "")


@pytest.mark.parametrize(
    ("method", "operation", "name"),
    [
        ("stable", "softmax", "exponentials over their sum, shifted by the row's largest logit"),
        ("division_free", "softmax", "exp of the logits minus log-sum-exp"),
        ("naive", "log_softmax", "the log of softmax, without a shift"),
        ("fast", "log_softmax", "shifted logits minus log1p of the other terms"),
        ("fast", "softmax", ""),
    ],
)
def test_our_methods_are_called_by_their_formulas(method: str, operation: str, name: str) -> None:
    assert explained(SUBJECTS[method], operation, "fp32").name == name


def test_a_formula_with_one_error_in_ten_is_not_called_by_its_name() -> None:
    """The share decides: a little noise passes, a tenth of the outputs elsewhere does not."""

    def noisy(share: float) -> Any:
        def softmax(x: Any) -> Any:
            out = METHODS["stable"].softmax(x)
            off = np.random.default_rng(1).random(x.shape) < share
            return np.where(off, out * x.dtype.type(1 + 2**-15), out)

        return softmax

    names = [
        explained(specs.of_function(noisy(share), "softmax"), "softmax", "fp32").name
        for share in (0.02, 0.1)
    ]
    assert names == ["exponentials over their sum, shifted by the row's largest logit", ""]


def test_a_coarse_exponential_hides_no_formula_and_is_said() -> None:
    def softmax(x: Any) -> Any:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        up = np.random.default_rng(1).integers(-3, 4, x.shape) * (e < 1)
        e += (up * np.spacing(e)).astype(x.dtype)
        return e / e.sum(axis=-1, keepdims=True)

    one = specs.of_function(softmax, "softmax")
    for name in ("fp32", "fp64"):
        found = explained(one, "softmax", name)
        assert found.name == "exponentials over their sum, shifted by the row's largest logit"
        assert [habit.name for habit in found.habits] == [explain.COARSE_EXP]


def test_places_go_up_by_one_and_differences_do_not_overflow() -> None:
    ends = np.array([-np.inf, -1.0, 0.0, 1.0, np.inf, np.nan])
    there, here = contest.places(ends), contest.places(np.full(6, np.finfo(float).max))
    far = contest.offsets(there, here)
    assert far.tolist()[:3] == [-contest.AWAY] * 3
    assert far.tolist()[4:] == [1, contest.NOWHERE]


def test_bf16_is_rounded_to_nearest_with_ties_to_even() -> None:
    x = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.0, np.inf], np.float32)
    assert to_bf16(x).tolist() == [1, 1 + 2**-6, 1 + 2**-7, -3, np.inf]


def test_every_cure_is_of_a_suspect_and_its_page_is_there() -> None:
    used = {one.cure for suspects in SUSPECTS.values() for one in suspects}
    assert used - {""} == set(CURES)
    for cure in CURES.values():
        assert (COMMITTED.parent / cure.page.partition("#")[0]).is_file()
        assert all(cure.method_in(name) in METHODS for name in FORMATS)


# --- Measured rates ------------------------------------------------------------------------------


def test_no_committed_name_is_wrong_and_the_threshold_lies_between_the_shares() -> None:
    found, _ = rates.load(COMMITTED / SUSPECTS_FILE)
    known = [one for one in found if one.source is not None]
    assert {one.subject for one in known} == set(rates.SOURCES)
    assert not any(one.wrong for one in known)
    assert all(one.found.share > contest.AT_LEAST for one in known if one.found.share is not None)
    none = [one.found.next_share or 0.0 for one in known if one.source == ""]
    assert max(none) < contest.AT_LEAST
    assert "names are right, 0 wrong, and 0 held back" in suspects_tables.summary(found)


def test_a_wrong_name_is_counted_and_has_its_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    named = rates.Rate("exact", "softmax", "fp32", Explanation("the log of softmax", 1.0, 99))
    assert named.wrong
    assert not replace(named, format="fp16").wrong  # sources say nothing of it
    assert "0 names are right, 1 wrong" in suspects_tables.summary([named])
    monkeypatch.setattr(rates, "measure", lambda subjects: [[named]])
    assert main(["suspects"]) == 1


def test_what_is_no_file_of_rates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"rates": [1]}')
    with pytest.raises(RunFileError, match="not a file of `bench suspects`"):
        rates.load(tmp_path / "other.json")


# --- In a verdict --------------------------------------------------------------------------------


def of(subject: Subject, operation: str = "softmax") -> Verdict:
    scope = Scope((operation,), ("fp32", "fp64"), only=(FORMULA,))
    return complete(Here(subject), ahead.kept, lambda things, *_: things, scope)


def test_a_verdict_says_why_and_what_helps(tmp_path: Path) -> None:
    found = of(SUBJECTS["stable"])
    (why, cure) = why_words.lines(found)
    assert why.startswith("softmax fp32 fp64: computes as exponentials over their sum, shifted by")
    assert "telling outputs in fp32" in why
    assert "(next: " in why
    assert "`widened` (the time of `stable` times " in cure
    assert cure.endswith("docs/methods.md#which-to-take")
    path = tmp_path / "kept.json"
    verdict_file.save(path, [found])
    (again,) = verdict_file.load(path)[0]
    assert again == found


def test_a_file_from_before_formulas_still_loads(tmp_path: Path) -> None:
    kept = json.loads(json.dumps(verdict_file.content([of(SUBJECTS["stable"])])))
    for cell in kept["verdicts"][0]["cells"]:
        del cell["formula"]
    path = tmp_path / "older.json"
    path.write_text(json.dumps(kept))
    (found,) = verdict_file.load(path)[0]
    assert [cell.formula for cell in found.cells] == [None] * len(found.cells)
    assert list(why_words.lines(found)) == []


def _cell(found: Explanation) -> Verdict:
    return Verdict("mine", "", "quick", [Cell("softmax", "fp32", True, formula=found)])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Explanation(nearest=1.0), "100 % of its results are the nearest numbers, as if computed"),
        (Explanation(nearest=0.2), "no known formula explains its results"),
        (
            Explanation(next_name="a", next_share=0.5, telling=80, nearest=0.2),
            "no known formula explains its results (the nearest, a: 50 % of 80)",
        ),
        (
            Explanation("a", 1.0, 50, "b", 0.1, ["c"], [Habit("d", 0.999, 1000)], nearest=0.5),
            "computes as a or as c: 100 % of 50 telling outputs (next: 10 %); d (99.90 % of 1,000)",
        ),
        (
            Explanation("a", 1.0, 50, alike=["c", "d"]),
            "computes as a or as one of 2 formulas that do the same here: 100 % of 50",
        ),
    ],
)
def test_what_is_said(found: Explanation, said: str) -> None:
    assert next(iter(why_words.lines(_cell(found)))).startswith(f"softmax fp32: {said}")


ROW_MAX = "the largest logit plus the log of the sum"
ALL_THREE = (
    "rows of -inf alone, rows with +inf and rows with NaN come out as the formula makes them"
)


@pytest.mark.parametrize(
    ("operation", "formula", "kept", "said"),
    [
        ("log_sum_exp", ROW_MAX, ("NaN", "NaN", "NaN"),
         [f"log-sum-exp: {ALL_THREE}"]),
        ("log_sum_exp", f"{ROW_MAX}, the sum kept in fp16", ("-inf", "+inf", "NaN"),
         ["log-sum-exp: rows with NaN come out as the formula makes them; rows of -inf alone and "
          "rows with +inf are treated apart from the formula"]),
        ("log_sum_exp", ROW_MAX, ("-inf NaN", "", "NaN"),
         ["log-sum-exp: rows with NaN come out as the formula makes them"]),
        ("softmax", "exponentials over their sum, without a shift",
         ("NaN row", "NaN row", "NaN row"),
         [f"softmax: {ALL_THREE}"]),
        ("softmax", "", ("NaN row", "NaN row", "NaN row"), []),
        ("softmax", "a formula of an older file", ("NaN row", "NaN row", "NaN row"), []),
    ],
)  # fmt: skip
def test_special_rows_follow_the_formula_or_not(
    operation: str, formula: str, kept: tuple[str, ...], said: list[str]
) -> None:
    names = [one.split("  ") if operation == "softmax" else one.split() for one in kept]
    policies = {kind: dict.fromkeys(n, 1) for kind, n in zip(SPECIAL, names, strict=True)}
    cells = [Cell(operation, "fp32", True, ways=[Way(PLAIN, policies=policies)],
                  formula=Explanation(formula, 1.0, 50))]  # fmt: skip
    assert list(why_words.special(Verdict("mine", "", "quick", cells))) == said


@pytest.mark.parametrize(("operation", "at_most"), [("softmax", 3), ("log_sum_exp", 4)])
def test_few_shapes_are_asked_since_each_may_be_compiled(operation: str, at_most: int) -> None:
    shapes = set()

    def watched(x: Any) -> Any:
        shapes.add(x.shape)
        return getattr(METHODS["stable"], operation)(x)

    explained(replace(SUBJECTS["stable"], functions={operation: watched}), operation, "fp32")
    assert len(shapes) <= at_most


def test_costs_come_from_the_committed_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (COMMITTED / "throughput.csv").open(encoding="utf-8", newline="") as lines:
        times = {(one["subject"], one["columns"]): float(one["ns_per_element"])
                 for one in csv.DictReader(lines)
                 if (one["operation"], one["format"]) == ("log_softmax", "fp32")}  # fmt: skip
    ratios = [times["log1p", k] / times["stable", k] for s, k in times if s == "log1p"]
    found = why_words.cost("log1p", "log_softmax", "fp32")
    assert found == pytest.approx(float(np.exp(np.mean(np.log(ratios)))), rel=1e-12)
    monkeypatch.setattr(why_words, "THROUGHPUT", tmp_path / "none.csv")
    assert why_words.cost("log1p", "log_softmax", "fp32") is None


def test_an_explanation_becomes_json() -> None:
    found = replace(Explanation("a", 1.0, 50), habits=[Habit("d", 1.0, 3)])
    assert json.loads(json.dumps(asdict(found)))["habits"] == [
        {"name": "d", "share": 1.0, "telling": 3}
    ]
