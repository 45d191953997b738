"""The verdict is tested by defects: each planted one is named, and no sound function is refused.

Each run asks of a defect the step of a verdict that finds it, and of a few sound functions all.
`pytest tests/bench/judge/test_planted_defects.py --whole-verdicts` asks everything of everybody.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.bench.planted import document, judging
from tests.bench.planted.sound import SOUND, Sound
from tests.bench.planted.table import PLANTED, Planted

Found = dict[str, tuple[list[str], list[str]]]


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--whole-verdicts"))


@pytest.fixture(scope="module")
def found(whole: bool) -> Found:
    """What the verdict says of each function, and what does not hold; in all cores."""
    cores = os.cpu_count() or 1
    shares = judging.shares(cores, whole)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        judged = pool.map(judging.judge_all, shares, [whole] * len(shares))
        return {name: said for part in judged for name, said in part.items()}


@pytest.mark.parametrize("one", PLANTED, ids=lambda one: one.name)
def test_a_planted_defect_is_named(one: Planted, found: Found) -> None:
    said, broken = found[one.name]
    assert any(re.search(one.named, line) for line in said), said
    assert broken


@pytest.mark.parametrize("one", SOUND, ids=lambda one: one.name)
def test_a_sound_function_is_not_refused(one: Sound, found: Found, whole: bool) -> None:
    if not (whole or one.always):
        pytest.skip("asked with --whole-verdicts")
    _, broken = found[one.name]
    assert broken == []


def test_every_defect_is_there_once_and_there_are_enough() -> None:
    assert len({one.name for one in PLANTED}) == len(PLANTED) >= 60


def test_the_table_of_defects_is_what_docs_show() -> None:
    page = document.PAGE.read_text(encoding="utf-8")
    shown = page.split(f"<!-- {document.SECTION} begin -->")[1]
    shown = shown.split(f"<!-- {document.SECTION} end -->")[0]
    assert shown.strip() == document.table(), "python -m tests.bench.planted.document"
