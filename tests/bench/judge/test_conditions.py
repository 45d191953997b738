"""Each condition alone, on verdicts made by hand with one fault each; nothing is measured.

What a condition refuses must not depend on which others are asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.inputs.kinds import EMPTY, ORDINARY, PLUS_INF, SPECIAL, WITH_NAN
from bench.judge.conditions import STRICT, Conditions, violations
from bench.judge.policies import OTHER, published
from bench.judge.verdicts import Cell, Speed, Verdict, Way
from bench.measure.contract import Found
from bench.measure.presentations import PRESENTATIONS
from bench.measure.slow_paths import Pace
from bench.measure.tally import Tally, Witness

POLICY = {kind: {published("softmax", kind): 10} for kind in SPECIAL}
SOUND = Way("plain", 100, 0, {ORDINARY: Tally(100, 0, 2.0)}, POLICY)
ELSEWHERE = next(way.name for way in PRESENTATIONS if way.name != "plain")
SLOW = Pace("softmax", "fp32", "subnormal rows take", 1.0, 50.0, 40.0, 60.0, 50.0, 1.0, 1.0)


def verdict(*ways: Way, **parts: Any) -> Verdict:
    speed = [
        Speed("softmax", "fp32", columns, 1.0, ratio, 1.0) for columns, ratio in ((5, 2), (64, 8))
    ]
    cell = Cell("softmax", "fp32", True, ways=list(ways or (SOUND,)))
    return Verdict("mine", "1", "quick", [cell], **{"speed": speed, **parts})


def failing(name: str = "plain", **failures: int) -> Way:
    return replace(SOUND, presentation=name, tallies={ORDINARY: Tally(100, 0, 2.0, failures)})


def keeping(**policies: dict[str, int]) -> Way:
    return replace(SOUND, policies=POLICY | policies)


FAULTS: dict[str, tuple[Verdict, set[str]]] = {
    "nothing": (verdict(), set()),
    "NaN": (verdict(failing(NaN=3)), {"no_failures", "max_ulp"}),
    "raised": (verdict(replace(SOUND, outcomes={"raised": 1})), {"no_failures", "max_ulp"}),
    "lost to zero": (verdict(failing(**{"lost to zero": 1})), {"no_failures"}),
    "refused": (verdict(replace(SOUND, outcomes={"refused": 4})), set()),
    "NaN elsewhere": (
        verdict(SOUND, failing(ELSEWHERE, NaN=1)),
        {"no_failures", "max_ulp", "same_bits"},
    ),
    "other bits": (verdict(SOUND, Way(ELSEWHERE, 100, 7)), {"same_bits"}),
    "a larger error elsewhere": (
        verdict(SOUND, Way(ELSEWHERE, 100, 7, {ORDINARY: Tally(7, 0, 50.0)})),
        {"same_bits", "max_ulp"},
    ),
    "a large error": (
        verdict(replace(SOUND, tallies={ORDINARY: Tally(100, 0, 10.5)})),
        {"max_ulp"},
    ),
    "no number": (verdict(replace(SOUND, tallies={})), {"max_ulp"}),
    "another policy": (verdict(keeping(empty={"NaN row": 10})), {"ours"}),
    "two policies": (
        verdict(keeping(empty={"NaN row": 5, published("softmax", EMPTY): 5})),
        {"ours", "consistent"},
    ),
    "no policy": (verdict(keeping(empty={OTHER: 10})), {"ours", "consistent"}),
    "improper": (
        verdict(replace(SOUND, tallies={ORDINARY: Tally(100, 0, 2.0, improper={"above 1": 2})})),
        {"contract"},
    ),
    "a flag": (verdict(replace(SOUND, flags={"overflow": "equal"})), {"contract"}),
    "a probe": (verdict(contract=[Found("softmax", "fp32", "axis", ("no axis",))]), {"contract"}),
    "a slow path": (verdict(paces=[SLOW]), {"steady_time"}),
    "slow": (
        verdict(speed=[Speed("softmax", "fp32", 5, 1.0, 5.0, 1.0)]),
        {"max_time_ratio"},
    ),
}
ALONE: dict[str, Conditions] = {
    "max_ulp": Conditions(max_ulp={"fp32": 10.0}),
    "no_failures": Conditions(no_failures=True),
    "ours": Conditions(special_rows="ours"),
    "consistent": Conditions(special_rows="consistent"),
    "contract": Conditions(contract=True),
    "same_bits": Conditions(same_bits=True),
    "steady_time": Conditions(steady_time=True),
    "max_time_ratio": Conditions(max_time_ratio=4.0),
}


@pytest.mark.parametrize("option", ALONE)
@pytest.mark.parametrize("fault", FAULTS)
def test_an_option_alone_refuses_its_own_faults_and_no_others(fault: str, option: str) -> None:
    found, refusing = FAULTS[fault]
    lines = violations(found, ALONE[option])
    assert bool(lines) == (option in refusing), lines
    assert all(line.startswith("mine softmax fp32") for line in lines)


@pytest.mark.parametrize("fault", FAULTS)
def test_all_options_together_refuse_what_each_does(fault: str) -> None:
    found, refusing = FAULTS[fault]
    together = replace(STRICT, max_ulp={"fp32": 10.0}, max_time_ratio=4.0)
    assert bool(violations(found, together)) == bool(refusing - {"consistent"})
    assert violations(found, Conditions()) == []


@pytest.mark.parametrize("option", ALONE)
def test_what_was_not_measured_holds_for_no_option(option: str) -> None:
    (cell,) = verdict().cells
    without = replace(verdict(), cells=[replace(cell, unmeasured=["plus inf"])])
    assert any("not measured: plus inf" in line for line in violations(without, ALONE[option]))
    nothing = replace(verdict(), cells=[replace(cell, offered=False)])
    assert violations(nothing, ALONE[option]) == ["mine nothing was measured"]


@pytest.mark.parametrize("kind", SPECIAL)
def test_every_kind_of_special_row_is_asked_for(kind: str) -> None:
    wrong = verdict(keeping(**{kind: {OTHER: 1}}))
    for asked in ("ours", "consistent"):
        assert violations(wrong, Conditions(special_rows=asked))
    none_met = verdict(keeping(**{kind: {}}))
    assert all("not measured" in line for line in violations(none_met, ALONE["ours"]))


def test_limits_are_of_a_format_and_the_last_number_is_allowed() -> None:
    at = verdict(replace(SOUND, tallies={ORDINARY: Tally(100, 0, 10.0)}))
    assert violations(at, ALONE["max_ulp"]) == []
    assert violations(at, Conditions(max_ulp={"fp16": 1.0})) == []
    (line,) = violations(at, Conditions(max_ulp={"fp32": 9.75, "fp16": 1.0}))
    assert line == "mine softmax fp32: off by up to 10 ulp in ordinary rows (--max-ulp 9.75)"
    assert violations(verdict(), Conditions(max_time_ratio=4.0)) == []  # sqrt(2 x 8)
    (line,) = violations(verdict(speed=[]), Conditions(max_time_ratio=4.0))
    assert line == "mine softmax fp32: not timed (--max-time-ratio 4)"


def test_a_line_names_the_worst_row_and_how_it_was_passed() -> None:
    for name, way in (("plain", ""), (ELSEWHERE, f", {ELSEWHERE}")):
        worst = Witness("narrow", 0, 0, None, 5, 0, None, "1", "2", name)
        far = replace(SOUND, tallies={ORDINARY: Tally(100, 0, 10.5, worst=worst)})
        (line,) = violations(verdict(far), ALONE["max_ulp"])
        assert f"in ordinary rows (case 'narrow', K = 5{way}) (" in line


def test_a_line_names_the_option_that_refuses_it() -> None:
    said = {
        "no_failures": ("NaN", "3 NaN in ordinary rows (--no-failures)"),
        "max_ulp": ("NaN", "3 NaN in ordinary rows (no --max-ulp allows them)"),
        "contract": ("a flag", "flags: overflow in equal (--contract)"),
        "ours": ("another policy", "rows of -inf alone: NaN row (--special-rows)"),
        "consistent": ("no policy", f"rows of -inf alone: {OTHER} (--special-rows=consistent)"),
    }
    for option, (fault, words) in said.items():
        assert f"mine softmax fp32: {words}" in violations(FAULTS[fault][0], ALONE[option])
    assert {EMPTY, PLUS_INF, WITH_NAN} == set(SPECIAL)
