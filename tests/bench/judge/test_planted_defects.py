"""The verdict is tested by defects: each planted one is named, and no sound function is refused.

Each run asks of a defect the step of a verdict that finds it, and of a few sound functions all.
`pytest tests/bench/judge/test_planted_defects.py --whole-verdicts` asks everything of everybody.
"""

from __future__ import annotations

import re

import pytest

from tests.bench.planted import document, judging
from tests.bench.planted.sound import SOUND, Sound
from tests.bench.planted.table import PLANTED, Planted


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--whole-verdicts"))


@pytest.mark.parametrize("one", PLANTED, ids=lambda one: one.name)
def test_a_planted_defect_is_named(one: Planted, whole: bool) -> None:
    said, broken = judging.of_defect(one, whole)
    assert any(re.search(one.named, line) for line in said), said
    assert broken


@pytest.mark.parametrize("one", SOUND, ids=lambda one: one.name)
def test_a_sound_function_is_not_refused(one: Sound, whole: bool) -> None:
    if not (whole or one.always):
        pytest.skip("asked with --whole-verdicts")
    assert judging.of_sound(one) == []


def test_every_defect_is_there_once_and_there_are_enough() -> None:
    assert len({one.name for one in PLANTED}) == len(PLANTED) >= 60


def test_the_table_of_defects_is_what_docs_show() -> None:
    page = document.PAGE.read_text(encoding="utf-8")
    shown = page.split(f"<!-- {document.SECTION} begin -->")[1]
    shown = shown.split(f"<!-- {document.SECTION} end -->")[0]
    assert shown.strip() == document.table(), "python -m tests.bench.planted.document"
