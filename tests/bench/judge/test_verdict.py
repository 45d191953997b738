"""verdict: what it says of planted functions, what its conditions refuse; exit statuses, files."""

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

from bench.__main__ import main
from bench.inputs import probes
from bench.judge import verdict, verdict_file
from bench.judge.baseline import worse
from bench.judge.conditions import STRICT, Conditions, violations
from bench.judge.findings import findings
from bench.judge.verdict import Scope
from bench.judge.verdicts import Cell, Verdict
from bench.measure.presentations import PRESENTATIONS
from bench.runs.files import RunFileError, to_json
from bench.show import verdict_tables, verdict_words
from bench.subjects.isolated import DiedError, Elsewhere, Here
from bench.subjects.specs import load
from bench.subjects.subject import SUBJECTS
from bench.truth import ahead
from numerics import FORMATS

ROOT = Path(__file__).parents[3]
POSIX = pytest.mark.skipif(os.name != "posix", reason="terminals and process groups of POSIX")
NAMES = ("large positive", "confident", "near tie", "masked entry", "empty rows", "equal")
NAMES += (probes.PRESENTED, probes.PRESENTED_SPECIAL)

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
    """A folder with the planted module."""
    path = tmp_path_factory.mktemp("verdict")
    (path / "planted.py").write_text(PLANTED)
    return path


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few cases and shapes, and no time."""
    monkeypatch.setattr(verdict, "asked_at", lambda effort: [probes.named(n) for n in NAMES])
    monkeypatch.setattr(verdict, "COLUMNS", (5, 64))
    monkeypatch.setattr(verdict, "BATCH_BYTES", 2**12)
    monkeypatch.setattr(verdict, "ROUNDS", 1)


@pytest.fixture
def judge(folder: Path) -> Callable[..., Verdict]:
    def judged(*names: str, **scope: Any) -> Verdict:
        texts = [name if name in SUBJECTS else f"{folder}/planted.py:{name}" for name in names]
        (subject,) = load(texts)[0].values()
        asked = {"operations": ("softmax", "log_softmax"), "formats": ("fp32",), **scope}
        return verdict.complete(Here(subject), ahead.kept, passed_on, Scope(**asked))

    return judged


def passed_on(things: Any, count: int, doing: str = "") -> Any:
    return things


def cell(found: Verdict, operation: str, format_name: str) -> Cell:
    (one,) = [c for c in found.cells if (c.operation, c.format) == (operation, format_name)]
    return one


ASKED = Conditions(max_ulp=dict.fromkeys(FORMATS, 1e9), no_failures=True, special_rows="ours",
                   contract=True, same_bits=True)  # fmt: skip


def test_a_method_that_keeps_its_promises_gets_a_clean_verdict(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("compensated", operations=("softmax", "cross_entropy"), formats=tuple(FORMATS))
    strict = replace(STRICT, steady_time=False, max_ulp=dict.fromkeys(FORMATS, 1.0))
    assert violations(found, replace(strict, max_time_ratio=1e9)) == []
    said = verdict_words.conclusion(found)
    assert "no failures: no NaN, infinity or lost value; results for rows with NaN" in said
    assert "only -inf are as in docs/contracts.md" in said
    assert "a row gives the same bits however it is passed" in said
    assert said.endswith("at effort quick.")
    (one, *rest) = violations(found, Conditions(max_ulp={"fp32": 0.25}))
    assert one.startswith("compensated softmax fp32: off by up to 0.")
    assert one.endswith("(--max-ulp 0.25)")
    assert all("fp32" in line for line in rest)
    assert len(violations(found, Conditions(max_time_ratio=1e-9))) == 6


def test_three_lines_lose_confident_logarithms_and_special_rows(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("softmax", "log_softmax")
    softmax, logarithm = cell(found, "softmax", "fp32"), cell(found, "log_softmax", "fp32")
    assert softmax.max_ulp is not None
    assert softmax.max_ulp < 100
    assert logarithm.confident_ulp is not None
    assert logarithm.confident_ulp > 1e7
    assert set(softmax.policies["empty"]) == {"NaN row"}
    assert "no digit of log-softmax is right on some rows" in verdict_words.conclusion(found)
    assert "only -inf keep" in verdict_words.conclusion(found)


def test_an_error_in_an_ordinary_row_is_one_whatever_stands_beside_it() -> None:
    """A row is judged by its own kind: a special neighbour excuses nothing."""

    def doubled_beside_an_empty_row(x: Any) -> Any:
        empty = np.isneginf(x).all(axis=-1, keepdims=True)
        return SUBJECTS["exact"].functions["softmax"](x) * (1 + empty.any() * ~empty)

    functions = {"softmax": lambda x: doubled_beside_an_empty_row(x).astype(x.dtype)}
    subject = replace(SUBJECTS["exact"], functions=functions, takes_axis=False)
    found = verdict.complete(Here(subject), ahead.kept, passed_on, Scope(("softmax",), ("fp32",)))
    assert any("in ordinary rows" in line for line in
               violations(found, Conditions(max_ulp={"fp32": 1.0})))  # fmt: skip


FAULTS = [
    ("overflows=softmax", r"softmax fp32: [\d,]+ NaN in .*\(--no-failures\)"),
    ("writes=softmax", r"softmax fp32: \d+ wrote to input: .*\(--no-failures\)"),
    ("raises=softmax", r"softmax fp32: \d+ raised: .*on purpose.*\(--no-failures\)"),
    ("raises_on_few=softmax", r"softmax fp32: \d+ raised: .*K = 5.*\(--no-failures\)"),
    ("wrong_dtype=softmax", r"softmax fp32: \d+ wrong result: .*\(--no-failures\)"),
    ("of_its_batch=softmax", r"softmax fp32, row alone: other bits in .*\(--same-bits\)"),
    ("softmax", r"softmax fp32: rows of -inf alone: NaN row.*\(--special-rows\)"),
]


@pytest.mark.parametrize(("name", "said"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_planted_fault_is_named_with_its_cell(
    name: str, said: str, judge: Callable[..., Verdict]
) -> None:
    found = judge(name)
    lines = violations(found, ASKED)
    assert any(re.fullmatch(f"planted {said}", line) for line in lines), lines
    assert violations(found, Conditions()) == []


def test_what_is_refused_is_named_and_says_nothing_of_bits(judge: Callable[..., Verdict]) -> None:
    found = judge("needs_c_order=softmax")
    refused = {one.where for one in findings(found) if one.topic == "refused"}
    assert {"F order", "strided", "reversed"} <= refused
    assert violations(found, Conditions(same_bits=True)) == []
    assert "refused: F order" in "\n".join(verdict_words.screen(found))


@pytest.mark.parametrize("name", ["overflows=softmax", "raises=softmax", "raises_on_few=softmax"])
def test_no_error_limit_lets_pass_what_has_no_number(
    name: str, judge: Callable[..., Verdict]
) -> None:
    lines = violations(judge(name), Conditions(max_ulp=dict.fromkeys(FORMATS, 1e300)))
    assert any("fp32" in line for line in lines)


@pytest.mark.parametrize("condition", [
    Conditions(no_failures=True), Conditions(special_rows="ours"), Conditions(same_bits=True),
    Conditions(steady_time=True), Conditions(contract=True), Conditions(max_time_ratio=1e9),
    Conditions(special_rows="consistent"), Conditions(max_ulp={"fp32": 1e300}),
])  # fmt: skip
def test_what_was_not_measured_does_not_hold(
    condition: Conditions, judge: Callable[..., Verdict]
) -> None:
    assert violations(judge("raises=softmax"), condition)
    assert violations(judge("stable", seconds=0.0), condition)


def test_what_gives_no_result_is_said(judge: Callable[..., Verdict]) -> None:
    for name, why in (("raises=softmax", "ZeroDivisionError: on purpose"),
                      ("writes=softmax", "wrote to its input")):  # fmt: skip
        said = verdict_words.conclusion(judge(name))
        assert said.startswith("planted: no verdict, since no call gave a result: ")
        assert why in said


def test_a_refused_format_is_not_offered_and_breaks_no_condition(
    judge: Callable[..., Verdict],
) -> None:
    found = judge("no_half=softmax", formats=("fp16", "fp32"))
    assert not cell(found, "softmax", "fp16").offered
    shown = verdict_tables.plain([found], verbose=True)
    assert "softmax fp16: not offered: TypeError: no fp16" in shown
    assert violations(found, Conditions(no_failures=True, max_ulp={"fp16": 1e9})) == []


def test_witnesses_are_python_that_shows_what_they_say(judge: Callable[..., Verdict]) -> None:
    found = judge("softmax", "log_softmax")
    lines = verdict_tables.plain([found], verbose=True).splitlines()
    made = [line.strip() for line in lines if line.startswith("    ")]
    shown = 0
    for part in "\n".join(made).split("from bench.measure.again")[1:]:
        shown += ran("from bench.measure.again" + part.split("import numpy")[0])
    for part in "\n".join(made).split("import numpy as np")[1:]:
        shown += ran("import numpy as np" + part.split("from bench.measure")[0])
    assert shown >= 2


def ran(code: str) -> bool:
    """Run a witness and compare what it prints with what it says it got."""
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out), np.errstate(all="ignore"):
        exec(code, {})
    (said,) = re.findall(r"# got (\S+), exact", code)
    assert float.fromhex(out.getvalue()).hex() == float.fromhex(said).hex(), code
    return True


def test_a_failure_has_its_own_witness_beside_the_worst_number(
    judge: Callable[..., Verdict],
) -> None:
    rows = cell(judge("overflows=softmax"), "softmax", "fp32").all_rows
    assert rows.failed is not None
    assert rows.worst is not None
    assert rows.failed.got in ("nan", "inf")
    assert np.isfinite(float.fromhex(rows.worst.got))


def test_a_verdict_fits_a_screen(judge: Callable[..., Verdict]) -> None:
    for names in (["overflows=softmax"], ["raises=softmax"], ["softmax", "log_softmax"]):
        assert len(verdict_tables.plain([judge(*names)]).splitlines()) <= 50


def test_what_became_worse_since_a_baseline_is_named(judge: Callable[..., Verdict]) -> None:
    good, bad = judge("softmax"), judge("overflows=softmax")
    assert worse([good], good, 1e9) == []
    bad = replace(bad, subject=good.subject)
    lines = worse([good], bad, 1e9)
    assert any("NaN, 0 before" in line for line in lines)
    assert worse([], good, 1e9) == ["planted is not in the baseline (--baseline)"]
    without = replace(good, cells=[])
    assert any("was not measured now" in line for line in worse([good], without, 1e9))
    assert any("before (--baseline)" in line for line in worse([good], good, 1e-9))


def test_every_presentation_has_a_name_and_words_of_its_own() -> None:
    assert len({way.name for way in PRESENTATIONS}) == len(PRESENTATIONS)
    assert all(way.words for way in PRESENTATIONS)


# --- A process of its own ------------------------------------------------------------------------

DEADLY = """
import os, time

def softmax(x, axis=-1):
    if x.shape == (1, 1):
        os._exit(7)
    if x.shape == (1, 2):
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
            loss = cell(one, "log_softmax", "fp32").confident_ulp
            assert loss is not None
            assert loss > 1e7
        assert all(c.plain_rows.worst for c in one.offered)
