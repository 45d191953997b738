"""report: everything a reader sees is made, whole, and as fresh as the committed run."""

from __future__ import annotations

import csv
import gzip
import json
import pickle
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.__main__ import main
from bench.runs import run_file
from bench.runs.files import to_json
from bench.show import (
    documents,
    drawing,
    kept,
    plots,
    report,
    tables,
    version_plots,
    version_tables,
)
from bench.show.rendering import with_plain_ticks
from bench.show.style import STYLE, legend, panels
from numerics import FORMATS, OPERATIONS
from tests.bench.content import run_content

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
FIGURES = {"errors-against-bounds", "survival", "error-against-k", "error-against-time"}
FIGURES |= {"time-against-k"}
MAPS = {f"errors-{op.replace('_', '-')}-{name}" for op in OPERATIONS for name in FORMATS}


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
    tables = {"accuracy.csv.gz", "throughput.csv", "tables.md"}
    pictures = {f"{name}.png" for name in FIGURES}
    assert {path.name for path in reported.iterdir()} == tables | pictures
    with gzip.open(reported / "accuracy.csv.gz", "rt", newline="") as file:
        errors = [float(row["max_ulp"]) for row in csv.DictReader(file)]
    exact = run_file.load(one_run).accuracy["max_ulp"]
    assert errors == [float(f"{error:.4g}") for error in exact]


def test_what_is_asked_for_is_drawn_too(
    one_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, some = drawing.files, {"survival", "errors-softmax-fp32"}  # the others take long

    def files(job: drawing.Job) -> dict[str, bytes]:
        one = job if job.name in some else replace(job, draw=Figure)
        return draw(one)

    monkeypatch.setattr(drawing, "files", files)
    arguments = ["report", str(one_run), "--alone", "--svg", "--maps", "-o", str(tmp_path)]
    assert main(arguments) == 0
    pictures = {path.name for path in tmp_path.iterdir() if path.suffix in {".svg", ".png"}}
    assert pictures == {f"{name}.{kind}" for name in FIGURES | MAPS for kind in drawing.kinds(name)}
    for path in tmp_path.glob("*.svg"):
        ET.parse(path)


def test_the_same_run_makes_the_same_pictures(one_run: Path, reported: Path) -> None:
    """In this process, in others, and with any other figures before."""
    run, names = run_file.load(one_run), ("errors-against-bounds", "error-against-time")
    figures = plots.figures([run])
    jobs = drawing.jobs([run], {name: figures[name] for name in names})  # the quickest
    here, there = (list(drawing.drawn(jobs, processes)) for processes in (1, 2))
    assert here == there
    for files in here:
        for name, content in files.items():
            if name.endswith("png"):
                assert (reported / name).read_bytes() == content, name


def test_what_is_handed_to_another_process_is_small(reference: run_file.Run) -> None:
    """Worst inputs and raw rounds, which no figure shows, are most of a run."""
    for draw in plots.figures([reference]).values():
        assert len(pickle.dumps(draw)) < len(pickle.dumps(reference)) / 2


def two_runs(run: run_file.Run, letters: int) -> list[run_file.Run]:
    """Fourteen subjects in each, names of so many letters."""
    subjects = [f"{place:02}{'n' * letters}" for place in range(14)]
    accuracy = pd.concat([run.accuracy.assign(subject=name) for name in subjects])
    older = replace(run, environment=run.environment | {"numpy": "1.26.4"})
    return [
        replace(one, accuracy=accuracy, label=f"NumPy 2.4.6 ({name * letters})")
        for one, name in ((run, "a"), (older, "b"))
    ]


def assert_all_is_inside(figure: Figure, name: str) -> None:
    """All of a figure, its legend clear of the panels, as they stand in a file."""
    with_plain_ticks(figure)
    figure.draw_without_rendering()
    inches = figure.get_tightbbox()
    assert inches.x0 > -0.02, name
    assert inches.y0 > -0.02, name
    assert inches.x1 < figure.get_figwidth() + 0.02, name
    assert inches.y1 < figure.get_figheight() + 0.02, name
    for one in figure.legends:
        titles = 12  # points above the panels
        assert one.get_window_extent().y0 > max(ax.bbox.y1 for ax in figure.axes) + titles


def test_nothing_is_cut_off(one_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one operation: those of others are more rows of the same panels."""
    for module in (plots, version_plots):
        monkeypatch.setattr(module, "operations", lambda runs: OPERATIONS[:1])
    runs = two_runs(run_file.load(one_run), letters=28)
    of_versions = version_plots.figures([*runs, runs[0]])
    for name, draw in (plots.figures(runs) | of_versions).items():
        with mpl.rc_context(STYLE):
            assert_all_is_inside(draw(), name)


@pytest.mark.parametrize("letters", [1, 5, 12, 20, 28])
@pytest.mark.parametrize("markers", [False, True])
def test_no_legend_is_cut_off(one_run: Path, letters: int, markers: bool) -> None:
    """Over panels that are done at once, in as many columns as names of any length make."""
    runs = two_runs(run_file.load(one_run), letters)
    with mpl.rc_context(STYLE):
        figure, _ = panels(4, OPERATIONS[:1], list(FORMATS), "length", "error")
        legend(figure, runs, markers, [("as measured", "o", None), ("as claimed", "s", "none")])
        assert_all_is_inside(figure, "")


@pytest.mark.usefixtures("no_figures")
def test_one_run_is_drawn_before_the_committed_reference(
    one_run: Path, reference: run_file.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(one_run), "-o", str(tmp_path), "--label", "mine"]) == 0
    page = (tmp_path / "tables.md").read_text()
    beside = f"## {reference.label} (reference), effort {reference.effort}"
    assert page.index("## mine, effort quick") < page.index(beside)
    assert re.search(r"^the report took [\d.]+ (s|min \d+ s)$", capsys.readouterr().out, re.M)
    first, second = plots.figures([reference, run_file.load(one_run, "mine")])["survival"].args[0]
    assert (first.label, second.label) == ("mine", reference.label)


@pytest.mark.usefixtures("no_figures")
def test_a_folder_is_compared_oldest_first_and_shown_newest_first(
    one_run: Path, tmp_path: Path
) -> None:
    content = json.loads(one_run.read_text())
    for version in ("2.10.0", "1.26.4", "2.4.1"):
        content["softmax"]["environment"]["numpy"] = version
        (tmp_path / f"bench-{version}.json").write_text(json.dumps(content))
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "tables.md").read_text()
    labels = [f"NumPy {version}" for version in ("1.26.4", "2.4.1", "2.10.0")]
    assert f"| {' | '.join(labels)} |" in re.sub(" +", " ", page)
    places = [page.index(f"## {label}, effort") for label in labels]
    assert places == sorted(places, reverse=True)


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
    assert "log-softmax" not in tables.errors_by_method(run)  # what no run has is not asked for


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


def test_committed_tables_and_readme_are_those_of_the_committed_run(
    reference: run_file.Run, committed_versions: list[run_file.Run]
) -> None:
    assert (RESULTS / "tables.md").read_text(encoding="utf-8") == tables.page([reference])
    accuracy = gzip.decompress((RESULTS / "accuracy.csv.gz").read_bytes())
    assert accuracy == report.csv_table([reference], "accuracy")
    assert (RESULTS / "throughput.csv").read_bytes() == report.csv_table([reference], "throughput")
    by_version = committed_versions
    assert (RESULTS / "versions.md").read_text(encoding="utf-8") == version_tables.page(by_version)
    pair = version_tables.ends_of_upgrade(by_version)
    assert pair
    assert (RESULTS / "upgrade.md").read_text(encoding="utf-8") == version_tables.upgrade(*pair)
    found = kept.load(ROOT, reference, by_version)
    for path, document in documents.filled(ROOT, found).items():
        assert path.read_text(encoding="utf-8") == document, path


def test_committed_pictures_are_drawn_from_the_committed_run(
    reference: run_file.Run, committed_versions: list[run_file.Run]
) -> None:
    for figure in FIGURES:
        for kind in drawing.kinds(figure, committed=True):
            picture = (RESULTS / f"{figure}.{kind}").read_bytes()
            assert drawing.source([reference]).encode() in picture, f"{figure}.{kind} is stale"
    by_version = committed_versions
    for figure in version_plots.figures(by_version):
        for kind in drawing.kinds(figure, committed=True):
            picture = (RESULTS / f"{figure}.{kind}").read_bytes()
            assert drawing.source(by_version).encode() in picture, f"{figure}.{kind}"


def test_committed_run_has_every_method_and_nothing_beyond_its_bound(
    reference: run_file.Run,
) -> None:
    from numerics import METHODS

    assert set(reference.accuracy["subject"]) >= set(METHODS)
    assert set(reference.throughput["subject"]) >= set(METHODS)
    assert reference.accuracy["claim_broken"].fillna(0).sum() == 0
    # No bound is vacuous: some case comes within a hundredth of it.
    claimed = reference.accuracy.dropna(subset="claim_ratio")
    nearest = claimed.groupby(["subject", "operation"])["claim_ratio"].max()
    assert (nearest >= 0.01).all()
    assert (nearest <= 1).all()  # a correctly rounded result may err by its bound, half an ulp
    exact = reference.accuracy[reference.accuracy["subject"] == "exact"]
    assert len(exact)
    assert exact["misrounded"].fillna(0).sum() == 0


def test_committed_run_keeps_what_the_methods_promise(reference: run_file.Run) -> None:
    """On ordinary rows: compensated at most 3 ulp, widened 0.51, fast in fp16 0.6."""
    table = reference.accuracy
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


def test_committed_run_has_fast_at_least_as_good_as_stable_or_within_a_few_ulp(
    reference: run_file.Run,
) -> None:
    table = reference.accuracy
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
    assert sum(path.stat().st_size for path in files if path.exists()) < 4_000_000
