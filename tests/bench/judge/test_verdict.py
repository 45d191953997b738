"""verdict: what it says of planted functions, what its conditions refuse; exit statuses, files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.judge import verdict
from bench.judge.baseline import worse
from bench.judge.conditions import STRICT, Conditions, violations
from bench.judge.findings import findings
from bench.judge.verdict import Scope
from bench.judge.verdicts import Cell, Verdict, Way
from bench.measure.presentations import PRESENTATIONS
from bench.show import verdict_tables, verdict_words
from bench.subjects.isolated import Here
from bench.subjects.specs import load
from bench.subjects.subject import SUBJECTS
from bench.truth import ahead
from numerics import FORMATS, stable_softmax

ROOT = Path(__file__).parents[3]
POSIX = pytest.mark.skipif(os.name != "posix", reason="terminals and process groups of POSIX")
pytestmark = pytest.mark.usefixtures("small_verdicts")


@pytest.fixture
def judge(folder: Path) -> Callable[..., Verdict]:
    def judged(*names: str, **scope: Any) -> Verdict:
        texts = [name if name in SUBJECTS else f"{folder}/planted.py:{name}" for name in names]
        (subject,) = load(texts)[0].values()
        asked = {"operations": ("softmax", "log_softmax"), "formats": ("fp32",), **scope}
        return verdict.complete(Here(subject), ahead.kept, passed_on, Scope(**asked))

    return judged


def passed_on(things: Any, count: int, doing: str = "") -> Any:
    return things


def cell(found: Verdict, operation: str, format_name: str) -> Cell:
    (one,) = [c for c in found.cells if (c.operation, c.format) == (operation, format_name)]
    return one


ASKED = Conditions(max_ulp=dict.fromkeys(FORMATS, 1e9), no_failures=True, special_rows="ours",
                   contract=True, same_bits=True)  # fmt: skip


def test_a_method_that_keeps_its_promises_gets_a_clean_verdict(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("exact", operations=("softmax",), formats=("fp16", "fp32"))
    strict = replace(STRICT, steady_time=False, max_ulp=dict.fromkeys(FORMATS, 0.5001))
    assert violations(found, replace(strict, max_time_ratio=1e9)) == []
    said = verdict_words.conclusion(found)
    assert "no failures: no NaN, infinity or lost value; results for rows with NaN" in said
    assert "only -inf are as in docs/contracts.md" in said
    assert "a row gives the same bits however it is passed" in said
    assert said.endswith("at effort quick.")
    (one, *rest) = violations(found, Conditions(max_ulp={"fp32": 0.25}))
    assert one.startswith("exact softmax fp32: off by up to 0.")
    assert one.endswith("(--max-ulp 0.25)")
    assert all("fp32" in line for line in rest)
    assert len(violations(found, Conditions(max_time_ratio=1e-9))) == 2


def test_three_lines_lose_confident_logarithms_and_special_rows(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("softmax", "log_softmax")
    softmax, logarithm = cell(found, "softmax", "fp32"), cell(found, "log_softmax", "fp32")
    assert softmax.max_ulp is not None
    assert softmax.max_ulp < 100
    assert logarithm.confident_ulp is not None
    assert logarithm.confident_ulp > 1e7
    assert set(softmax.policies["empty"]) == {"NaN row"}
    assert "no digit of log-softmax is right on some rows" in verdict_words.conclusion(found)
    assert "only -inf keep" in verdict_words.conclusion(found)


def test_an_error_in_an_ordinary_row_is_one_whatever_stands_beside_it() -> None:
    """A row is judged by its own kind: a special neighbour excuses nothing."""

    def doubled_beside_an_empty_row(x: Any) -> Any:
        empty = np.isneginf(x).all(axis=-1, keepdims=True)
        return SUBJECTS["exact"].functions["softmax"](x) * (1 + empty.any() * ~empty)

    functions = {"softmax": lambda x: doubled_beside_an_empty_row(x).astype(x.dtype)}
    subject = replace(SUBJECTS["exact"], functions=functions, takes_axis=False)
    found = verdict.complete(Here(subject), ahead.kept, passed_on, Scope(("softmax",), ("fp32",)))
    assert any("in ordinary rows" in line for line in
               violations(found, Conditions(max_ulp={"fp32": 1.0})))  # fmt: skip


FAULTS = [
    ("overflows=softmax", r"softmax fp32: [\d,]+ NaN in .*\(--no-failures\)"),
    ("writes=softmax", r"softmax fp32: \d+ wrote to input: .*\(--no-failures\)"),
    ("raises=softmax", r"softmax fp32: \d+ raised: .*on purpose.*\(--no-failures\)"),
    ("raises_on_few=softmax", r"softmax fp32: \d+ raised: .*K = 5.*\(--no-failures\)"),
    ("wrong_dtype=softmax", r"softmax fp32: \d+ wrong result: .*\(--no-failures\)"),
    ("of_its_batch=softmax", r"softmax fp32, row alone: other bits in .*\(--same-bits\)"),
    ("softmax", r"softmax fp32: rows of -inf alone: NaN row.*\(--special-rows\)"),
]


@pytest.mark.parametrize(("name", "said"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_planted_fault_is_named_with_its_cell(
    name: str, said: str, judge: Callable[..., Verdict]
) -> None:
    found = judge(name)
    lines = violations(found, ASKED)
    assert any(re.fullmatch(f"planted {said}", line) for line in lines), lines
    assert violations(found, Conditions()) == []


def test_what_is_refused_is_named_and_says_nothing_of_bits(judge: Callable[..., Verdict]) -> None:
    found = judge("needs_c_order=softmax")
    refused = {one.where for one in findings(found) if one.topic == "refused"}
    assert {"F order", "strided", "reversed"} <= refused
    assert violations(found, Conditions(same_bits=True)) == []
    assert "refused: F order" in "\n".join(verdict_words.screen(found))


@pytest.mark.parametrize("name", ["overflows=softmax", "raises=softmax", "raises_on_few=softmax"])
def test_no_error_limit_lets_pass_what_has_no_number(
    name: str, judge: Callable[..., Verdict]
) -> None:
    lines = violations(judge(name), Conditions(max_ulp=dict.fromkeys(FORMATS, 1e300)))
    assert any("fp32" in line for line in lines)


@pytest.mark.parametrize("condition", [
    Conditions(no_failures=True), Conditions(special_rows="ours"), Conditions(same_bits=True),
    Conditions(steady_time=True), Conditions(contract=True), Conditions(max_time_ratio=1e9),
    Conditions(special_rows="consistent"), Conditions(max_ulp={"fp32": 1e300}),
])  # fmt: skip
def test_what_was_not_measured_does_not_hold(
    condition: Conditions, judge: Callable[..., Verdict]
) -> None:
    assert violations(judge("raises=softmax"), condition)
    assert violations(judge("stable", seconds=0.0), condition)


def test_what_takes_long_leaves_time_for_other_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(verdict, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def softmax(x: Any, axis: int = -1) -> Any:
        clock[0] += 1
        return stable_softmax(x, axis=axis)

    subject = replace(SUBJECTS["stable"], functions={"softmax": softmax})
    scope = Scope(("softmax",), seconds=200.0)
    found = verdict.complete(Here(subject), ahead.kept, passed_on, scope)
    assert len(found.cells) == 3
    assert all(one.formula and one.unmeasured and one.plain.outputs for one in found.cells)


def test_a_format_that_is_not_offered_is_said_with_the_reason() -> None:
    refused = {("softmax", "fp64"): "mine makes float32 of float64"}
    subject = replace(SUBJECTS["stable"], refused=refused)
    found = verdict.complete(
        Here(subject), ahead.kept, passed_on, Scope(("softmax",), only=("no",))
    )
    said = verdict_words._absent(found)
    assert list(said) == ["not offered in fp64: softmax (mine makes float32 of float64)"]
    assert list(verdict_words._absent(replace(found, cells=found.cells[:1]))) == []


def test_special_rows_that_give_the_same_are_said_in_one_line() -> None:
    kept = {"empty": {"NaN row": 2}, "+inf": {"NaN row": 1}, "NaN": {"NaN row": 1, "zeros": 1}}
    ways = [Way("plain", policies=kept)]
    found = Verdict("mine", "", "quick", [Cell("softmax", "fp32", True, ways=ways)])
    assert list(verdict_words.policies(found)) == [
        "rows of -inf alone, rows with +inf: NaN row (softmax)",
        "rows with NaN: NaN row or zeros (softmax)",
    ]


def test_what_gives_no_result_is_said(judge: Callable[..., Verdict]) -> None:
    said = verdict_words.conclusion(judge("raises=softmax"))
    assert said.startswith("planted: no verdict, since no call gave a result: ")
    assert "ZeroDivisionError: on purpose" in said
    assert "wrote to input" in verdict_words.conclusion(judge("writes=softmax"))


def test_a_refused_format_is_not_offered_and_breaks_no_condition(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("no_half=softmax", formats=("fp16", "fp32"))
    assert not cell(found, "softmax", "fp16").offered
    shown = verdict_tables.plain([found], verbose=True)
    assert "softmax fp16: not offered: TypeError: no fp16" in shown
    assert violations(found, Conditions(no_failures=True, max_ulp={"fp16": 1e9})) == []


def test_witnesses_are_python_that_shows_what_they_say(judge: Callable[..., Verdict]) -> None:
    found = judge("softmax", "log_softmax")
    lines = verdict_tables.plain([found], verbose=True).splitlines()
    made = [line.strip() for line in lines if line.startswith("    ")]
    shown = 0
    for part in "\n".join(made).split("from bench.measure.again")[1:]:
        shown += ran("from bench.measure.again" + part.split("import numpy")[0])
    for part in "\n".join(made).split("import numpy as np")[1:]:
        shown += ran("import numpy as np" + part.split("from bench.measure")[0])
    assert shown >= 2


def ran(code: str) -> bool:
    """Run a witness and compare what it prints with what it says it got."""
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out), np.errstate(all="ignore"):
        exec(code, {})
    (said,) = re.findall(r"# got (\S+), exact", code)
    assert float.fromhex(out.getvalue()).hex() == float.fromhex(said).hex(), code
    return True


def test_a_failure_has_its_own_witness_beside_the_worst_number(
    judge: Callable[..., Verdict],
) -> None:
    rows = cell(judge("overflows=softmax"), "softmax", "fp32").all_rows
    assert rows.failed is not None
    assert rows.worst is not None
    assert rows.failed.got in ("nan", "inf")
    assert np.isfinite(float.fromhex(rows.worst.got))


def test_a_verdict_fits_a_screen(judge: Callable[..., Verdict]) -> None:
    for names in (["overflows=softmax"], ["raises=softmax"], ["softmax", "log_softmax"]):
        assert len(verdict_tables.plain([judge(*names)]).splitlines()) <= 50


def test_what_became_worse_since_a_baseline_is_named(judge: Callable[..., Verdict]) -> None:
    good, bad = judge("softmax"), judge("overflows=softmax")
    assert worse([good], good, 1e9) == []
    bad = replace(bad, subject=good.subject)
    lines = worse([good], bad, 1e9)
    assert any("NaN, 0 before" in line for line in lines)
    assert worse([], good, 1e9) == ["planted is not in the baseline (--baseline)"]
    without = replace(good, cells=[])
    assert any("was not measured now" in line for line in worse([good], without, 1e9))
    assert any("before (--baseline)" in line for line in worse([good], good, 1e-9))
    on_random = [replace(c, ordinary_ulp=1e-9) for c in good.cells]  # the largest of all hides it
    assert any("random rows" in line for line in worse([replace(good, cells=on_random)], good, 1e9))


def test_every_presentation_has_a_name_and_words_of_its_own() -> None:
    assert len({way.name for way in PRESENTATIONS}) == len(PRESENTATIONS)
    assert all(way.words for way in PRESENTATIONS)
