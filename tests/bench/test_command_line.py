"""The command line: what it needs, who reads it, what it writes where."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS, main
from bench.commands.command import Command

ROOT = Path(__file__).parents[2]
ARGUMENTS = {
    "hunt": ["fast", "--operation", "softmax", "--format", "fp32"],
    "verdict": ["stable"],
    "diff": ["one.json", "two.json"],
    "keep": ["run.json", "-o", "kept.json.xz"],
    "processor": ["this"],
    "sweep": ["stable", "--family", "x0", "-o", "sweep.json"],
}
"""What a command cannot be called without."""
NUMPY_ALONE = '''
import contextlib, io, json, sys

class NumPyAlone:
    """Finds nothing but NumPy, the standard library and what is ours."""
    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in (*sys.stdlib_module_names, "numpy", "numerics", "bench"):
            found = (finder.find_spec(name, path, target) for finder in self.finders)
            return next((spec for spec in found if spec is not None), None)

sys.meta_path[:] = [NumPyAlone(list(sys.meta_path))]
from bench.__main__ import main
found = []
for arguments in json.loads(sys.argv[1]):
    error = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
        try:
            status = main(arguments)
        except SystemExit as left:
            status = left.code
    found.append([status, error.getvalue()])
print(json.dumps(found))
'''
TALKATIVE = """
import atexit, ctypes, os, subprocess, sys
import numpy as np

print("at import")
os.write(1, b"past Python, at import\\n")
atexit.register(print, "at exit")
kept, said = sys.stdout, []

def __getattr__(name):
    print("asked for", name)
    raise AttributeError(name)

def softmax(x):
    print("in a call")
    print("in a call, to a stream kept from before", file=kept, flush=True)
    os.write(1, b"past Python, in a call\\n")
    if not said:  # once, so that C still holds it at the end
        said.append(ctypes.CDLL(None).puts(b"from C, in a call"))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""


def called(command: Command) -> list[str]:
    return [command.name, *ARGUMENTS.get(command.name, [])]


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_what_is_not_installed_is_said_before_anything_is_done(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    for missing in command.needs:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, missing=missing: None if name == missing else found(name),
        )
        assert main(called(command)) == 2
        said = f"bench {command.name}: needs {missing}: pip install '.[{command.extra}]'\n"
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_the_extra_brings_what_a_command_needs(command: Command) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = " ".join(project["optional-dependencies"][command.extra]).replace("-", "_")
    assert [name for name in command.needs if name not in listed] == []


def test_with_numpy_alone_there_is_help_and_no_traceback() -> None:
    calls = [["--help"], *map(called, COMMANDS)]
    command = [sys.executable, "-c", NUMPY_ALONE, json.dumps(calls)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    (status, _), *refused = json.loads(done.stdout)
    assert status == 0
    for (status, error), call in zip(refused, calls[1:], strict=True):
        assert status == 2, call
        assert error.startswith("bench ")
        assert "pip install '.[" in error


def test_a_reader_that_goes_away_ends_a_command_quietly() -> None:
    runs = sorted((ROOT / "results" / "runs" / "versions").iterdir())[:2]
    command = [sys.executable, "-m", "bench", "diff", *map(str, runs), "--format", "json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout
        assert started.stderr
        started.stdout.read(1)
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait() == 141


def test_json_is_json_whatever_a_subject_prints_and_how(tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    subject = f"{tmp_path / 'talkative.py'}:softmax"
    command = [sys.executable, "-m", "bench", "verdict", subject, "--format", "json"]
    options = ["--seconds", "0"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["verdicts"][0]["subject"] == "talkative"
    for line in ("at import", "past Python, in a call", "from C, in a call"):
        assert line in done.stderr


def test_the_lab_writes_nothing_outside_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "-o", str(tmp_path)]) == 0
    names = ["results.json", "softmax_break.png", "manifest.json"]
    assert capsys.readouterr().out.splitlines() == [f"wrote {tmp_path / name}" for name in names]
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_the_lab_fills_a_readme_that_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.lab.figure.softmax_break", lambda comparisons: b"a figure")
    readme = tmp_path / "README.md"
    parts = ("lab predictions", "lab results", "lab divergences")
    readme.write_text("\n".join(f"<!-- {part} begin -->\n<!-- {part} end -->" for part in parts))
    assert main(["compare", "-o", str(tmp_path / "lab"), "--readme", str(readme)]) == 0
    assert "| large positive" in readme.read_text()
