"""diff: what got worse is found and named, what cannot be compared is said, never joined."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.judge import diff, rank_test
from bench.runs import keep, run_file
from bench.show import diff_tables
from numerics import OPERATIONS
from tests.bench.content import run_content, timed

Content = dict[str, Any]


@pytest.fixture(scope="module")
def measured() -> Content:
    """A run with ten rounds of 1 ms, 1 % apart, for each of two shapes."""
    content = run_content()
    content["machine_info"]["node"] = "a machine"
    [one] = content["benchmarks"]
    content["benchmarks"] = [timed(one, columns, 1e-3) for columns in (5, 600)]
    return content


@pytest.fixture
def before(tmp_path: Path, measured: Content) -> Path:
    return written(tmp_path / "before.json", measured)


@pytest.fixture
def after(measured: Content) -> Content:
    return copy.deepcopy(measured)


def written(path: Path, content: Content) -> Path:
    path.write_text(json.dumps(content))
    return path


def compared(before: Path, after: Content) -> diff.Diff:
    path = written(before.with_name("after.json"), after)
    return diff.diff(run_file.load(before), run_file.load(path))


def slower(content: Content, ratio: float) -> None:
    content["benchmarks"][1] = timed(content["benchmarks"][1], 600, 1e-3 * ratio)


# --- The test on ranks ---------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4, 4), (3, 7), (9, 9), (20, 20), (40, 30)])
def test_the_rank_test_is_that_of_scipy(sizes: tuple[int, int]) -> None:
    from scipy import stats  # a second and a half, which no other test needs

    rng = np.random.default_rng(sizes)
    exact = sizes[0] * sizes[1] <= rank_test.EXACT
    for shift in (0.0, 0.7, 3.0):
        one, other = rng.normal(size=sizes[0]), rng.normal(loc=shift, size=sizes[1])
        expected = stats.mannwhitneyu(one, other, method="exact" if exact else "asymptotic").pvalue
        assert rank_test.p_value(one, other) == pytest.approx(expected, rel=1e-9)
        tied = np.round(one), np.round(other)
        expected = stats.mannwhitneyu(*tied, method="asymptotic").pvalue
        assert rank_test.p_value(*tied) == pytest.approx(expected, rel=1e-9)


def test_the_rank_test_says_nothing_without_a_difference() -> None:
    assert rank_test.p_value([1.0] * 5, [1.0] * 5) == 1
    assert rank_test.p_value([], [1.0]) == 1
    assert rank_test.p_value([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]) == pytest.approx(0.1)


# --- What changed --------------------------------------------------------------------------------


def test_a_run_against_itself_has_no_change(before: Path, after: Content) -> None:
    found = compared(before, after)
    assert len(found.accuracy) == len(after["softmax"]["records"])
    assert len(found.time) == 2
    assert set(found.accuracy["error"]) == set(found.accuracy["failing"]) == {diff.SAME}
    assert found.accuracy["bits_equal"].all()
    assert set(found.time["time"]) == {diff.SAME}
    assert found.left_out == ()


def test_one_ulp_more_and_new_failures_are_worse(before: Path, after: Content) -> None:
    after["softmax"]["records"][3]["max_ulp"] += 1
    after["softmax"]["records"][4]["nan_failures"] = 2
    after["softmax"]["records"][5] |= {"outcome": "raised", "message": "x", "max_ulp": None}
    found = compared(before, after).accuracy
    assert found.query("error == 'worse'").index.size == 1
    assert found.query("failing == 'worse'")["failures_after"].max() == np.inf
    assert found.query("failing == 'worse'")["failures_after"].min() == 2


def test_nothing_is_better_whose_outputs_became_nan(before: Path, after: Content) -> None:
    spoilt = next(r for r in after["softmax"]["records"] if r["operation"] == "softmax"
                  and r["format"] == "fp32" and r["max_ulp"])  # fmt: skip
    spoilt |= {"max_ulp": spoilt["max_ulp"] / 2, "lost_to_zero": 0}
    slower(after, 0.5)
    found = compared(before, after)
    assert (found.accuracy["error"] == diff.BETTER).sum() == 1
    assert (found.time["time"] == diff.BETTER).sum() == 1
    spoilt["nan_failures"] = spoilt["elements"] - 1
    found = compared(before, after)
    assert not (found.accuracy[["error", "failing"]] == diff.BETTER).any(axis=None)
    assert not (found.time["time"] == diff.BETTER).any()
    assert (found.accuracy["failing"] == diff.WORSE).sum() == 1


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(1.7, "worse"), (1.5, "same"), (0.8, "same"), (0.6, "better")]
)
def test_times_need_an_effect(before: Path, after: Content, ratio: float, verdict: str) -> None:
    slower(after, ratio)
    assert compared(before, after).time["time"].tolist() == ["same", verdict]


def test_times_need_significance_and_the_fastest_round_too(before: Path, after: Content) -> None:
    few = copy.deepcopy(after)
    slower(few, 2.0)
    few["benchmarks"][1]["stats"]["data"] = [2e-3]
    assert set(compared(before, few).time["time"]) == {"same"}
    slower(after, 2.0)
    after["benchmarks"][1]["stats"]["min"] = 1e-3  # a busy neighbour: one round was undisturbed
    assert set(compared(before, after).time["time"]) == {"same"}


# --- What cannot be compared ---------------------------------------------------------------------


def test_another_machine_has_no_times(before: Path, after: Content) -> None:
    after["machine_info"]["cpu"]["brand_raw"] = "another CPU"
    found = compared(before, after)
    assert found.time.empty
    assert "another CPU" in found.left_out[0]
    assert len(found.accuracy)


@pytest.mark.parametrize("lost", ["cpu", "node"])
def test_two_machines_of_which_nothing_is_known_are_not_one(
    before: Path, after: Content, lost: str
) -> None:
    del after["machine_info"][lost]
    path = written(before.with_name("unknown.json"), after)
    found = compared(path, after)
    assert found.before.machine == found.after.machine
    assert found.time.empty
    assert "measured on different machines" in found.left_out[0]


def test_a_run_without_raw_rounds_has_no_times(before: Path, after: Content) -> None:
    for benchmark in after["benchmarks"]:
        del benchmark["stats"]["data"]
    found = compared(before, after)
    assert found.time.empty
    assert "no raw rounds (2 times)" in found.left_out[0]


def test_other_inputs_and_cells_of_one_run_are_named(before: Path, after: Content) -> None:
    records = after["softmax"]["records"]
    records[0]["input_sha256"] = "0" * 64
    for record in records[1:]:
        if record["case"] == "large positive":
            record["case"] = "new case"
    del records[-1]
    found = compared(before, after)
    lines = "\n".join(found.left_out)
    assert f"case {records[0]['case']} in fp16: another definition of its input (1 rec" in lines
    assert "case large positive: only in NumPy" in lines
    assert "case new case: only in NumPy" in lines
    assert len(found.accuracy) < len(records)


def test_names_of_the_environment_that_differ_are_said(before: Path, after: Content) -> None:
    dispatch = after["softmax"]["environment"]["simd_dispatch"]
    after["softmax"]["environment"] |= {
        "blas": "another 1.0",
        "deep": {"a": 1},
        "simd_dispatch": [*dispatch, "X86_V9"],
    }
    found = compared(before, after)
    ends = found.before, found.after
    changes = {name: new for name, _, new in diff.environment_changes(*ends)}
    more = " ".join([*dispatch, "X86_V9"])[:100]
    assert changes == {"blas": "another 1.0", "deep": "unknown", "simd_dispatch": more}
    assert diff.environment_changes(found.before, found.before) == []


# --- The command ---------------------------------------------------------------------------------


def run_diff(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["diff", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ("max_ulp>1.0x", "stable cross_entropy fp16, small magnitudes: "),
        ("time>1.25x", "stable softmax fp32, 4x600: "),
        ("failures", "stable softmax fp32, small magnitudes: 0 -> 1 failures"),
        ("bits", "stable cross_entropy fp16, small magnitudes"),
    ],
)
def test_fail_on_names_the_cells(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str], condition: str, named: str
) -> None:
    records = after["softmax"]["records"]
    assert run_diff(capsys, before, written(before.with_name("same.json"), after),
                    "--fail-on", condition)[0] == 0  # fmt: skip
    records[3] |= {"max_ulp": records[3]["max_ulp"] + 1, "output_sha256": "f" * 64}
    records[len(OPERATIONS)]["nan_failures"] = 1  # the first of the next format
    slower(after, 1.5)
    path = written(before.with_name("after.json"), after)
    status, out, err = run_diff(capsys, before, path, "--fail-on", condition)
    assert status == 1
    assert "Worse" in out
    assert named in err
    assert f"{condition}: 1 cells" in err


def test_fail_on_does_not_pass_where_nothing_was_compared(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str]
) -> None:
    after["machine_info"]["node"] = "another machine"
    path = written(before.with_name("after.json"), after)
    status, _, err = run_diff(capsys, before, path, "--fail-on", "time>1.25x")
    assert status == 2
    assert "nothing could be compared" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ratio", [1.2, 1.3])
def test_fail_on_time_needs_significance_and_its_own_ratio(
    before: Path, after: Content, ratio: float
) -> None:
    slower(after, ratio)
    found = compared(before, after)
    assert len(diff.broken(found, diff.condition("time>1.25x"))) == (ratio > 1.25)
    after["benchmarks"][1]["stats"]["data"] = [1e-3 * ratio]  # one round proves nothing
    found = compared(before, after)
    assert found.time["effect"].max() == pytest.approx(ratio, rel=0.02)
    assert len(diff.broken(found, diff.condition("time>1.25x"))) == 0


@pytest.mark.parametrize("wrong", ["max_ulp", "time>0.5x", "time>1.2", "time>infx", "speed>2x"])
def test_a_wrong_condition_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["diff", "a.json", "b.json", "--fail-on", wrong])
    assert caught.value.code == 2
    assert wrong in capsys.readouterr().err


def test_every_format_has_the_change(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str]
) -> None:
    after["softmax"]["records"][3] |= {"subject": "a|b <c>"}
    slower(after, 3.0)
    path = written(before.with_name("after.json"), after)
    out = {
        name: run_diff(capsys, before, path, "--format", name)[1] for name in diff_tables.FORMATS
    }
    assert out["table"].index("Worse") < out["table"].index("Not compared")
    assert out["table"].count("\n") < 50
    assert "a\\|b &lt;c>: only in" in out["markdown"]
    rows = list(csv.DictReader(io.StringIO(out["csv"])))
    assert sum(row["time"] == "worse" for row in rows) == 1
    [found] = json.loads(out["json"], parse_constant=pytest.fail)["diffs"]
    assert [cell["time"] for cell in found["time"]] == ["same", "worse"]
    assert len(found["accuracy"]) == len(rows) - 2


@pytest.mark.parametrize(("name", "shown"), [("other.json", "other"), ("$x$ y.json", "2")])
def test_runs_of_one_label_are_told_apart(
    name: str, shown: str, before: Path, after: Content, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run_diff(capsys, before, written(before.with_name(name), after))
    assert f"({shown}) (after)" in out


def test_three_runs_are_each_compared_with_the_first(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str]
) -> None:
    slower(after, 3.0)
    path = written(before.with_name("after.json"), after)
    _, out, _ = run_diff(capsys, before, path, path)
    assert out.count("(1) (before)") == 2
    assert out.count("Worse") == 2


def test_one_run_alone_is_an_error(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run_diff(capsys, before)
    assert status == 2
    assert "before.json: one run alone" in err


def test_a_brief_run_compares_like_the_whole(before: Path, after: Content) -> None:
    slower(after, 3.0)
    after["softmax"]["records"][3]["max_ulp"] *= 1.37
    whole = compared(before, after)
    brief = before.with_name("brief.json.xz")
    brief.write_bytes(keep.brief(before.with_name("after.json")))
    found = diff.diff(run_file.load(before), run_file.load(brief))
    assert found.accuracy.drop(columns="max_ulp_after").equals(
        whole.accuracy.drop(columns="max_ulp_after")
    )
    assert found.time["time"].tolist() == whole.time["time"].tolist()
    assert found.left_out == ()


# --- Files from elsewhere ------------------------------------------------------------------------


def xz(*parts: bytes) -> bytes:
    """Parts that stand one after the other: what repeats is compressed once."""
    streams = {part: lzma.compress(part, preset=1) for part in set(parts)}
    return b"".join(streams[part] for part in parts)


HOSTILE: dict[str, bytes] = {
    "empty.json": b"",
    "truncated.json": b'{"benchmarks": [{"stats": ',
    "truncated.json.xz": xz(b"{}" * 1000)[:-20],
    "truncated.json.gz": gzip.compress(b"{}" * 1000)[:-20],
    "nested.json": b"[" * 1_000_000,
    "nested-objects.json": b'{"a":' * 1_000_000,
    "deep-value.json": b'{"benchmarks": [], "softmax": ' + b"[" * 1_000_000,
    "bomb.json.xz": xz(*300 * [bytes(2**20)]),
    "spaces.json.xz": xz(b'{"benchmarks": [', *300 * [b" " * 2**20]),
    "nan.json": b'{"benchmarks": [NaN], "softmax": {}}',
    "infinity.json": b'{"benchmarks": [-Infinity], "softmax": {}}',
    "integer.json": b"1" * 1_000_000,
    "binary.json": bytes(range(256)) * 100,
    "list.json": b"[]",
    "other.json": b'{"benchmarks": []}',
}


@pytest.mark.parametrize("command", ["diff", "versions", "keep"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_line_at_once_and_nothing_is_written(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    listed = sorted(tmp_path.iterdir())
    files = [path] if command == "keep" else [before, path]
    output = [] if command == "diff" else ["-o", tmp_path / "out"]
    assert main([command, *map(str, [*files, *output])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert name in err
    assert sorted(tmp_path.iterdir()) == listed


WRONG: dict[str, tuple[tuple[Any, ...], Any]] = {
    "schema": (("softmax", "schema"), 7),
    "raw rounds": (("benchmarks", 0, "stats", "data"), ["fast"]),
    "negative round": (("benchmarks", 0, "stats", "data"), [-1.0]),
    "rounds no list": (("benchmarks", 0, "stats", "data"), 3),
    "bits": (("softmax", "records", 0, "output_sha256"), "../../etc/passwd"),
    "bits no text": (("softmax", "records", 0, "output_sha256"), 12),
    "control characters": (("softmax", "records", 0, "subject"), "\x1b[2Jstable"),
    "two lines": (("softmax", "records", 0, "case"), "a\nb"),
    "twin": (("softmax", "records", 1, "operation"), "softmax"),
    "twin benchmark": (("benchmarks", 0, "extra_info", "columns"), 600),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_content_gets_one_line(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (*place, last), value = WRONG[name]
    target: Any = after
    for key in place:
        target = target[key]
    target[last] = value
    path = written(before.with_name("wrong.json"), after)
    status, out, err = run_diff(capsys, before, path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "wrong.json: " in err


def test_names_like_paths_are_names(
    before: Path, after: Content, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for record in after["softmax"]["records"]:
        record["subject"] = "../../../stable"
    path = written(before.with_name("after.json"), after)
    listed = sorted(tmp_path.iterdir())
    status, out, _ = run_diff(capsys, before, path)
    assert status == 0
    assert "subject ../../../stable: only in" in out
    assert sorted(tmp_path.iterdir()) == listed


def test_a_number_beyond_fp64_cannot_be_kept(
    before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = before.read_text().replace('"datetime"', '"beyond": 1e999, "datetime"')
    before.write_text(text)
    assert main(["keep", str(before), "-o", str(before.with_name("kept.json.xz"))]) == 2
    assert "before.json: holds a number beyond fp64" in capsys.readouterr().err
