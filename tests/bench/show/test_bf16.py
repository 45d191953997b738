"""What a reader sees of bf16: a panel, a line or a column where it was measured, else nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from bench.measure.confidence import Faded
from bench.runs import run_file
from bench.show import confidence_plot, heat_maps, known_tables, plots, tables, version_plots
from bench.show import version_tables as by_version
from bench.show.markdown import TITLES
from numerics import ALL_FORMATS, FORMATS, OPERATIONS
from tests.bench.content import run_content, written

FOUR = pytest.mark.parametrize("formats", [list(FORMATS), list(ALL_FORMATS)], ids=len)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> run_file.Run:
    """A run in NumPy's formats."""
    return run_file.load(written(tmp_path_factory.mktemp("run") / "run.json", run_content()))


def measured_in(run: run_file.Run, formats: list[str]) -> run_file.Run:
    """The run; with the figures of fp32 as those of bf16 where that is among the formats."""
    if "bf16" not in formats:
        return run
    fp32 = run.accuracy[run.accuracy["format"] == "fp32"].assign(format="bf16")
    times = run.throughput.assign(format="bf16")
    return replace(
        run,
        accuracy=pd.concat([run.accuracy, fp32]),
        throughput=pd.concat([run.throughput, times]),
    )


@FOUR
def test_figures_have_a_panel_for_each_format(three: run_file.Run, formats: list[str]) -> None:
    run = measured_in(three, formats)
    older = version_plots.figures([replace(run, label="older"), run])
    expected = [f"{TITLES[name]}, {format}" for name in OPERATIONS for format in formats]
    for figure in (plots.figures([run])["survival"](), older["versions-error"]()):
        assert [ax.get_title() for ax in figure.axes] == expected
    timed = [ax.get_title() for ax in older["versions-time"]().axes]
    assert timed == [f"K = 600, {format}" for format in formats]


@FOUR
def test_there_is_a_map_for_each_format(three: run_file.Run, formats: list[str]) -> None:
    maps = heat_maps.figures([measured_in(three, formats)])
    assert list(maps) == [
        f"errors-{name.replace('_', '-')}-{format}" for name in OPERATIONS for format in formats
    ]


def test_what_one_run_of_two_measured_is_not_compared(three: run_file.Run) -> None:
    four = measured_in(three, list(ALL_FORMATS))
    for runs in ([three, four], [four, three]):
        assert {name.rpartition("-")[2] for name in heat_maps.figures(runs)} == set(FORMATS)


@FOUR
def test_the_gradient_has_a_panel_for_each_format(formats: list[str]) -> None:
    found = [Faded("exact", name, [1.0, 2.0], [1e-3, 1e-3]) for name in formats]
    assert [ax.get_title() for ax in confidence_plot.draw(found).axes] == formats


def test_tables_of_the_committed_run_have_lines_for_it(reference: run_file.Run) -> None:
    known = known_tables.largest(reference, [], [])
    for table in (tables.exhaustive(reference), known_tables.table(known)):
        assert re.search(r"^\| exact +\| bf16 ", table, re.M)
    assert re.search(r"^\| bf16 +\| exact ", by_version.times([reference]), re.M)
    heads, _, naive, *_ = tables.methods(reference).splitlines()
    assert heads.replace("|", "").split()[-4:] == list(ALL_FORMATS)
    assert "not offered" not in naive


def test_times_in_bf16_are_shares_of_those_in_another_format(three: run_file.Run) -> None:
    run = measured_in(three, list(ALL_FORMATS))
    run.throughput.loc[run.throughput["format"] == "bf16", "ns_per_element"] /= 2
    found = [line.split("|")[1:-1] for line in tables.times_in(run, "bf16", "fp32").splitlines()]
    assert [cell.strip() for cell in found[2]][:2] == ["stable", "0.5"]
    assert tables.times_in(three, "bf16", "fp32").count("\n") == 1  # no line but the headings
