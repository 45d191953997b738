"""The schema of verdict files: it takes what the harness writes, and refuses what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import verdict
from bench.judge import schema, verdict_file
from bench.runs.committed import COMMITTED, MINE, VERDICTS
from bench.runs.run_file import read
from numerics import stable_softmax

jsonschema = pytest.importorskip("jsonschema")
ROOT = COMMITTED.parent
DOCUMENT = ROOT / schema.NAME


def valid(content: Any) -> bool:
    checked = jsonschema.Draft202012Validator(json.loads(DOCUMENT.read_text(encoding="utf-8")))
    return bool(checked.is_valid(content))


@pytest.fixture(scope="module")
def judged() -> dict[str, Any]:
    return verdict(stable_softmax, "softmax", formats=["fp16"], seconds=2.0).json()


def test_the_committed_schema_is_one_and_what_the_dataclasses_say() -> None:
    committed = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(committed)
    assert committed == schema.schema(), "python -m bench report writes it anew"


def test_what_python_and_the_command_say_is_valid(judged: dict[str, Any]) -> None:
    assert judged["verdicts"][0]["cells"][0]["formula"]["habits"] == []
    assert valid(judged)


@pytest.mark.parametrize("name", [MINE, VERDICTS])
def test_committed_verdicts_are_valid_and_stay_so_when_saved_again(
    name: str, tmp_path: Path
) -> None:
    content = json.loads(read(COMMITTED / name))
    assert valid(content) or content["schema"] < verdict_file.SCHEMA
    again = tmp_path / "again.json"
    verdict_file.save(again, verdict_file.load(COMMITTED / name)[0])
    assert valid(json.loads(again.read_text(encoding="utf-8")))


def _first(content: Any) -> Any:
    return content["verdicts"][0]


FAULTS: dict[str, Callable[[Any], Any]] = {
    "a field that there is not": lambda c: _first(c)["cells"][0].update(colour="red"),
    "a missing field": lambda c: _first(c)["cells"][0].pop("format"),
    "text for a number": lambda c: _first(c)["cells"][0].update(ordinary_ulp="0.5"),
    "another schema": lambda c: c.update(schema=1),
    "a formula without words": lambda c: _first(c)["cells"][0]["formula"].update(name=None),
    "a habit of one's own": lambda c: _first(c)["cells"][0]["formula"]["habits"].append("smokes"),
    "no environment": lambda c: c.pop("environment"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_refused(fault: str, judged: dict[str, Any]) -> None:
    content = json.loads(json.dumps(judged))
    FAULTS[fault](content)
    assert not valid(content)
