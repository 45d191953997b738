"""Run files: ours read back, and files from elsewhere refused in one line that names them."""

from __future__ import annotations

import gzip
import json
import lzma
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.runs import keep, run_file
from bench.runs.files import MarkerError, RunFileError, replace_between_markers, to_json, write_all
from numerics import OPERATIONS
from tests.bench.content import changed, run_content, written


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return run_content()


def test_a_run_file_reads_back(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "run.json"
    path.write_text(to_json(content))
    run = run_file.load(path)
    assert run.cpu == "a CPU"
    assert run.commit == "0123456789ab"
    assert len(run.accuracy) == 3 * 3 * len(OPERATIONS)
    assert set(run.accuracy["outcome"]) == {"measured"}
    assert run.throughput["ns_per_element"].tolist() == [1.5]
    assert run.environment["numpy"] in run.label
    first = content["softmax"]["records"][0]
    assert run.accuracy["max_ulp"][0] == first["max_ulp"]  # no digit lost


@pytest.mark.parametrize("suffix", [".json.gz", ".json.xz"])
def test_compressed_files_read_the_same(
    tmp_path: Path, content: dict[str, Any], suffix: str
) -> None:
    plain = written(tmp_path / "run.json", content)
    packed = tmp_path / f"run{suffix}"
    compress = gzip.compress if suffix.endswith("gz") else lzma.compress
    packed.write_bytes(compress(plain.read_bytes()))
    assert run_file.load(packed).accuracy.equals(run_file.load(plain).accuracy)


def test_a_small_file_may_grow_by_any_factor_up_to_a_mebibyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json.xz"
    path.write_bytes(lzma.compress(b" " * 2**20))
    assert path.stat().st_size * run_file.MAX_EXPANSION < 2**20
    assert len(run_file.read(path)) == 2**20
    digits = random.Random(1).randbytes(2**20).hex().encode()
    path.write_bytes(lzma.compress(digits, preset=0))
    assert run_file.read(path) == digits  # more than that, and within the factor
    path.write_bytes(lzma.compress(b" " * (2**20 + 1)))
    with pytest.raises(RunFileError, match="larger than 1 MiB when read"):
        run_file.read(path)
    monkeypatch.setattr(run_file, "MAX_BYTES", 1000)
    path.write_bytes(lzma.compress(b" " * 1001))
    with pytest.raises(RunFileError, match="larger than 0 MiB when read"):
        run_file.read(path)


def test_compact_drops_raw_rounds_only(tmp_path: Path, content: dict[str, Any]) -> None:
    plain = written(tmp_path / "run.json", content)
    packed = tmp_path / "run.json.xz"
    packed.write_bytes(keep.compact(plain))
    assert run_file.load(packed).accuracy.equals(run_file.load(plain).accuracy)
    assert b'"data"' not in run_file.read(packed)


HOSTILE: dict[str, Any] = {
    "empty": b"",
    "truncated": b'{"benchmarks": [',
    "nested": b"[" * 1_000_000,
    "not utf-8": b"\xff\xfe\x00",
    "a list": b"[]",
    "no section": b'{"benchmarks": []}',
    "benchmarks no list": b'{"benchmarks": 3, "softmax": {}}',
}
WRONG: dict[str, tuple[Any, ...]] = {
    "unknown format": ("softmax", "records", 0, "format", "fp99"),
    "unknown operation": ("benchmarks", 0, "extra_info", "operation", "argmax"),
    "negative median": ("benchmarks", 0, "stats", "median", -1),
    "schema": ("softmax", "schema", 99),
    "records": ("softmax", "records", {}),
    "a record": ("softmax", "records", 0, 7),
    "environment": ("softmax", "environment", []),
    "numpy": ("softmax", "environment", "numpy", 2),
    "subject": ("softmax", "records", 1, "subject", None),
    "figure": ("softmax", "records", 1, "max_ulp", "large"),
    "huge integer": ("softmax", "records", 1, "max_ulp", 10**400),
    "invariance": ("softmax", "invariance", 0, {"check": 3}),
    "one bad count": ("softmax", "invariance", 0, "outputs", -1),
    "the other bad count": ("softmax", "invariance", 0, "differing", None),
    "a check without a name": ("softmax", "invariance", 0, "check", 7),
    "a check of no format": ("softmax", "invariance", 0, "format", "a\nb"),
    "a check with a strange message": ("softmax", "invariance", 0, "message", ["x"]),
    "survival": ("softmax", "records", 1, "survival", 4),
    "survival entries": ("softmax", "records", 1, "survival", ["a"]),
    "long survival": ("softmax", "records", 1, "survival", [1] * 1000),
    "negative figure": ("softmax", "records", 1, "max_ulp", -1.0),
    "widths": ("softmax", "records", 1, "max_ulp_by_width", [1, 2]),
    "formula": ("softmax", "records", 1, "subject", "$x_{$"),
    "surrogate": ("softmax", "records", 1, "case", "\ud800"),
    "version": ("softmax", "environment", "numpy", "1" * 5000),
    "benchmark": ("benchmarks", 0, {"extra_info": {}}),
    "infinite time": ("benchmarks", 0, "extra_info", "ns_per_element", "inf"),
    "a round of no time": ("benchmarks", 0, "stats", "data", [1.0, 0.0]),
    "a round that is no number": ("benchmarks", 0, "stats", "data", [1.0, "1"]),
    "zero time": ("benchmarks", 0, "extra_info", "ns_per_element", 0),
    "huge columns": ("benchmarks", 0, "extra_info", "columns", 10**400),
    "negative columns": ("benchmarks", 0, "extra_info", "columns", -5),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(RunFileError, match=r"hostile\.json: ") as caught:
        run_file.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_types_get_one_line(tmp_path: Path, content: dict[str, Any], name: str) -> None:
    *place, value = WRONG[name]
    path = written(tmp_path / "wrong.json", changed(content, *place, value=value))
    with pytest.raises(RunFileError, match=r"wrong\.json: ") as caught:
        run_file.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("commit", "said"),
    [
        (None, "unknown"),
        ({}, "unknown"),
        ({"id": "0123456789abcdef", "dirty": True}, "0123456789ab+"),
        ({"id": "0123456789abcdef", "dirty": "no"}, "0123456789ab"),
        ({"id": 7, "dirty": None}, "unknown"),
    ],
)
def test_a_run_of_an_unknown_commit_is_read(
    tmp_path: Path, content: dict[str, Any], commit: Any, said: str
) -> None:
    path = written(tmp_path / "run.json", changed(content, "commit_info", value=commit))
    assert run_file.load(path).commit == said


@pytest.mark.parametrize("machine", [None, [], {}, {"cpu": None}, {"cpu": {"brand_raw": 3}}])
def test_a_run_of_an_unknown_machine_is_read(
    tmp_path: Path, content: dict[str, Any], machine: Any
) -> None:
    path = written(tmp_path / "run.json", changed(content, "machine_info", value=machine))
    run = run_file.load(path)
    assert (run.cpu, run.machine) == ("unknown", "unknown, unknown")


def test_nan_tokens_are_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(changed(content, "softmax", "records", 0, "max_ulp", value=float("nan")))
    assert "NaN" in text
    path = tmp_path / "nan.json"
    path.write_text(text)
    with pytest.raises(RunFileError, match=r"nan\.json: .*NaN"):
        run_file.load(path)
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"figure": float("nan")})


@pytest.mark.parametrize(
    "name", ["missing.json", "broken.json.gz", "broken.json.xz", "corrupt.json.gz"]
)
def test_unreadable_files_get_one_line(tmp_path: Path, name: str) -> None:
    if "broken" in name:
        (tmp_path / name).write_bytes(b"not compressed at all")
    if "corrupt" in name:
        packed = bytearray(gzip.compress(bytes(range(256)) * 50))
        packed[20:40] = bytes(20)
        (tmp_path / name).write_bytes(packed)
    with pytest.raises(RunFileError, match=name):
        run_file.load(tmp_path / name)


def test_runs_share_only_cells_of_the_same_input(tmp_path: Path, content: dict[str, Any]) -> None:
    other = changed(content, "softmax", "records", 0, "input_sha256", value="0" * 64)
    del other["softmax"]["records"][1]
    loaded = [
        run_file.load(written(tmp_path / f"{i}.json", c)) for i, c in enumerate((content, other))
    ]
    first, second = (run.accuracy for run in run_file.shared(loaded))
    assert len(first) == len(second) == len(loaded[0].accuracy) - 2


# --- Writing whole or not at all -----------------------------------------------------------------


def test_an_interrupted_write_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    write_all(dict.fromkeys(paths, "old"))
    calls: list[int] = []

    def interrupt(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_all(dict.fromkeys(paths, "new"))
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_ctrl_c_between_two_renames_waits_for_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    write_all(dict.fromkeys(paths, "old"))
    rename = Path.replace

    def interrupted_rename(self: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", interrupted_rename)
    with pytest.raises(KeyboardInterrupt):
        write_all(dict.fromkeys(paths, "new"))
    assert [path.read_text() for path in paths] == ["new", "new"]


def test_markers() -> None:
    document = "a <!-- t begin --> old <!-- t end --> b"
    filled = replace_between_markers(document, "t", "new")
    assert "new" in filled
    assert "old" not in filled
    assert replace_between_markers(filled, "t", "new") == filled
    for broken in ("", "<!-- t begin -->", "<!-- t end --><!-- t begin -->"):
        with pytest.raises(MarkerError):
            replace_between_markers(broken, "t", "x")
