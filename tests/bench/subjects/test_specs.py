"""Subjects by name: what a spec means, and one clear line for each that means nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs.formats import FORMATS
from bench.runs import run_file
from bench.show import tables
from bench.subjects import specs
from bench.subjects.peers import libraries, onnx_model
from bench.subjects.specs import SpecError, load
from numerics.method import arguments

ROOT = Path(__file__).parents[3]
X = np.array([[1.0, 2.0, 3.0]])

MODULE = """
import numpy as np
print("imported")
__version__ = "1.2"
seen = {}

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def no_half(x):
    if x.dtype == np.float16:
        raise TypeError("no fp16\\nhere")
    return softmax(x)

def never(x):
    raise TypeError("takes nothing at all")

def with_axis(x, axis):
    seen["axis"] = axis
    return softmax(x)

def with_dim(x, *, dim=0):
    seen["dim"] = dim
    return softmax(x)

def writes(x):
    x -= x.max(axis=-1, keepdims=True)
    return softmax(x)

def shows_its_list(x):
    return softmax(x).tolist()

def cross_entropy_gradient(x, y):
    return softmax(x) - (np.arange(x.shape[1]) == y[:, None])

class Ops:
    @staticmethod
    def log_sum_exp(x):
        return np.log(np.exp(x).sum(-1))

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module in it that nobody has imported."""
    (tmp_path / "of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "of_mine", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_functions_of_one_module_are_one_subject() -> None:
    found, missing = load(["of_mine:softmax", "of_mine:Ops.log_sum_exp", "stable"])
    assert (list(found), missing) == (["of_mine", "stable"], [])
    mine = found["of_mine"]
    assert (set(mine.functions), mine.version) == ({"softmax", "log_sum_exp"}, "1.2")
    assert mine.functions["softmax"](X).sum() == pytest.approx(1)
    assert not mine.ours


@pytest.mark.usefixtures("folder")
def test_a_function_that_takes_labels_gets_them() -> None:
    (mine,) = load(["of_mine:cross_entropy_gradient"])[0].values()
    assert list(mine.functions) == ["cross_entropy_gradient"]
    assert all(mine.offers("cross_entropy_gradient", name) for name in FORMATS)
    assert mine.functions["cross_entropy_gradient"](X, np.array([2])).sum() == pytest.approx(0)


@pytest.mark.usefixtures("folder")
def test_a_second_function_for_an_operation_is_a_subject_of_its_own() -> None:
    found, _ = load(["of_mine:softmax", "of_mine:with_axis=softmax"])
    assert list(found) == ["of_mine", "of_mine:with_axis"]


def test_a_module_named_as_one_of_ours_is_told_apart(folder: Path) -> None:
    (folder / "stable.py").write_text(MODULE)
    found, _ = load(["stable", "stable.py:softmax"])
    assert [subject.ours for subject in found.values()] == [True, False]
    assert list(found) == ["stable", "stable:softmax"]


def test_a_file_anywhere_is_run_once_and_prints_to_nobodys_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "elsewhere" / "a-name.py"
    path.parent.mkdir()
    path.write_text(MODULE)
    found, _ = load([f"{path}:softmax", f"{path}:Ops.log_sum_exp"])
    assert list(found) == ["a-name"]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "imported\n")


def test_files_of_one_name_are_told_apart(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "ops.py").write_text(MODULE)
    found, _ = load(["a/ops.py:softmax", "b/ops.py:no_half=log_softmax", "b/ops.py:softmax"])
    assert list(found) == ["ops", "b/ops.py:no_half", "b/ops.py:softmax"]


def test_a_file_of_any_name_makes_a_run_file_that_can_be_read(folder: Path) -> None:
    (folder / "a$\nb.py").write_text(MODULE)
    assert list(load(["a$\nb.py:softmax"])[0]) == ["a? b"]


@pytest.mark.parametrize(("function", "keyword"), [("with_axis", "axis"), ("with_dim", "dim")])
@pytest.mark.usefixtures("folder")
def test_the_last_axis_is_asked_for_where_there_is_a_word_for_it(
    function: str, keyword: str
) -> None:
    found, _ = load([f"of_mine:{function}=softmax", "of_mine:softmax"])
    with_word = found["of_mine"]
    with_word.functions["softmax"](X)
    assert sys.modules["of_mine"].seen == {keyword: -1}
    assert with_word.takes_axis
    assert not found["of_mine:softmax"].takes_axis


@pytest.mark.usefixtures("folder")
def test_a_refused_format_is_not_offered_but_one_that_refuses_all_is_broken() -> None:
    found, _ = load(["of_mine:no_half=softmax", "of_mine:never=log_softmax"])
    mine = found["of_mine"]
    assert [mine.offers("softmax", name) for name in FORMATS] == [False, True, True]
    assert mine.refused == {("softmax", "fp16"): "TypeError: no fp16 here"}
    assert all(mine.offers("log_softmax", name) for name in FORMATS)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mine", "expected one of scipy, torch, jax, onnxruntime, sklearn, naive,"),
        ("", "expected one of"),
        (":softmax", "expected one of"),
        ("of_mine:", "expected one of"),
        ("of_mine:lse", "lse is not one of softmax, log_softmax, log_sum_exp,"),
        ("of_mine:softmax=", "nothing is not one of softmax,"),
        ("of_mine:softmax=argmax", "argmax is not one of softmax,"),
        ("nowhere:softmax", "cannot import nowhere: ModuleNotFoundError: No module"),
        ("of_mine.deeper:softmax", "ModuleNotFoundError"),
        ("..of_mine:softmax", "cannot import ..of_mine: "),
        ("of_mine\0:softmax", "cannot import"),
        ("nowhere.py:softmax", "cannot import nowhere.py: FileNotFoundError"),
        ("raises.py:softmax", "cannot import raises.py: ZeroDivisionError: division by zero"),
        ("exits.py:softmax", "cannot import exits.py: SystemExit: 3"),
        ("syntax.py:softmax", "cannot import syntax.py: SyntaxError:"),
        ("of_mine:log_softmax", "of_mine has no log_softmax"),
        ("of_mine:Ops.softmax", "of_mine has no Ops.softmax"),
        ("of_mine:number=softmax", "number is of type int, not callable"),
    ],
)
def test_what_is_no_subject_is_one_line_and_exit_status_2(
    spec: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"raises": "1 / 0", "exits": "exit(3)", "syntax": "def ("}.items():
        (folder / f"{name}.py").write_text(content)
    capsys.readouterr()
    assert main(["verdict", spec]) == 2
    printed = capsys.readouterr()
    *before, line = printed.err.splitlines()
    assert set(before) <= {"imported"}
    assert line.startswith(f"bench verdict: {spec!r}: ")
    assert said in line
    assert printed.out == ""


def test_ctrl_c_while_a_module_is_imported_is_no_usage_error(folder: Path) -> None:
    (folder / "slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(["slow:softmax"])


def test_a_library_that_is_absent_or_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise OSError("libsomething.so: cannot open")

    monkeypatch.setitem(libraries.LIBRARIES, "scipy", broken)
    assert load(["scipy"]) == (
        {},
        ["scipy: cannot be imported: OSError: libsomething.so: cannot open"],
    )
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    assert load(["sklearn"]) == ({}, ["sklearn: not installed (pip install '.[peers]')"])
    with pytest.raises(SpecError, match="'numpy': expected one of"):
        load(["numpy"])


@pytest.mark.parametrize("name", libraries.PEERS)
def test_libraries_compute_what_they_are_named_after(name: str) -> None:
    pytest.importorskip(name, exc_type=ImportError)
    subject = libraries.load(name).subject()
    for format_name in subject.formats:
        x = X.astype(FORMATS[format_name].dtype)
        expected = np.exp(X) / np.exp(X).sum()
        got = {
            operation: f(*arguments(operation, x, np.array([1])))
            for operation, f in subject.functions.items()
        }
        u = FORMATS[format_name].unit_roundoff
        assert abs(got["softmax"] - expected).max() <= 4 * u
        if "cross_entropy" in got:
            assert got["cross_entropy"] == -got["log_softmax"][:, 1]
            assert abs(got["log_sum_exp"] - np.log(np.exp(X).sum())) <= 8 * u
        if "cross_entropy_gradient" in got:
            less_one = expected - (np.arange(expected.size) == 1)
            assert abs(got["cross_entropy_gradient"] - less_one).max() <= 4 * u
        assert {result.dtype for result in got.values()} == {x.dtype}


def test_an_onnx_model_is_the_bytes_that_protocol_buffers_would_write() -> None:
    assert onnx_model._varint(300) == b"\xac\x02"
    assert onnx_model._field(1, "ab") == b"\x0a\x02ab"
    assert onnx_model._field(3, -1) == b"\x18" + 9 * b"\xff" + b"\x01"
    model = onnx_model.model("Softmax", {"axis": -1}, "fp32", labelled=False)
    assert model.startswith(b"\x08\x08\x3a")
    assert b"Softmax" in model


def run_suite(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", str(ROOT / "bench"), "--effort=quick", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_suite_measures_a_function_of_the_current_folder(folder: Path) -> None:
    path = folder / "run.json"
    done = run_suite(
        folder, "--subject=of_mine:no_half=softmax", "--subject=of_mine:writes=log_softmax",
        "--benchmark-disable", "-k", "of_mine and small_magnitudes", f"--accuracy-json={path}",
        f"--reference-cache={folder}",
    )  # fmt: skip
    assert "3 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    run = run_file.load(path)
    assert set(run.accuracy["subject"]) == {"of_mine"}
    assert set(run.accuracy["format"][run.accuracy["operation"] == "softmax"]) == {"fp32", "fp64"}
    page = tables.page([run])
    assert "wrote to input" in page
    assert "not offered" not in page.split("### log-softmax")[1].split("###")[0]


def test_the_suite_refuses_what_is_no_subject_in_one_line(folder: Path) -> None:
    done = run_suite(folder, "--subject=of_mine:number=softmax")
    assert done.returncode == 4
    (line,) = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert "--subject: 'of_mine:number=softmax': number is of type int, not callable" in line
    assert "Traceback" not in done.stdout + done.stderr


def test_help_says_how_a_subject_is_named() -> None:
    assert "MODULE:FUNCTION" in specs.HELP
    assert all(name in specs.HELP for name in libraries.PEERS)
