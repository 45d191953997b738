"""`bench processor` sees other bits and broken bounds, and its file is read with suspicion."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.commands.progress import progress
from bench.inputs.cases import named
from bench.measure import corpus, processors
from bench.measure.processors import Beyond, Processor
from bench.runs import committed
from bench.runs.environment import environment
from bench.runs.files import RunFileError, to_json
from bench.subjects.subject import SUBJECTS
from bench.truth import reference
from bench.truth.reference import Cache
from numerics import FORMATS, METHODS, OPERATIONS

ROOT = Path(__file__).parents[3]
BEYOND = Beyond("fast", "softmax", "fp64", "uniform", 5.17, 1.29, ("one output",))


def entry(**changed: Any) -> Processor:
    """A processor on which everything holds, but for what is given."""
    return replace(Processor("s390x", "QEMU 7", environment(), 12, (), 100, ()), **changed)


@pytest.fixture
def one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """One case in one format, and the corpus as it is committed, without the time that it takes."""
    monkeypatch.setattr(processors, "cells", lambda: [(named("[0, -40]"), FORMATS["fp32"])])
    monkeypatch.setattr(corpus, "digests", corpus.committed)


def checked(cache: Path) -> Processor:
    cells = processors.cells()
    exact = processors.truths(cells, Cache(cache), emulated=True, track=progress)
    return processors.check("this", "QEMU 7", cells, exact, progress)


@pytest.mark.usefixtures("one_cell")
def test_all_methods_keep_their_bounds_here(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert found.holds
    assert found.records == len(METHODS) * len(OPERATIONS)
    assert found.digests == len(FORMATS) * len(OPERATIONS)


@pytest.mark.usefixtures("one_cell")
def test_an_output_that_is_one_ulp_off_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = SUBJECTS["exact"]

    def off(x: Any) -> Any:
        return np.nextafter(right.functions["softmax"](x), np.float32(2))

    wrong = replace(right, functions={**right.functions, "softmax": off})
    monkeypatch.setattr(processors, "SUBJECTS", {"exact": wrong})
    found = checked(tmp_path)
    assert not found.holds
    assert [(one.subject, one.operation, one.case) for one in found.beyond] == [
        ("exact", "softmax", "[0, -40]")
    ]
    assert found.beyond[0].ratio is not None
    assert found.beyond[0].ratio > 1


@pytest.mark.usefixtures("one_cell")
def test_another_bit_in_the_corpus_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**corpus.committed(), "softmax fp16": "0" * 64}
    monkeypatch.setattr(corpus, "digests", lambda: other)
    found = checked(tmp_path)
    assert found.differing == ("softmax fp16",)
    assert not found.holds


def test_under_emulation_no_process_is_started_and_the_cache_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, cache = [(named("[0, -40]"), FORMATS["fp16"])], Cache(tmp_path)
    (known,) = processors.truths(cells, cache, emulated=False, track=progress)

    def never(*arguments: object) -> Any:
        raise AssertionError("the exact values are known")

    monkeypatch.setattr(reference, "ProcessPoolExecutor", never)
    monkeypatch.setattr(processors, "compute", never)
    (found,) = processors.truths(cells, cache, emulated=True, track=progress)
    for operation in OPERATIONS:
        assert (found[operation].significand == known[operation].significand).all()


def test_without_rich_a_line_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(progress(iter("abc"), 3, "checking")) == ["a", "b", "c"]
    assert capsys.readouterr().err.splitlines()[-1] == "checking: 2 of 3"


# --- The command and the script ------------------------------------------------------------------


@pytest.mark.usefixtures("one_cell")
def test_an_entry_takes_the_place_of_one_of_the_same_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "processors.json"
    kept = entry()
    before = [kept, entry(name="this", beyond=(BEYOND,))]
    path.write_text(to_json({"processors": [asdict(one) for one in before]}))
    options = ["--reference-cache", str(tmp_path), "-o", str(path)]
    assert main(["processor", "this", *options]) == 0
    found, other = processors.load(path)
    assert other == kept
    assert (found.name, found.emulator, found.beyond) == ("this", "", ())
    records = len(METHODS) * len(OPERATIONS)
    assert f"bits of exact the same, {records} of {records} records" in capsys.readouterr().out


@pytest.mark.usefixtures("one_cell")
def test_what_does_not_hold_is_status_1_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "digests", lambda: {})
    path = tmp_path / "processors.json"
    options = ["--reference-cache", str(tmp_path), "-o", str(path)]
    assert main(["processor", "this", *options]) == 1
    assert processors.load(path)[0].differing == tuple(corpus.committed())


def test_a_foreign_output_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processors, "truths", lambda *arguments: pytest.fail("measured"))
    path = tmp_path / "mine.json"
    path.write_text("{}")
    assert main(["processor", "this", "-o", str(path)]) == 2
    assert "mine.json: not a file of `bench processor`" in capsys.readouterr().err
    assert path.read_text() == "{}"


def test_a_name_that_no_table_can_show_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["processor", "a | b"])
    assert "'a | b': expected a name" in capsys.readouterr().err


def test_the_script_names_what_it_can_run() -> None:
    script = ROOT / ".ci" / "processors"
    done = subprocess.run([script, "vax"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "vax is none of native no-avx512 baseline i386 s390x arm64" in done.stderr


# --- The file ------------------------------------------------------------------------------------


def test_what_is_kept_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "processors.json"
    found = entry(beyond=(BEYOND,), differing=("softmax fp16",))
    real = entry(name="z", emulator="")
    path.write_text(to_json(processors.content([entry(name="vax"), real], found)))
    assert processors.load(path) == [real, found, entry(name="vax")]


def _changed(change: Callable[[dict[str, Any]], object]) -> str:
    one = json.loads(json.dumps(asdict(entry(beyond=(BEYOND,)))))
    change(one)
    return json.dumps({"processors": [one]})


HOSTILE = {
    "empty": "",
    "a list": "[]",
    "deep": "[" * 100_000,
    "no entries": "{}",
    "entries of nothing": '{"processors": [1]}',
    "twice the same": json.dumps({"processors": [asdict(entry())] * 2}),
    "a field too many": _changed(lambda one: one.update(more=1)),
    "a field too few": _changed(lambda one: one.pop("records")),
    "text as a count": _changed(lambda one: one.update(records="5")),
    "a negative count": _changed(lambda one: one.update(digests=-1)),
    "more beyond than records": _changed(lambda one: one.update(records=0)),
    "a name over two lines": _changed(lambda one: one.update(name="a\nb")),
    "a name that breaks the table": _changed(lambda one: one.update(name="a | b")),
    "a name that is markup": _changed(lambda one: one.update(name="<script>")),
    "a number as a name": _changed(lambda one: one.update(name=5)),
    "NaN": _changed(lambda one: one["beyond"][0].update(ulp=np.nan)),
    "an unknown operation": _changed(lambda one: one["beyond"][0].update(operation="relu")),
    "no NumPy": _changed(lambda one: one["environment"].pop("numpy")),
    "a number as dispatch": _changed(lambda one: one["environment"].update(simd_dispatch=[1])),
    "environment as a list": _changed(lambda one: one.update(environment=[])),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_any_other_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(RunFileError) as refused:
        processors.load(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300 + len(str(path))


def test_all_holds_on_every_processor_tried() -> None:
    found = {one.name: one for one in processors.load(ROOT / "results" / committed.PROCESSORS)}
    natively = {"x86_64", "x86_64 baseline", "x86_64 without AVX-512"}
    assert found.keys() >= natively | {"arm64", "i386", "s390x"}
    assert found["s390x"].environment["byteorder"] == "big"
    for one in found.values():
        assert one.digests == len(corpus.committed())
        assert one.differing == one.beyond == ()
