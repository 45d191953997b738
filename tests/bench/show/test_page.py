"""page: one file that needs nothing else, holds what was measured, and obeys no file."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs.cases import named
from bench.measure import witness
from bench.measure.accuracy import measure
from bench.runs import run_file
from bench.show import drawing, page, page_data, page_plots, tables, witness_script
from bench.show.markdown import figure
from bench.show.style import ERRORS, heat_cell
from bench.subjects.subject import SUBJECTS
from bench.truth.reference import compute
from numerics import FORMATS
from tests.bench.content import run_content
from tests.bench.show.conftest import HOSTILE
from tests.bench.show.pages import decoded, errors_of, read

ROOT = Path(__file__).parents[3]


PAGES = ["reference_page", "page_of_pair", "hostile_page"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(name)
    assert path.stat().st_size < page.MAX_BYTES
    elements = read(path)
    for tag, attributes in elements.found:
        assert tag not in {"link", "iframe", "img", "object", "embed", "base", "form action"}
        for attribute, value in attributes.items():
            assert not attribute.startswith("on"), (tag, attribute)
            if attribute in {"src", "href", "xlink:href", "action", "srcset", "data"}:
                assert value is not None
                assert value.startswith(("#", "data:image/png;base64,")), (tag, value)
    addresses = set(re.findall(r"https?://[\w./-]+", path.read_text(encoding="utf-8")))
    assert not addresses, addresses
    assert [tag for tag, _ in elements.found].count("script") == 2
    (policy,) = (a["content"] for t, a in elements.found if t == "meta" and "http-equiv" in a)
    assert str(policy).startswith("default-src 'none'; ")


@pytest.mark.parametrize("name", PAGES)
def test_no_two_elements_share_a_name(name: str, request: pytest.FixtureRequest) -> None:
    elements = read(request.getfixturevalue(name))
    names = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    known = set(names)
    assert len(names) == len(known)
    for _, attributes in elements.found:
        for value in attributes.values():
            for target in re.findall(r"^#(p\w+-\d+)|url\(#(.+?)\)", value or ""):
                assert "".join(target) in known


def test_a_page_holds_every_record_and_every_plot(
    reference_page: Path, reference: run_file.Run
) -> None:
    elements = read(reference_page)
    shown = json.loads(elements.data)
    (of_run,) = shown["runs"]
    errors = errors_of(shown, 0)
    assert len(errors["subject"]) == len(reference.accuracy)
    assert len(of_run["speed"]["subject"]) == len(reference.throughput)
    for index in range(0, len(reference.accuracy), 97):
        record = reference.accuracy.iloc[index]
        assert shown["subjects"][errors["subject"][index]] == record["subject"]
        assert shown["operations"][errors["operation"][index]][0] == record["operation"]
        assert shown["formats"][errors["format"][index]] == record["format"]
        assert shown["cases"][errors["case"][index]][:2] == [record["case"], record["family"]]
        shown_ulp = errors["max_ulp"][index]
        assert shown_ulp == pytest.approx(record["max_ulp"], rel=6e-3) or np.isnan(
            record["max_ulp"]
        )
        assert figure(math.nan if shown_ulp is None else shown_ulp) == figure(record["max_ulp"])
        assert shown["texts"][errors["text"][index]] == heat_cell(record)[1]
    assert set(shown["plots"]) == set(page_data.PLOTS)
    figures = [a["data-kind"] for tag, a in elements.found if tag == "figure"]
    assert figures == list(page_data.PLOTS)


def test_a_page_draws_from_what_a_report_draws(
    reference_page: Path, reference: run_file.Run
) -> None:
    """Survival counts, errors by length and bounds come to the browser as they were measured."""
    shown = json.loads(read(reference_page).data)
    errors, lists = errors_of(shown, 0), shown["lists"]
    assert len(shown["thresholds"]) >= max(map(len, reference.accuracy["survival"]))
    for index, record in enumerate(reference.accuracy.to_dict("records")):
        assert (lists[errors["survival"][index]] or []) == record["survival"]
        assert errors["elements"][index] == np.nan_to_num(record["elements"])
        widths = lists[errors["widths"][index]] or []
        if not record["case"].startswith("widths"):
            assert not widths
            continue
        assert len(widths) == -(-len(record["max_ulp_by_width"]) // 8)
        finite = [error for _, error in record["max_ulp_by_width"] if error is not None]
        if finite and None not in [error for _, error in widths]:
            assert figure(max(error for _, error in widths)) == figure(max(finite))


def test_a_run_that_measured_little_has_no_plot_of_it(tmp_path: Path) -> None:
    content = run_content()
    content["benchmarks"] = []
    for record in content["softmax"]["records"]:
        record["max_ulp_by_width"] = []
    plots = page_data.data([_loaded(content)])["plots"]
    assert set(plots) == {"survival", "errors-against-bounds"}


def test_every_plot_says_what_it_shows(page_of_pair: Path) -> None:
    elements = read(page_of_pair)
    drawings = [attributes for tag, attributes in elements.found if tag == "svg"]
    assert len(drawings) == len([tag for tag, _ in elements.found if tag == "desc"])
    names = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert set(str(attributes["aria-labelledby"]).split()) <= names


# --- Hostile files -------------------------------------------------------------------------------


def test_hostile_texts_come_out_as_texts(hostile_page: Path) -> None:
    elements = read(hostile_page)
    shown = json.loads(elements.data)
    assert set(HOSTILE) <= set(shown["subjects"])
    assert {text for text in HOSTILE if any(text in case[0] for case in shown["cases"])}
    words = " ".join(elements.words)
    assert HOSTILE[0] in words  # libc, in the footer
    assert "before ?reversed? ?" in words
    assert "\u202e" not in words


def test_hostile_texts_do_not_reach_the_scripts(hostile_page: Path) -> None:
    shown = json.loads(read(hostile_page).data)
    scripts = decoded(shown)
    assert scripts
    for script in scripts:
        tree = compile(script.text(), "witness", "exec", flags=0x400)  # parses it, and no more
        calls = [one for one in tree.body if type(one).__name__ == "Expr"]
        assert len(calls) == 1  # the print
        assert "f = ..." in script.text()


@pytest.mark.parametrize("field", ["subject", "case"])
@pytest.mark.parametrize("text", ["\ud800", "turned \u202earound", "two\nlines"])
def test_unprintable_names_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, text: str
) -> None:
    content = run_content()
    content["softmax"]["records"][0][field] = text
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(content))
    assert main(["page", str(path), "-o", str(tmp_path / "out" / "index.html")]) == 2
    error = capsys.readouterr().err
    assert "hostile.json" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


WITNESS = {"batch": 0, "row": 0, "column": 0, "width": 1, "label": 0, "x": ["0x0.0p+0"]}
WITNESS |= {"got": "0x1.0p+0", "exact": "0x1.0p+0"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": ['0x0p+0".split()]]); print("hello']},
        {"x": []},
        {"x": "0x0p+0"},
        {"x": ["0x0p+0"] * 17},
        {"label": "0])"},
        {"label": True},
        {"row": -1},
        {"row": 1.5},
        {"column": "0"},
        {"got": "0x1p+0\nprint(1)"},
        {"exact": None},
    ],
)
def test_a_witness_that_is_none_makes_no_script(wrong: dict[str, Any]) -> None:
    assert witness.is_sound(WITNESS)
    assert not witness.is_sound(WITNESS | wrong)
    content = run_content()
    content["softmax"]["records"][0]["worst"] = WITNESS | wrong
    shown = page_data.data([_loaded(content)])
    first, second = (shown["lists"][place] for place in errors_of(shown, 0)["worst"][:2])
    assert isinstance(first, int)
    assert isinstance(second, tuple)


def _loaded(content: dict[str, Any]) -> run_file.Run:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_text(json.dumps(content))
        return run_file.load(path)


# --- Witnesses -----------------------------------------------------------------------------------


def test_scripts_show_the_error_again() -> None:
    content = run_content()
    records = content["softmax"]["records"]
    for name, operation, case in (
        ("naive", "log_softmax", "large positive"),
        ("fast", "cross_entropy", "confident"),
        ("exact", "softmax", "plus inf"),
        ("stable", "log_sum_exp", "ascending"),  # rows of a thousand, which are named by place
        ("stable", "cross_entropy", "ascending"),
    ):
        format = FORMATS["fp32"]
        exact = compute(named(case).batches(format), format)
        measured = measure(SUBJECTS[name], operation, named(case), format, exact)
        records.append(json.loads(json.dumps(measured.as_json())))
    scripts = decoded(page_data.data([_loaded(content)]))
    assert len(scripts) == len(records)
    assert any("bench.inputs.cases.named" in script.row for script in scripts)
    for script in scripts[::3] + scripts[-5:]:
        printed = io.StringIO()
        with (
            contextlib.redirect_stdout(printed),
            warnings.catch_warnings(action="ignore"),
            np.errstate(all="ignore"),
        ):
            exec(script.text(), {})
        assert witness_script.short_hex(printed.getvalue().strip()) == script.got, script.text()


def test_a_script_of_a_peer_runs() -> None:
    pytest.importorskip("scipy")
    script = witness_script.script(WITNESS, "scipy", "softmax", "any", "fp32")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script.text(), {})
    assert printed.getvalue() == "0x1.0000000000000p+0\n"


def test_what_has_no_script_says_why() -> None:
    content = run_content()
    first, second, third = content["softmax"]["records"][:3]
    first["worst"] = None
    second |= {"outcome": "raised", "message": "ValueError: no"}
    third["case"] = "of another house"
    third["worst"] = WITNESS | {"x": None, "width": 4096}
    shown = page_data.data([_loaded(content)])
    places = errors_of(shown, 0)["worst"][:3]
    reasons = [shown["texts"][shown["lists"][place]] for place in places]
    assert "does not keep" in reasons[0]
    assert reasons[1] == "raised: ValueError: no"
    assert "4096 elements" in reasons[2]


# --- Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ["missing", "empty folder", "broken"])
def test_bad_input_is_one_line_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    path = tmp_path / "x.json"
    if problem == "empty folder":
        path.mkdir()
    elif problem == "broken":
        path.write_text("{")
    assert main(["page", str(path), "-o", str(tmp_path / "out" / "index.html")]) == 2
    error = capsys.readouterr().err
    assert "x.json" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_is_no_page(pair_of_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["page", str(pair_of_runs), "-o", str(pair_of_runs)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_page_that_is_too_large_is_not_written(
    pair_of_runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(page, "MAX_BYTES", 20_000)
    monkeypatch.setattr(page_plots, "by_version", lambda shown: {})
    path = tmp_path / "index.html"
    path.write_text("as it was")
    assert main(["page", str(pair_of_runs), "-o", str(path)]) == 2
    error = capsys.readouterr().err
    assert re.search(r"index\.html: would have 0\.\d MB with 2 runs, more than 0\.02 MB", error)
    assert error.count("\n") == 1
    assert path.read_text() == "as it was"
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]


def test_the_committed_runs_of_all_versions_fit_into_a_page() -> None:
    folder = ROOT / "results" / "runs" / "versions"
    run = run_file.load(folder / "bench-numpy20.json.xz")
    data = len(json.dumps(page_data.data([run]), separators=(",", ":")))
    assert len(list(folder.iterdir())) * data < page.MAX_BYTES - 1_500_000


def test_a_brief_run_that_keeps_no_zeros_has_no_failures() -> None:
    run = run_file.load(ROOT / "results" / "runs" / "versions" / "bench-numpy20.json.xz")
    shown = page_data.data([run])
    errors = errors_of(shown, 0)
    assert errors["mean_ulp"] is None
    assert shown["failures"][errors["failures"][0]] == (0, 0, 0, 0)
    assert shown["texts"][errors["text"][0]] == tables.error_cell(run.accuracy.iloc[0]) == "0.91"


def test_importing_page_imports_no_library_of_its_own() -> None:
    code = "import sys, bench.show.page, bench.show.page_data; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"pandas", "matplotlib", "jinja2", "tabulate"}


def test_the_committed_picture_is_of_the_committed_run(reference: run_file.Run) -> None:
    picture = (ROOT / "docs" / "page.png").read_bytes()
    assert drawing.source([reference]).encode() in picture
    assert len(picture) < 120_000


# --- Colours -------------------------------------------------------------------------------------


def test_cells_of_the_map_can_be_read() -> None:
    from matplotlib.colors import to_hex

    record = dict.fromkeys(page_data.KINDS, 0) | {"outcome": "measured"}
    for max_ulp in np.geomspace(0.1, 1e9, 200):
        colour, _, ink = heat_cell(record | {"max_ulp": float(max_ulp)})
        assert page_plots.contrast(to_hex(colour), ink) >= 4.5
    assert to_hex(ERRORS(0.0)) != to_hex(ERRORS(1.0))


def test_texts_of_the_page_can_be_read_light_and_dark() -> None:
    css = (page.TEMPLATES / "page.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in css.split("@media", 2)[:2]
    )
    dark["paper"] = page_plots.DARK
    for colours in (light, dark):
        for ink in ("ink", "soft", "accent"):
            for behind in ("paper", "raised"):
                assert page_plots.contrast(colours[ink], colours[behind]) >= 4.5, (ink, behind)
        assert page_plots.contrast(colours["focus"], colours["paper"]) >= 3
    for colour in page_plots.palette(page_plots.DARK, 4.5):
        assert colour == "var(--ink)" or page_plots.contrast(colour, page_plots.DARK) >= 4.5
