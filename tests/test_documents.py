"""README and docs: no wider than a screen, every link leads somewhere, no field is forgotten."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.inputs.cases import CASES
from bench.measure.invariance import CHECKS
from bench.runs import run_file
from bench.runs.committed import REFERENCE, ROOT
from bench.runs.environment import environment
from bench.runs.records import Claim, Invariance, Record, Summary

README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINES, WIDTH = 260, 120
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def test_readme_is_short_and_nothing_in_it_is_wider_than_a_screen() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > WIDTH] == []


def test_readme_shows_the_function_that_it_judges() -> None:
    code = (ROOT / "docs" / "mine.py").read_text(encoding="utf-8").strip()
    assert f"```python\n{code}\n```" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_a_broken_link_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](#one-two) [b](#three) [c](none.md) [d](page.md#one-two)\n")
    assert broken_links(page) == ["#three", "none.md"]


def broken_links(document: Path) -> list[str]:
    """The links of a document to files and headings that do not exist."""
    broken = []
    for link in LINK.findall(document.read_text(encoding="utf-8").replace("\n  ", " ")):
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        if "://" not in link and (
            not target.exists() or (heading and heading not in headings(target))
        ):
            broken.append(link)
    return broken


def headings(document: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# --- docs/run-file.md ----------------------------------------------------------------------------


def documented(section: str) -> set[str]:
    """The fields in the tables of a section."""
    text = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    cells = re.findall(r"^\| (`[^|]*`) \|", body, flags=re.M)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_the_run_file_is_described_field_by_field() -> None:
    claimed = {f"claim_{name}" for name in names(Claim)}
    record = (names(Record) - {"summary", "claim"}) | names(Summary) | claimed
    assert documented("`records`") == record
    assert documented("`invariance`") == names(Invariance)
    assert documented("`environment`") == set(environment())
    assert documented("`softmax`") == set(run_file.section([], [], "quick"))
    content = json.loads(run_file.read(ROOT / "results" / REFERENCE))
    assert documented("The top level") == set(content)
    assert documented("Times") == set(content["benchmarks"][0]["extra_info"])


def test_the_words_of_a_run_file_are_those_that_are_described() -> None:
    text = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    assert f"**schema {run_file.SCHEMA}**" in text
    assert all(f"`{family}`" in text for family in {case.family for case in CASES})
    assert all(f"`{check.name}`" in text for check in CHECKS)
