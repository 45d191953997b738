"""Pages that more than one module reads, each made once."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.runs import committed, run_file
from bench.runs.committed import ROOT
from bench.show import drawing, version_plots, versions
from tests.bench.content import run_content

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""So that the browser itself asks nobody for anything."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"onload="alert(1)',
    "&amp;&lt;b&gt;",
    "'); alert(1); ('",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 390,
)
"""What a run file may call a subject or a case, and what must come out as just that."""
REVERSED = "before \u202ereversed\u2066 \ud800"
"""What an environment may hold: signs that turn a line around, and half of a character."""


def hostile_content() -> dict[str, Any]:
    """A small run, all of whose names are hostile."""
    content = run_content()
    softmax = content["softmax"]
    for index, record in enumerate(softmax["records"]):
        record["subject"] = HOSTILE[index % len(HOSTILE)]
        record["case"] = HOSTILE[index // len(HOSTILE) % len(HOSTILE)] + str(index)
        record["family"] = HOSTILE[(index + 1) % len(HOSTILE)]
        if index % 5 == 0:
            record |= {"outcome": HOSTILE[index % 4], "message": HOSTILE[(index + 2) % 4]}
    softmax["environment"] |= {"python": REVERSED + HOSTILE[1], "libc": HOSTILE[0], "blas": []}
    softmax["environment"]["simd_disabled"] = [HOSTILE[2]]
    content["machine_info"]["cpu"]["brand_raw"] = HOSTILE[1]
    content["commit_info"]["id"] = HOSTILE[3]
    content["benchmarks"][0]["extra_info"]["subject"] = HOSTILE[1]
    return content


def _page(folder: Path, *arguments: str) -> Path:
    """A page, with one of the pictures by version: they take long."""
    page = folder / "index.html"
    by_version = version_plots.figures
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(version_plots, "figures", lambda shown: _last(by_version(shown)))
        assert main(["page", *arguments, "-o", str(page)]) == 0
    return page


def _last(figures: dict[str, Any]) -> dict[str, Any]:
    return dict([figures.popitem()])


@pytest.fixture(scope="session")
def reference() -> run_file.Run:
    """The committed reference run: to read, not to change."""
    return run_file.load(ROOT / "results" / committed.REFERENCE)


@pytest.fixture(scope="session")
def committed_versions() -> list[run_file.Run]:
    """The committed runs by NumPy version: to read, not to change."""
    return versions.load([ROOT / "results" / committed.VERSIONS])


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is around the figures: files of the right names."""

    def begun(jobs: Sequence[drawing.Job], processes: int | None = None) -> Any:
        names = [[f"{job.name}.{kind}" for kind in job.kinds] for job in jobs]
        return contextlib.nullcontext(iter([dict.fromkeys(some, b"<svg/>") for some in names]))

    monkeypatch.setattr(drawing, "begun", begun)
    monkeypatch.setattr(drawing, "files", None)  # they would be drawn, and nobody would notice


@pytest.fixture(scope="session")
def reference_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the committed reference run."""
    return _page(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def pair_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small runs, the older one without times in one operation."""
    folder = tmp_path_factory.mktemp("runs")
    content = run_content()
    for version in ("1.26.4", "2.10.0"):
        run = copy.deepcopy(content)
        run["softmax"]["environment"]["numpy"] = version
        run["softmax"]["records"][0]["max_ulp"] = 0.25 if version == "1.26.4" else 123.0
        (folder / f"{version}.json").write_text(json.dumps(run))
    return folder


@pytest.fixture(scope="session")
def page_of_pair(pair_of_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a choice of two runs."""
    return _page(tmp_path_factory.mktemp("pair"), str(pair_of_runs))


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two hostile versions: with one alone, no name would stand in a picture."""
    folder = tmp_path_factory.mktemp("hostile")
    content = hostile_content()
    for name, version in (("one.json", "1.26.4"), ("two.json", "2.10.0")):
        content["softmax"]["environment"]["numpy"] = version
        (folder / name).write_text(json.dumps(content))
    return _page(folder, str(folder / "one.json"), str(folder / "two.json"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; where there is none, a reason to skip, and in CI to fail."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("Playwright is not installed (pip install '.[browser]')")
    path = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if path is None:
        _without(f"no browser: none of {', '.join(EXECUTABLES)} is installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=QUIET, timeout=60_000)
        yield started
        started.close()


def _without(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI the page has to be tried")
    pytest.skip(reason)


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; afterwards, nothing went wrong in any, and nothing but files was asked for."""
    contexts, wrong, requests = [], [], []

    def visit(path: Path, address: str = "", **how: Any) -> Any:
        how = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | how
        context = browser.new_context(**how)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)  # a busy machine
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("dialog", lambda dialog: wrong.append(dialog.message))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(path.as_uri() + address)
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []
    assert [
        url for url in requests if not re.match(r"file://.*/index\.html|data:image/png", url)
    ] == []
