"""versions: several runs, oldest first, as tables and pictures; and what is committed of them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.judge import by_version, diff
from bench.runs import committed, gather, run_file
from bench.runs.environment import environment
from bench.show import plots, versions
from tests.bench.content import run_content, timed

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NumPy 2.4.1 as measured; 1.26.4 and 2.10.0 with other bits in one record; 2.10.0 twice."""
    found = tmp_path_factory.mktemp("versions")
    content = run_content()
    content["machine_info"]["node"] = "a machine"
    for record in content["softmax"]["records"]:
        record["family"] = "random"
    for version, disabled, record in (
        ("2.10.0", ["X86_V4"], 1),
        ("1.26.4", [], 0),
        ("2.10.0", [], 1),
        ("2.4.1", [], None),
    ):
        run = copy.deepcopy(content)
        run["softmax"]["environment"] |= {"numpy": version, "simd_disabled": disabled}
        if record is not None:
            run["softmax"]["records"][record]["output_sha256"] = "0" * 64
        run["benchmarks"] = [timed(run["benchmarks"][0], k, 1e-3) for k in (5, 600)]
        name = "-".join([version, *disabled])
        (found / f"{name}.json").write_text(json.dumps(run))
    return found


def test_pictures_and_page_are_written_oldest_first(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["versions", str(folder), "-o", str(tmp_path)]) == 0
    names = {
        f"versions-{name}.{kind}" for name in ("error", "time", "bits") for kind in ("svg", "png")
    }
    assert {path.name for path in tmp_path.iterdir()} == names | {"versions.md", "upgrade.md"}
    for path in tmp_path.glob("*.svg"):
        ET.parse(path)
    labels = ["NumPy 1.26.4", "NumPy 2.4.1", "NumPy 2.10.0", "NumPy 2.10.0 without X86_V4"]
    assert [run.label for run in versions.load([folder])] == labels
    out = capsys.readouterr().out
    places = [out.index(f"{label} ") for label in labels]
    assert places == sorted(places)


def test_the_matrix_of_bits(folder: Path) -> None:
    shares = by_version.identity(versions.load([folder]))["stable"]
    records = len(run_content()["softmax"]["records"])
    assert (shares == shares.T).all()
    assert (np.diag(shares) == 1).all()
    assert shares[0, 1] == shares[1, 2] == (records - 1) / records
    assert shares[0, 2] == (records - 2) / records
    assert shares[2, 3] == 1


def test_times_of_another_machine_are_not_drawn(folder: Path) -> None:
    import dataclasses

    shown = versions.load([folder])
    shown[1] = dataclasses.replace(shown[1], machine="another")
    ratios = by_version.time_ratios(shown, ["format", "subject"])
    assert ratios.isna().all().tolist() == [False, True, False, False]
    assert (ratios[shown[2].label] == 1).all()


@pytest.mark.usefixtures("no_figures")
def test_runs_without_times_or_common_cases_still_make_a_page(folder: Path, tmp_path: Path) -> None:
    paths = sorted(folder.iterdir())[:2]
    for path in paths:
        content = json.loads(path.read_text())
        content["benchmarks"] = []
        (tmp_path / path.name).write_text(json.dumps(content))
    out = tmp_path / "out"
    assert main(["versions", str(tmp_path), "-o", str(out)]) == 0
    assert (out / "versions-error.svg").exists()
    assert not (out / "versions-time.svg").exists()
    assert "Not measured in every run." in (out / "versions.md").read_text()


@pytest.mark.parametrize("problem", ["one", "empty", "missing"])
def test_bad_input_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    path = sorted(folder.iterdir())[0] if problem == "one" else tmp_path / problem
    if problem == "empty":
        path.mkdir()
    assert main(["versions", str(path), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert path.name in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_report_of_several_runs_has_the_pictures(folder: Path) -> None:
    assert {"versions-error", "versions-bits", "versions-time"} <= set(
        plots.figures(gather.load_all([folder]))
    )


def test_a_switch_that_does_nothing_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set after NumPy was imported, none has an effect."""
    simd: dict[str, Any] = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[index]
    for name in ["X86_V9", *simd.get("found", [])[:1]]:
        monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", f" {name},")
        with pytest.raises(ValueError, match=f"{name} did not switch anything off in NumPy"):
            environment()


def test_a_switch_is_recorded_and_shown() -> None:
    simd: dict[str, Any] = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[index]
    if not simd.get("found"):
        pytest.skip("this NumPy dispatches on nothing")
    highest = simd["found"][-1]
    code = "from bench.runs.run_file import environment as e, _label; print(e(), _label(e()))"
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": highest}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert f"'simd_disabled': ['{highest}']" in done.stdout
    assert done.stdout.endswith(f"{np.__version__} without {highest}\n")


# --- What is committed ---------------------------------------------------------------------------


def test_committed_runs_are_of_all_versions_and_two_dispatch_levels(
    committed_versions: list[run_file.Run],
) -> None:
    files = sorted((RESULTS / committed.VERSIONS).iterdir())
    assert max(path.stat().st_size for path in files) < 70_000
    shown = committed_versions
    found = [run.environment["numpy"].rsplit(".", 1)[0] for run in shown]
    assert list(dict.fromkeys(found)) == ["1.26", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"]
    assert shown[-1].environment["simd_disabled"]
    assert not shown[-2].environment["simd_disabled"]
    assert len({run.machine for run in shown}) == 1


def test_committed_runs_can_be_compared_cell_by_cell(
    committed_versions: list[run_file.Run],
) -> None:
    shown = committed_versions
    for found in diff.against_first(shown):
        assert found.left_out == ()
        assert len(found.accuracy) == len(run_file.shared(shown)[0].accuracy)
        assert len(found.time) > 200
