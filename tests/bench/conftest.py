"""Pages that more than one module reads, each made once."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.show import page_plots, version_plots
from tests.bench.runs.test_runs import run_content

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
def reference_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the committed reference run, with the plots of fp32: they take long."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page_plots, "FORMATS", ("fp32",))
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
    """A page of two hostile runs: with one alone, no name would stand in a picture."""
    folder = tmp_path_factory.mktemp("hostile")
    content = hostile_content()
    for name in ("one.json", "two.json"):
        (folder / name).write_text(json.dumps(content))
    return _page(folder, str(folder / "one.json"), str(folder / "two.json"))
