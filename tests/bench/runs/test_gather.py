"""gather: which runs are meant, and what they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.runs import gather
from bench.runs.files import RunFileError
from bench.show import drawing
from tests.bench.content import Content, run_content


@pytest.fixture(scope="module")
def content() -> Content:
    return run_content()


def named(paths: list[Path], *labels: str) -> list[str]:
    return [run.label for run in gather.told_apart(gather.load_all(paths, labels))]


def written(path: Path, content: Content, **environment: str) -> Path:
    changed = json.loads(json.dumps(content))
    changed["commit_info"]["id"] = environment.pop("commit", "0123456789ab")
    changed["softmax"]["environment"] |= {"numpy": "2.4.1"} | environment
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(changed))
    return path


def test_runs_of_one_version_are_told_apart_by_file(tmp_path: Path, content: Content) -> None:
    paths = [written(tmp_path / f"{name}.json", content) for name in ("before", "after")]
    assert named(paths) == ["NumPy 2.4.1 (before)", "NumPy 2.4.1 (after)"]
    assert named(paths[:1]) == ["NumPy 2.4.1"]


def test_files_of_one_name_are_told_apart_by_commit_or_folder(
    tmp_path: Path, content: Content
) -> None:
    paths = [tmp_path / name / "run.json" for name in ("old", "new")]
    for path, commit in zip(paths, ("aaaaaaaaaaaa", "bbbbbbbbbbbb"), strict=True):
        written(path, content, commit=commit)
    assert named(paths) == ["NumPy 2.4.1 (aaaaaaaaaaaa)", "NumPy 2.4.1 (bbbbbbbbbbbb)"]
    for path in paths:
        written(path, content)
    assert named(paths) == ["NumPy 2.4.1 (old)", "NumPy 2.4.1 (new)"]
    assert named([paths[0], paths[0]]) == ["NumPy 2.4.1 (1)", "NumPy 2.4.1 (2)"]


def test_runs_are_called_as_somebody_wants(tmp_path: Path, content: Content) -> None:
    paths = [written(tmp_path / f"{name}.json", content) for name in ("before", "after")]
    assert named(paths, "laptop", "cluster") == ["laptop", "cluster"]
    assert named(paths, "mine", "mine") == ["mine (before)", "mine (after)"]
    with pytest.raises(RunFileError, match="1 labels for 2 runs"):
        named(paths, "laptop")


@pytest.mark.parametrize("command", ["report", "page", "versions"])
def test_a_label_is_asked_for_on_the_command_line(
    tmp_path: Path,
    content: Content,
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "files", lambda job: {})  # the words are what is asked for
    paths = [written(tmp_path / f"{name}.json", content) for name in ("before", "after")]
    files = [str(path) for path in paths]
    out = tmp_path / ("out.html" if command == "page" else "out")
    labels = ["--label", "my laptop", "--label", "the cluster"]
    assert main([command, *files, *labels, "-o", str(out)]) == 0
    texts = [out] if out.is_file() else list(out.glob("*.md"))
    for text in texts:
        assert "my laptop" in text.read_text()
        assert "the cluster" in text.read_text()
    assert main([command, *files, *labels[:2], "-o", str(out)]) == 2
    assert "labels for 2 runs" in capsys.readouterr().err
