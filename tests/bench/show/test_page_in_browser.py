"""page, in a real browser: it can be used, by keys alone too, and asks nobody for anything."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.runs import run_file
from bench.show import tables
from tests.bench.conftest import HOSTILE
from tests.bench.runs.test_runs import run_content
from tests.bench.show.test_page import decoded, read

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
        tab.set_default_timeout(10_000)
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


def column(tab: Any, section: str, head: str) -> list[str]:
    heads = tab.locator(f"#{section} thead th").all_inner_texts()
    (place,) = [i for i, text in enumerate(heads) if text.strip() == head]
    cells = tab.locator(f"#{section} tbody tr > :nth-child({place + 1})")
    found: list[str] = cells.evaluate_all("all => all.map(one => one.textContent)")
    return found


def number(text: str) -> float:
    for suffix, factor in (("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)):
        if text.endswith(suffix):
            return float(text[:-1]) * factor
    return float(text.replace(",", ""))


def choose(tab: Any, name: str, label: str) -> None:
    tab.locator(f'select[name="{name}"]').select_option(label=label)


def test_tables_sort_by_click_and_by_key(opened: Any, reference_page: Path) -> None:
    tab = opened(reference_page)
    head = tab.get_by_role("button", name="measured / bound")
    head.click()
    cell = tab.locator("#errors th", has=head)
    assert cell.get_attribute("aria-sort") == "descending"
    shown = column(tab, "errors", "measured / bound")
    figures = [number(text.lstrip(">")) for text in shown if text != "–"]
    assert figures == sorted(figures, reverse=True)
    assert len(figures) == len(shown) == 250  # what is missing comes last, not first
    tab.keyboard.press("Enter")  # the head has kept the focus
    assert cell.get_attribute("aria-sort") == "ascending"
    figures = [number(text) for text in column(tab, "errors", "measured / bound") if text != "–"]
    assert figures == sorted(figures)
    assert figures[0] == 0
    tab.locator("#errors .more").click()
    tab.locator("#errors .more").click()
    shown = column(tab, "errors", "measured / bound")
    assert len(shown) > 500
    assert shown[-1] == "–"
    assert tab.locator("#errors .more").is_hidden()


def test_tables_filter(opened: Any, reference_page: Path) -> None:
    tab = opened(reference_page)
    run = run_file.load(Path("results/runs/reference.json.xz")).accuracy
    tab.get_by_label("Filter").fill("stable NORMAL")
    tab.get_by_label("Family").select_option("random")
    expected = run[
        (run["subject"] == "stable")
        & (run["operation"] == "softmax")
        & (run["format"] == "fp32")
        & (run["family"] == "random")
        & run["case"].str.contains("normal")
    ]
    assert set(column(tab, "errors", "case")) == set(expected["case"])
    count = f"{len(expected)} of {len(expected)} chosen, {len(run):,} in this run"
    assert tab.locator("#errors .count").inner_text() == count
    assert tab.locator(".map tbody tr:not(.family)").count() == len(expected)
    tab.get_by_label("tables: every operation and format").check()
    assert set(column(tab, "errors", "format")) == {"fp16", "fp32", "fp64"}
    assert set(column(tab, "errors", "operation")) == set(tables.TITLES.values())
    tab.get_by_label("Filter").fill("no such thing")
    assert "Nothing matches." in tab.locator("#errors tbody").inner_text()


def test_ratios_are_to_the_chosen_subject(opened: Any, reference_page: Path) -> None:
    tab = opened(reference_page, "#filter=fast&versus=fast")
    assert set(column(tab, "speed", "ratio to fast")) == {"1"}
    choose(tab, "versus", "scipy")
    ratios = [number(text) for text in column(tab, "speed", "ratio to scipy")]
    assert ratios
    assert all(0 < ratio < 1 for ratio in ratios)
    tab.get_by_role("button", name="K", exact=True).click()
    lengths = [number(text) for text in column(tab, "speed", "K")]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 3


def drawn(tab: Any) -> dict[str, str]:
    """The title of each plot that is shown, or what stands in its place."""
    script = """all => all.map(one => [one.dataset.kind,
                (one.querySelector('svg title, .nothing') ?? one).textContent])"""
    return dict(tab.locator("figure[data-kind]").evaluate_all(script))


def test_the_switch_changes_plots_and_tables(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair)
    before = drawn(tab)
    assert before["errors-against-bounds"] == "Errors against bounds: softmax, fp32, NumPy 2.10.0"
    assert before["time-against-k"] == "Time against K: softmax, fp32, NumPy 2.10.0"
    cells = tab.locator(".map").inner_text()
    choose(tab, "operation", "log-sum-exp")
    choose(tab, "format", "fp16")
    after = drawn(tab)
    assert after["errors-against-bounds"].endswith("log-sum-exp, fp16, NumPy 2.10.0")
    assert after["time-against-k"].startswith("Not measured")
    assert tab.locator(".map").inner_text() != cells
    assert "log-sum-exp, fp16" in tab.locator("#errors .chosen").inner_text()
    sizes = tab.locator("figure[data-kind] svg").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert all(size > 100 for size in sizes)


def test_the_switch_changes_the_run(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair, "#filter=small+magnitudes&format=fp16")
    assert tab.locator("select[name=run] option").all_inner_texts() == [
        "NumPy 1.26.4",
        "NumPy 2.10.0",
    ]
    assert column(tab, "errors", "largest, ulp") == ["123"]  # the last run is shown first
    assert tab.locator(".headline:visible h3").inner_text() == "NumPy 2.10.0"
    choose(tab, "run", "NumPy 1.26.4")
    assert column(tab, "errors", "largest, ulp") == ["0.25"]
    assert tab.locator(".headline:visible h3").inner_text() == "NumPy 1.26.4"
    assert all(t.endswith(("NumPy 1.26.4", "and format.")) for t in drawn(tab).values())
    assert tab.locator("#versions svg").count() == 1


def test_the_worst_input_opens_and_closes_by_keys_alone(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair)
    in_map = "document.activeElement.matches('.map td button')"
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate(in_map):
            break
    assert tab.evaluate(in_map)
    first = tab.evaluate("document.activeElement.ariaLabel")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp"):
        tab.keyboard.press(key)
    label = tab.evaluate("document.activeElement.ariaLabel")
    assert first.endswith("stable, softmax, fp32, small magnitudes")
    assert label.endswith("stable, softmax, fp32, mixed magnitudes")
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    assert dialog.is_visible()
    assert dialog.get_by_role("heading").inner_text() == "stable, softmax, fp32"
    words = dialog.inner_text()
    assert "mixed magnitudes" in words
    assert "float.fromhex" in words
    assert 'numerics.METHODS["stable"].softmax(x)' in words
    tab.keyboard.press("Escape")
    assert dialog.is_hidden()
    assert tab.evaluate("document.activeElement.ariaLabel") == label


def test_scripts_are_those_that_python_tries(opened: Any, page_of_pair: Path) -> None:
    """The texts that tests/bench/show/test_page.py runs, copied from the page."""
    expected = {script.text() for script in decoded(json.loads(read(page_of_pair).data))}
    tab = opened(page_of_pair, "#every=1&run=1", permissions=["clipboard-read", "clipboard-write"])
    buttons = tab.locator("#errors td button")
    for place in (0, 7, 20):
        buttons.nth(place).click()
        tab.get_by_role("button", name="Copy as Python").click()
        tab.get_by_text("Copied.").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()") in expected
        tab.get_by_role("button", name="Close").click()


def test_copying_works_where_a_file_may_not(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair)
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.locator(".map td button").first.click()
    tab.get_by_role("button", name="Copy as Python").click()
    tab.get_by_text(re.compile("Copied|Selected")).wait_for()
    assert tab.evaluate("getSelection().toString()").startswith("import numpy as np")


def test_the_address_restores_what_was_shown(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair)
    choose(tab, "operation", "cross-entropy")
    choose(tab, "format", "fp64")
    tab.get_by_label("Filter").fill("mixed & long, 100%")
    tab.get_by_label("Filter").fill("mixed")
    tab.get_by_role("button", name="mean, ulp").click()
    address = tab.evaluate("location.hash")
    again = opened(page_of_pair, address)
    assert again.locator("main").inner_text() == tab.locator("main").inner_text()
    assert again.get_by_label("Filter").input_value() == "mixed"
    again.evaluate("location.hash = '#operation=softmax&format=fp16'")
    again.get_by_text("softmax, fp16").first.wait_for()
    assert again.get_by_label("Filter").input_value() == ""


@pytest.mark.parametrize(
    "address",
    [
        "#run=99&operation=__proto__&format=&errors=constructor.up",
        "#%E0%A4%A&filter=%00<b>",
        "#errors",
    ],
)
def test_an_address_of_nonsense_shows_what_is_usual(
    opened: Any, page_of_pair: Path, address: str
) -> None:
    tab = opened(page_of_pair, address)
    assert "softmax, fp32, NumPy 2.10.0" in tab.locator("#map .chosen").inner_text()


def test_links_lead_to_sections_and_keep_the_address(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair, "#format=fp64")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "headline-title"
    tab.get_by_role("link", name="Times").click()
    assert tab.evaluate("document.activeElement.id") == "speed-title"
    assert tab.evaluate("location.hash") == "#format=fp64"


def test_a_run_of_nothing_makes_an_empty_page(opened: Any, tmp_path: Path) -> None:
    content = run_content()
    content["softmax"] |= {"records": [], "invariance": []}
    content["benchmarks"] = []
    (tmp_path / "run.json").write_text(json.dumps(content))
    path = tmp_path / "index.html"
    assert main(["page", str(tmp_path / "run.json"), "-o", str(path)]) == 0
    tab = opened(path)
    for section in ("errors", "speed"):
        assert "Nothing matches." in tab.locator(f"#{section} tbody").inner_text()
    assert drawn(tab) == {}


def test_hostile_texts_do_nothing(opened: Any, hostile_page: Path) -> None:
    tab = opened(hostile_page, "#every=1")
    names = tab.locator(".legend li").all_inner_texts()
    assert set(HOSTILE) <= set(names)
    for name in HOSTILE[:3]:
        tab.get_by_label("Filter").fill(name)
        assert name in tab.locator("#errors tbody").inner_text()
        tab.locator("#errors td button").first.click()
        assert name in tab.get_by_role("dialog").inner_text()
        tab.keyboard.press("Escape")
    elements = "document.querySelectorAll('main b, img, main script, [onload], [onerror]').length"
    assert tab.evaluate(elements) == 0
    assert tab.evaluate("document.scripts.length") == 2


BEYOND = """[...document.querySelectorAll('body *')].filter(one =>
    !one.closest('.scroll, .skip, svg') && one.getBoundingClientRect().right > innerWidth + 0.5
).map(one => one.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("name", ["reference_page", "hostile_page"])
def test_a_phone_scrolls_down_only(opened: Any, request: pytest.FixtureRequest, name: str) -> None:
    tab = opened(request.getfixturevalue(name), viewport={"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.evaluate(BEYOND) == []
    tab.locator(".map td button").first.click()
    assert tab.evaluate(BEYOND) == []
    assert tab.evaluate("document.querySelector('dialog').scrollWidth") <= 390


def test_a_dark_page_is_dark(opened: Any, page_of_pair: Path) -> None:
    def colours(scheme: str) -> list[list[int]]:
        tab = opened(page_of_pair, color_scheme=scheme)
        script = """[getComputedStyle(document.body).backgroundColor,
                     getComputedStyle(document.querySelector('.plot svg text')).fill]"""
        found = tab.evaluate(script)
        return [[int(part) for part in re.findall(r"\d+", colour)] for colour in found]

    (light, ink), (dark, letters) = colours("light"), colours("dark")
    assert min(*light, *letters) > 200
    assert max(*dark, *ink) < 60


def test_the_headline_needs_no_script(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair, java_script_enabled=False)
    assert tab.locator("noscript .note").is_visible()
    assert "stable" in tab.locator("#headline").inner_text()
    assert tab.locator("#controls").is_hidden()
    assert tab.locator("#errors").is_hidden()


def test_figures_read_as_in_a_report(opened: Any, page_of_pair: Path) -> None:
    values = [
        0,
        0.5,
        1e-3,
        9.99e-4,
        999.4,
        999.6,
        1e3,
        99_940,
        999_499,
        999_600,
        15.6e6,
        2e12,
        9.99e14,
        2e30,
        5.88e-38,
        123.45,
        1.7e308,
    ]
    tab = opened(page_of_pair)
    shown = tab.evaluate(f"{values}.map(figure)")
    assert shown == [tables.figure(float(value)) for value in values]
    ratios = [0.5, 0.9995, 0.99971, 1.0, 1.3]
    assert tab.evaluate(f"{ratios}.map(ratio)") == list(map(tables.ratio, ratios))
    hexes = [0.1, -42.5, 5e-324, 1.7976931348623157e308, 0.0, float("inf"), float("nan")]
    texts = [value.hex() for value in hexes]
    decimals = [text.partition(" ")[0] for text in tab.evaluate(f"{texts}.map(decimal)")]
    assert decimals[-2:] == ["inf", "nan"]
    assert [float(text) for text in decimals[:-2]] == [
        float(f"{value:.8g}") for value in hexes[:-2]
    ]
