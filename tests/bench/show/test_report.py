"""report: everything a reader sees is made, whole, and as fresh as the committed run."""

from __future__ import annotations

import csv
import gzip
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.runs import committed, run_file
from bench.runs.files import to_json
from bench.show import (
    documents,
    kept,
    plots,
    report,
    tables,
    version_plots,
    version_tables,
    versions,
)
from numerics import FORMATS, OPERATIONS
from tests.bench.content import run_content

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
FIGURES = {"errors-against-bounds", "survival", "error-against-k", "error-against-time"}
FIGURES |= {"time-against-k"} | {
    f"errors-{operation.replace('_', '-')}-{name}" for operation in OPERATIONS for name in FORMATS
}


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run.json"
    path.write_text(to_json(run_content()))
    return path


@pytest.fixture(scope="module")
def reported(one_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert main(["report", str(one_run), "--alone", "-o", str(folder)]) == 0
    return folder


def test_a_report_has_tables_and_pictures(one_run: Path, reported: Path) -> None:
    assert {path.name for path in reported.iterdir()} == {
        "accuracy.csv.gz",
        "throughput.csv",
        "tables.md",
    } | {f"{figure}.{kind}" for figure in FIGURES for kind in plots.kinds(figure)}
    for path in reported.glob("*.svg"):
        ET.parse(path)
    with gzip.open(reported / "accuracy.csv.gz", "rt", newline="") as file:
        errors = [float(row["max_ulp"]) for row in csv.DictReader(file)]
    exact = run_file.load(one_run).accuracy["max_ulp"]
    assert errors == [float(f"{error:.4g}") for error in exact]


def test_the_same_run_makes_the_same_pictures(one_run: Path, reported: Path) -> None:
    run = run_file.load(one_run)
    kinds = {name: plots.figures([run])[name] for name in ("survival", "errors-softmax-fp32")}
    for name, content in plots.all_figures([run], kinds):
        assert (reported / name).read_bytes() == content, name


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is around the figures."""
    monkeypatch.setattr(plots, "all_figures", lambda shown: iter([("one.svg", b"<svg/>")]))


@pytest.mark.usefixtures("no_figures")
def test_one_run_is_drawn_beside_the_committed_reference(one_run: Path, tmp_path: Path) -> None:
    assert main(["report", str(one_run), "-o", str(tmp_path)]) == 0
    assert "reference" in (tmp_path / "tables.md").read_text()


@pytest.mark.usefixtures("no_figures")
def test_a_folder_is_drawn_oldest_numpy_first(one_run: Path, tmp_path: Path) -> None:
    content = json.loads(one_run.read_text())
    for version in ("2.10.0", "1.26.4", "2.4.1"):
        content["softmax"]["environment"]["numpy"] = version
        (tmp_path / f"bench-{version}.json").write_text(json.dumps(content))
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "tables.md").read_text()
    places = [page.index(f"NumPy {v}") for v in ("1.26.4", "2.4.1", "2.10.0")]
    assert places == sorted(places)


def test_a_run_of_subjects_that_claim_nothing_is_reported(one_run: Path, tmp_path: Path) -> None:
    content = json.loads(one_run.read_text())
    records = content["softmax"]["records"]
    kept = [record for record in records if record["operation"] == "softmax"]
    for record in kept:
        record.update({name: None for name in record if name.startswith("claim_")})
    content["softmax"]["records"] = kept
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    run = run_file.load(path)
    assert "errors-against-bounds" not in plots.figures([run])
    assert "not offered" in tables.headline(run)
    assert "not offered" in tables.errors_by_method(run)


@pytest.mark.parametrize("problem", ["missing", "empty folder", "broken"])
def test_bad_input_is_one_line_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    path = tmp_path / "x.json"
    if problem == "empty folder":
        path.mkdir()
    elif problem == "broken":
        path.write_text("{")
    assert main(["report", str(path), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "x.json" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_figures")
def test_an_interruption_leaves_the_old_report_whole(
    one_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["report", str(one_run), "--alone", "-o", str(tmp_path)]
    assert main(arguments) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupt(shown: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "page", interrupt)
    assert main(arguments) == 130
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_keep_compresses_a_run(one_run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json.xz"
    assert main(["keep", str(one_run), "-o", str(kept)]) == 0
    assert run_file.load(kept).accuracy.equals(run_file.load(one_run).accuracy)


# --- What is committed ---------------------------------------------------------------------------


def test_committed_tables_and_readme_are_those_of_the_committed_run() -> None:
    run = run_file.load(RESULTS / committed.REFERENCE)
    assert (RESULTS / "tables.md").read_text(encoding="utf-8") == tables.page([run])
    accuracy = gzip.decompress((RESULTS / "accuracy.csv.gz").read_bytes())
    assert accuracy == report.csv_table([run], "accuracy")
    assert (RESULTS / "throughput.csv").read_bytes() == report.csv_table([run], "throughput")
    by_version = versions.load([RESULTS / committed.VERSIONS])
    assert (RESULTS / "versions.md").read_text(encoding="utf-8") == version_tables.page(by_version)
    pair = version_tables.ends_of_upgrade(by_version)
    assert pair
    assert (RESULTS / "upgrade.md").read_text(encoding="utf-8") == version_tables.upgrade(*pair)
    found = kept.load(ROOT, run, by_version)
    for path, document in documents.filled(ROOT, found).items():
        assert path.read_text(encoding="utf-8") == document, path


def test_committed_pictures_are_drawn_from_the_committed_run() -> None:
    run = run_file.load(RESULTS / committed.REFERENCE)
    for figure in FIGURES:
        for kind in plots.kinds(figure):
            picture = (RESULTS / f"{figure}.{kind}").read_bytes()
            assert plots.source([run]).encode() in picture, f"{figure}.{kind} is stale"
    by_version = versions.load([RESULTS / committed.VERSIONS])
    for figure in version_plots.figures(by_version):
        for kind in plots.kinds(figure):
            picture = (RESULTS / f"{figure}.{kind}").read_bytes()
            assert plots.source(run_file.shared(by_version)).encode() in picture, f"{figure}.{kind}"


def test_committed_run_has_every_method_and_nothing_beyond_its_bound() -> None:
    from numerics import METHODS

    run = run_file.load(RESULTS / committed.REFERENCE)
    assert set(run.accuracy["subject"]) >= set(METHODS)
    assert set(run.throughput["subject"]) >= set(METHODS)
    assert run.accuracy["claim_broken"].fillna(0).sum() == 0
    # No bound is vacuous: some case comes within a hundredth of it.
    claimed = run.accuracy.dropna(subset="claim_ratio")
    nearest = claimed.groupby(["subject", "operation"])["claim_ratio"].max()
    assert (nearest >= 0.01).all()
    assert (nearest <= 1).all()  # a correctly rounded result may err by its bound, half an ulp
    exact = run.accuracy[run.accuracy["subject"] == "exact"]
    assert len(exact)
    assert exact["misrounded"].fillna(0).sum() == 0


def test_committed_run_keeps_what_the_methods_promise() -> None:
    """On ordinary rows: compensated at most 3 ulp, widened 0.51, fast in fp16 0.6."""
    table = run_file.load(RESULTS / committed.REFERENCE).accuracy
    ordinary = table[table["family"] == "random"]
    worst = ordinary.groupby("subject")["max_ulp"].max()
    assert worst["compensated"] <= 3
    assert worst["widened"] <= 0.51
    of_fast = ordinary[(ordinary["subject"] == "fast") & (ordinary["format"] == "fp16")]
    assert of_fast["max_ulp"].max() <= 0.6
    confident = table[(table["case"] == "confident") & (table["operation"] == "log_softmax")]
    worst = confident.groupby("subject")["max_ulp"].max()
    assert worst["compensated"] <= 3
    assert max(worst["log1p"], worst["fast"]) <= 100 < 10**6 < worst["stable"]


def test_committed_run_has_fast_at_least_as_good_as_stable_or_within_a_few_ulp() -> None:
    table = run_file.load(RESULTS / committed.REFERENCE).accuracy
    softmax = table[table["operation"] == "softmax"]
    cells = softmax.pivot_table(index=["format", "case"], columns="subject", values="max_ulp")
    few = {"fp16": 0.6, "fp32": 8, "fp64": 8}  # where it does not shift, and `stable` is better
    allowed = cells["stable"].clip(lower=cells.index.get_level_values(0).map(few))
    assert len(cells) > 100
    assert (cells["fast"] <= allowed).all()


def test_committed_results_are_small() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert sum(path.stat().st_size for path in files) < 5_000_000
