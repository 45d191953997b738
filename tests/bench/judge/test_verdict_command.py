"""verdict: the command line, the process that a subject lives in, files, what is committed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.judge import verdict, verdict_file
from bench.runs.files import RunFileError, to_json
from bench.subjects.isolated import DiedError, Elsewhere

ROOT = Path(__file__).parents[3]
POSIX = pytest.mark.skipif(os.name != "posix", reason="terminals and process groups of POSIX")


# --- A process of its own ------------------------------------------------------------------------

DEADLY = """
import os, time

def softmax(x, axis=-1):
    if x.shape == (1, 1):
        os._exit(7)
    if x.shape == (1, 2):  # what it is asked first
        os._exit(8)
    if x.shape == (1, 3):
        time.sleep(3600)
    return x
"""


def test_a_subject_may_die_or_hang_and_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    home = Elsewhere([f"{tmp_path}/deadly.py:softmax"], timeout=1.0)
    try:
        assert home.subject.offers("softmax", "fp32")
        with pytest.raises(DiedError, match="ended its process with status 7"):
            home.run(Call((1, 1)))
        with pytest.raises(DiedError, match="no answer within 1 s"):
            home.run(Call((1, 3)))
        with pytest.raises(DiedError, match="ended its process with status 8"):
            home.run(Call((1, 2)))
        assert home.run(Call((2, 2))) == (2, 2)
    finally:
        home.close()


class Call:
    """A task that calls softmax on an array of a shape."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape

    def __call__(self, subject: Any) -> tuple[int, ...]:
        shape: tuple[int, ...] = subject.functions["softmax"](np.zeros(self.shape)).shape
        return shape


# --- The command ---------------------------------------------------------------------------------

FEW = ("--formats=fp32", "--operations=softmax", "--seconds=0")


def test_a_subject_that_cannot_be_had_keeps_nobody_from_a_verdict(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = folder / "saved.json"
    (folder / "broken.py").write_text("import nothing_by_this_name")
    subjects = [f"{folder}/{name}.py:softmax" for name in ("broken", "planted")]
    assert main(["verdict", *subjects, *FEW, f"--save={saved}"]) == 2
    printed = capfd.readouterr()
    assert printed.out.startswith("planted:")
    assert "nothing_by_this_name" in printed.err.splitlines()[-1]
    assert [one.subject for one in verdict_file.load(saved)[0]] == ["planted"]


def test_what_was_measured_before_an_interruption_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = verdict.measure

    def interrupted(home: Any, *arguments: Any) -> Iterator[Any]:
        if home.subject.name == "stable":
            raise KeyboardInterrupt
        return measured(home, *arguments)

    monkeypatch.setattr(verdict, "measure", interrupted)
    saved = folder / "saved.json"
    with contextlib.suppress(KeyboardInterrupt):
        main(["verdict", f"{folder}/planted.py:softmax", "stable", *FEW, f"--save={saved}"])
    assert [one.subject for one in verdict_file.load(saved)[0]] == ["planted"]


@pytest.mark.usefixtures("small_verdicts")
def test_exit_statuses(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = f"{folder}/planted.py:softmax"
    assert main(["verdict", spec, "--formats=fp32"]) == 0
    first, second, *rest = capfd.readouterr().out.splitlines()
    assert first == "planted:"
    assert second.startswith("  softmax is off by up to")
    assert "What is wrong:" in rest
    assert main(["verdict", spec, *FEW, "--no-failures"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert any(
        line.startswith("does not hold: planted softmax fp32: not measured") for line in lines
    )
    assert main(["verdict", f"{folder}/planted.py:absent=softmax"]) == 2


@pytest.mark.parametrize("option", [
    "--max-ulp=nan", "--max-ulp=-1", "--max-time-ratio=x", "--max-ulp=fp8=3", "--formats=fp8",
    "--operations=softmin",
])  # fmt: skip
def test_a_limit_that_is_none_is_a_usage_error(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["verdict", "stable", option])
    assert exit_.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "measure", None)
    assert main(["verdict", "stable", f"--save={folder}"]) == 2
    assert capsys.readouterr().err == f"bench verdict: {folder}: is a folder\n"


@pytest.mark.usefixtures("small_verdicts")
def test_json_for_others_whatever_a_subject_prints(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = folder / "kept.json.xz"
    spec = f"{folder}/planted.py:prints=softmax"
    assert main(["verdict", spec, *FEW, "--format=json", "--strict", f"--save={saved}"]) == 1
    content = json.loads(capfd.readouterr().out)
    assert content["violations"]
    (kept,), environment = verdict_file.load(saved)
    assert json.loads(to_json(verdict_file.content([kept])))["verdicts"] == content["verdicts"]
    assert environment["numpy"] == np.__version__


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": 2, "verdicts": [{}]}', "[" * 10**5]
)
def test_a_file_that_is_no_verdict_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text(content)
    with pytest.raises(RunFileError, match=r"kept\.json: not a file that"):
        verdict_file.load(path)


def shown_on_a_terminal(**changes: str) -> str:
    import pty  # POSIX alone has it

    leader, follower = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "verdict", "stable", *FEW, "--verbose"],
        cwd=ROOT, env={**environment, "TERM": "xterm", "COLUMNS": "120", **changes},
        stdout=follower, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(follower)
    parts = []
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while part := os.read(leader, 2**16):
            parts.append(part)
    os.close(leader)
    assert process.wait() == 0
    return b"".join(parts).decode()


@POSIX
def test_styles_on_a_terminal_and_no_colour_where_none_is_wanted() -> None:
    assert "\x1b[1m" in shown_on_a_terminal()
    assert "\x1b[3" not in shown_on_a_terminal(NO_COLOR="1")


@pytest.fixture
def _heard_ctrl_c() -> Iterator[None]:
    """As at a terminal: `nohup` and `&` leave a process deaf to it, and its children, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@POSIX
@pytest.mark.usefixtures("_heard_ctrl_c")
def test_ctrl_c_is_one_line_and_exit_status_130(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(
        f"from pathlib import Path\nimport numpy as np\n\n\ndef softmax(x):\n"
        f"    Path({str(tmp_path / 'asked')!r}).touch()\n    return x\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "verdict", f"{tmp_path}/told.py:softmax"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / "asked").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1] == (
        "bench verdict: interrupted; files are as they were, or all new"
    )


# --- What is committed ---------------------------------------------------------------------------


def test_committed_verdicts_have_the_confident_loss_and_everything_that_is_asked() -> None:
    found, _ = verdict_file.load(ROOT / "results" / "verdicts.json.xz")
    assert {"scipy", "torch", "jax"} <= {one.subject for one in found}
    for one in found:
        if one.subject in ("scipy", "torch", "jax"):
            (loss,) = [c.confident_ulp for c in one.cells
                       if (c.operation, c.format) == ("log_softmax", "fp32")]  # fmt: skip
            assert loss is not None
            assert loss > 1e7
        assert all(c.plain_rows.worst for c in one.offered)
