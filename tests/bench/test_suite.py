"""`pytest bench` as a user runs it, on a few cells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS, main
from bench.commands.command import Command
from bench.runs import run_file

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    # pytest-benchmark times nothing where it takes itself for a part of pytest-xdist.
    environment = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    path = folder / "out.json"
    done = run(
        "pytest", "bench", "-v", "--effort", "quick", "-k", "stable-softmax-fp32 and not widths",
        f"--benchmark-json={path}", f"--reference-cache={folder / 'cache'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accuracy: largest ulp error" in done.stdout
    assert re.search(r"^measuring took [\d.]+ (s|min \d+ s)$", done.stdout, re.MULTILINE)
    assert any((folder / "cache").iterdir())
    # Ids read as the house says.
    assert "test_accuracy.py::test_within_bound[stable-softmax-fp32-near_overflow]" in done.stdout
    assert "test_throughput.py::test_throughput[stable-softmax-fp32-600]" in done.stdout
    return path


def test_a_run_file_holds_speed_accuracy_and_environment(measured: Path) -> None:
    loaded = run_file.load(measured)
    assert set(loaded.throughput["columns"]) == {5, 600}
    assert set(loaded.accuracy["subject"]) == {"stable"}
    assert set(loaded.accuracy["format"]) == {"fp32"}
    assert {"numpy", "blas", "libc", "python", "simd_dispatch"} <= set(loaded.environment)
    content = json.loads(measured.read_text())
    assert content["softmax"]["seed"] == 42
    assert content["machine_info"]["softmax"]["numpy"] == loaded.environment["numpy"]
    groups = {benchmark["group"] for benchmark in content["benchmarks"]}
    assert "softmax fp32 109x600" in groups


def test_pytest_benchmark_still_reads_the_file(measured: Path) -> None:
    done = run("pytest_benchmark", "compare", str(measured))
    assert done.returncode == 0, done.stderr
    assert "stable-softmax-fp32-600" in done.stdout


def test_accuracy_alone(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    done = run(
        "pytest", "bench", "--effort=quick", "--benchmark-disable",
        "-k", "stable-softmax-fp16-small_magnitudes", f"--accuracy-json={path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = run_file.load(path)
    assert loaded.accuracy["case"].tolist() == ["small magnitudes"]
    assert loaded.throughput.empty


def test_a_run_in_which_nothing_is_timed_is_saved_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "run.json"
    done = run(
        "pytest", "bench", "--effort=quick", "-k", "stable-softmax-fp32-near_tie",
        f"--benchmark-json={path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(run_file.load(path).accuracy) == 1


def test_a_file_that_cannot_be_written_is_found_out_before_the_first_test(tmp_path: Path) -> None:
    done = run("pytest", "bench", "--effort=quick", f"--accuracy-json={tmp_path}")
    assert done.returncode == 4
    assert "is a folder" in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_every_command_explains_itself(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command.name, "--help"])
    assert "usage: python -m bench" in capsys.readouterr().out


def test_the_command_line_explains_itself() -> None:
    for arguments in (["bench", "--help"], ["bench.compare", "--help"]):
        done = run(*arguments)
        assert done.returncode == 0
        assert "usage: python -m bench" in done.stdout
    assert run("bench", "nonsense").returncode == 2
