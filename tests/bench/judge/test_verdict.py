"""verdict: planted subjects, each with the fault that it must be found out by; exit statuses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench.inputs.cases
import numerics
from bench.__main__ import main
from bench.inputs import cases
from bench.judge import conditions, verdict, verdict_file, verdicts
from bench.judge.conditions import Conditions, violations
from bench.judge.verdicts import Verdict, Witness
from bench.measure.invariance import CHECKS
from bench.runs.files import RunFileError, to_json
from bench.show import verdict_tables
from bench.subjects.specs import load
from bench.subjects.subject import SUBJECTS, Subject
from numerics import FORMATS

ROOT = Path(__file__).parents[3]
POSIX = pytest.mark.skipif(os.name != "posix", reason="terminals and process groups of POSIX")
NAMES = ("large positive", "all -inf", "plus inf", "confident", "near tie", "widths 1 to 64")
NAMES += ("single element", "masked entry")

PLANTED = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def log_softmax(x):
    return np.log(softmax(x))

def overflows(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

def writes(x):
    x -= x.max(axis=-1, keepdims=True)
    return softmax(x)

def raises(x):
    raise ZeroDivisionError("on purpose")

def raises_on_few(x):
    if x.shape[1] == 5:
        raise ZeroDivisionError("on purpose")
    return softmax(x)

def wrong_dtype(x):
    return softmax(x).astype(np.float64)

def of_its_batch(x):
    return softmax(x) if len(x) == 1 else softmax(x[:, ::-1])[:, ::-1]

def needs_c_order(x):
    if not x.flags.c_contiguous:
        raise ValueError("not contiguous")
    return softmax(x)

def prints(x):
    print("{not json", x.shape)
    return softmax(x)

def no_half(x):
    if x.dtype == np.float16:
        raise TypeError("no fp16")
    return softmax(x)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the planted module and a cache of exact values."""
    path = tmp_path_factory.mktemp("verdict")
    (path / "planted.py").write_text(PLANTED)
    return path


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few cases and shapes, and no time."""
    monkeypatch.setattr(verdict, "at_effort", lambda effort: [cases.named(n) for n in NAMES])
    monkeypatch.setattr(verdict, "COLUMNS", (5, 64))
    monkeypatch.setattr(verdict_tables, "COLUMNS", (5, 64))
    monkeypatch.setattr(verdict, "BATCH_BYTES", 2**12)
    monkeypatch.setattr(verdict, "ROUNDS", 1)


@pytest.fixture
def judge(folder: Path) -> Callable[..., Verdict]:
    def judged(*names: str) -> Verdict:
        texts = [name if name in SUBJECTS else f"{folder}/planted.py:{name}" for name in names]
        (subject,), _ = (list(found.values()) if isinstance(found, dict) else found
                         for found in load(texts))  # fmt: skip
        return measured(subject, folder)

    return judged


def measured(subject: Subject, folder: Path, seconds: float = 60.0) -> Verdict:
    cache = verdict.Cache(folder / "cache")
    return verdict.measure([subject], cache, lambda things, count, doing: things, seconds)[0]


def cell(found: Verdict, operation: str, format_name: str) -> verdicts.Cell:
    (one,) = [c for c in found.cells if (c.operation, c.format) == (operation, format_name)]
    return one


ASKED = Conditions(max_ulp=1e9, no_failures=True, special_rows=True, same_bits=True)


def test_a_method_that_keeps_its_promises_gets_a_clean_verdict(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("compensated")
    assert violations(found, replace(ASKED, max_ulp=1.0, max_time_ratio=1e9)) == []
    said = verdict_tables.conclusion(found)
    assert "no failures: no NaN, infinity or lost value; results for rows with NaN" in said
    assert "only -inf are as in docs/contracts.md" in said
    assert "a row gives the same bits in any memory order, batch and stride" in said
    (one, *rest) = violations(found, Conditions(max_ulp=0.25))
    assert one.startswith("compensated softmax fp16: 0.")
    assert one.endswith("above --max-ulp 0.25")
    assert len(rest) == 11
    assert len(violations(found, Conditions(max_time_ratio=1e-9))) == 12


def test_three_lines_lose_confident_logarithms_and_special_rows(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("softmax", "log_softmax")
    softmax, logarithm = cell(found, "softmax", "fp32"), cell(found, "log_softmax", "fp32")
    assert softmax.max_ulp is not None
    assert softmax.max_ulp < 100
    assert logarithm.confident_ulp is not None
    assert logarithm.confident_ulp > 1e7
    assert softmax.special_missed == 606  # three rows of nothing but -inf
    assert not cell(found, "cross_entropy", "fp32").offered
    said = verdict_tables.conclusion(found)
    assert "no digit of log-softmax is right on some rows" in said
    assert "only -inf differ from docs/contracts.md" in said
    printed = verdict_tables.plain([found])
    assert said.endswith("not offered: log-sum-exp, cross-entropy.")
    assert "cross-entropy" not in printed
    assert len(found.speed) == 2 * 3 * 2


FAULTS = [
    ("overflows=softmax", r"softmax fp32: \d+ NaN \(--no-failures\)"),
    ("writes=softmax", r"softmax fp32: 8 wrote to input \(--no-failures\)"),
    ("raises=softmax", r"softmax fp32: 8 raised \(--no-failures\)"),
    ("raises_on_few=softmax", r"softmax fp32: \d raised \(--no-failures\)"),
    ("wrong_dtype=softmax", r"softmax fp32: 8 wrong result \(--no-failures\)"),
    ("of_its_batch=softmax", r"fp32, row alone: other bits in \d+ of 11360 \(--same-bits\)"),
    ("needs_c_order=softmax", r"fp32, F order: ValueError: not contiguous \(--same-bits\)"),
    ("softmax", r"softmax fp32: 606 outputs of special rows missed \(--special-rows\)"),
]


@pytest.mark.parametrize(("name", "said"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_planted_fault_is_named_with_its_cell(
    name: str, said: str, judge: Callable[..., Verdict]
) -> None:
    found = judge(name)
    lines = violations(found, ASKED)
    pattern = re.compile(f"planted {said}")
    assert any(pattern.fullmatch(line) for line in lines), lines
    assert violations(found, Conditions()) == []


@pytest.mark.parametrize("name", ["overflows=softmax", "raises=softmax", "raises_on_few=softmax"])
def test_no_error_limit_lets_pass_what_has_no_number(
    name: str, judge: Callable[..., Verdict]
) -> None:
    lines = violations(judge(name), Conditions(max_ulp=1e300))
    assert any("fp32" in line for line in lines)


def test_what_gives_no_result_is_said_and_not_timed(judge: Callable[..., Verdict]) -> None:
    for name, why in (("raises=softmax", "ZeroDivisionError: on purpose"),
                      ("writes=softmax", "wrote to its input")):  # fmt: skip
        found = judge(name)
        assert (
            verdict_tables.conclusion(found)
            == f"planted: no verdict, since no call gave a result: {why}."
        )
        assert found.speed == []
        assert len(violations(found, Conditions(max_time_ratio=1e9))) == 3


def test_a_refused_format_is_not_offered_and_breaks_no_condition(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("no_half=softmax")
    assert not cell(found, "softmax", "fp16").offered
    assert "softmax fp16: not offered: TypeError: no fp16" in verdict_tables.plain([found])
    assert {m.format for m in found.invariance} == {"fp32", "fp64"}
    assert violations(found, Conditions(no_failures=True, max_ulp=1e9)) == []


def test_witnesses_are_python_that_shows_the_error(
    judge: Callable[..., Verdict], folder: Path
) -> None:
    found = judge("softmax", "log_softmax")
    lines = verdict_tables.plain([found]).splitlines()
    made = [line.strip() for line in lines if line.startswith("    ")]
    subject = load([f"{folder}/planted.py:{name}" for name in ("softmax", "log_softmax")])[0]
    scope: dict[str, Any] = {"np": np, "bench": bench, "numerics": numerics}
    scope |= subject["planted"].functions
    assert len(made) >= 2 * 6
    for assignment, call in zip(made[::2], made[1::2], strict=True):
        exec(assignment, scope)
        expression, _, claimed = call.partition("  # ")
        got, _ = claimed.split(", exact ")
        with np.errstate(all="ignore"):
            assert float(eval(expression, scope)).hex() == float.fromhex(got).hex(), call


def test_a_failure_has_its_own_witness_beside_the_worst_number(
    judge: Callable[..., Verdict],
) -> None:
    one = cell(judge("overflows=softmax"), "softmax", "fp32")
    assert one.failed is not None
    assert one.worst is not None
    assert one.failed.got in ("nan", "inf")
    assert np.isfinite(float.fromhex(one.worst.got))


def test_cases_for_which_there_is_no_time_are_named(folder: Path) -> None:
    found = measured(SUBJECTS["stable"], folder, seconds=0.0)
    assert set(found.left_out) == set(NAMES)
    assert violations(found, Conditions(max_ulp=1e300))
    assert "No time was left for plus inf, confident, all -inf" in verdict_tables.plain([found])


def test_every_check_that_should_change_no_bit_has_words_for_when_it_does() -> None:
    assert set(verdict_tables.DEPENDENCE) == {check.name for check in CHECKS if check.promised}
    assert set(verdict_tables.DEPENDENCE) == set(conditions.PROMISED)


# --- The command ---------------------------------------------------------------------------------


def run(folder: Path, *arguments: str) -> int:
    return main(["verdict", *arguments, f"--reference-cache={folder / 'cache'}"])


def test_exit_statuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = f"{folder}/planted.py:softmax"
    assert run(folder, spec) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "planted:"
    assert second.startswith("  softmax is off by up to")
    assert run(folder, spec, "--max-ulp=4", "--no-failures") == 1
    lines = capsys.readouterr().out.splitlines()
    (broken, *_) = [line for line in lines if line.startswith("does not hold: ")]
    assert broken.startswith("does not hold: planted softmax fp16: ")
    assert broken.endswith("above --max-ulp 4")


@pytest.mark.parametrize("option", ["--max-ulp=nan", "--max-ulp=-1", "--max-time-ratio=x"])
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
    assert run(folder, "stable", f"--save={folder}") == 2
    assert capsys.readouterr().err == f"bench verdict: {folder}: is a folder\n"


def test_json_for_others_whatever_a_subject_prints(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = folder / "kept.json.xz"
    spec = f"{folder}/planted.py:prints=softmax"
    assert run(folder, spec, "--format=json", "--max-ulp=1", f"--save={saved}") == 1
    content = json.loads(capsys.readouterr().out)
    assert len(content["violations"]) == 3
    assert content["conclusions"][0].startswith("planted: ")
    (kept,), environment = verdict_file.load(saved)
    assert json.loads(to_json(verdict_file.content([kept])))["verdicts"] == content["verdicts"]
    assert environment["numpy"] == np.__version__


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": 1, "verdicts": [{}]}', "[" * 10**5]
)
def test_a_file_that_is_no_verdict_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text(content)
    with pytest.raises(RunFileError, match=r"kept\.json: not a file that"):
        verdict_file.load(path)


FEW = (
    "from bench.inputs import cases; from bench.judge import verdict; "
    "verdict.at_effort = lambda _: [cases.named('near tie')]"
)
COMMAND = "import sys; from bench.__main__ import main; sys.exit(main(sys.argv[1:]))"


def shown_on_a_terminal(folder: Path, **changes: str) -> str:
    import pty  # POSIX alone has it

    leader, follower = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"{FEW}; {COMMAND}", "verdict", "stable", "--seconds=0",
         f"--reference-cache={folder / 'cache'}"],
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
def test_styles_on_a_terminal_and_no_colour_where_none_is_wanted(folder: Path) -> None:
    assert "\x1b[1m" in shown_on_a_terminal(folder)
    assert "\x1b[3" not in shown_on_a_terminal(folder, NO_COLOR="1")


@pytest.fixture
def _heard_ctrl_c() -> Iterator[None]:
    """As at a terminal: `nohup` and `&` leave a process deaf to it, and its children, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@POSIX
@pytest.mark.usefixtures("_heard_ctrl_c")
def test_ctrl_c_is_one_line_and_exit_status_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "verdict", "stable", f"--reference-cache={tmp_path}"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not any(tmp_path.iterdir()):  # the first exact values
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "bench verdict: interrupted; files are as they were, or all new\n"


# --- What is committed ---------------------------------------------------------------------------


def test_committed_verdicts_have_the_confident_loss_and_every_case() -> None:
    found, _ = verdict_file.load(ROOT / "results" / "verdicts.json.xz")
    assert [one.subject for one in found] == ["scipy", "torch", "jax"]
    for one in found:
        loss = cell(one, "log_softmax", "fp32").confident_ulp
        assert loss is not None
        assert loss > 1e7
        assert one.left_out == []
        assert all(isinstance(c.worst, Witness) for c in one.cells if c.offered)
    formats = {c.format for c in found[0].cells}
    assert formats == set(FORMATS)
