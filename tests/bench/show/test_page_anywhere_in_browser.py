"""page, in a real browser: on a phone, in the dark, by its address, with no script."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.show.markdown import figure, ratio
from tests.bench.content import run_content
from tests.bench.show.conftest import HOSTILE
from tests.bench.show.pages import choose, drawn


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


FIGURES = [
    *(0, 0.5, 1e-3, 9.99e-4, 999.4, 999.6, 1e3, 99_940, 999_499, 999_600, 15.6e6, 2e12),
    *(9.99e14, 2e30, 5.88e-38, 123.45, 1.7e308),
]


def test_figures_read_as_in_a_report(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair)
    shown = tab.evaluate(f"{FIGURES}.map(figure)")
    assert shown == [figure(float(value)) for value in FIGURES]
    ratios = [0.5, 0.9995, 0.99971, 1.0, 1.3]
    assert tab.evaluate(f"{ratios}.map(ratio)") == list(map(ratio, ratios))


def test_hexadecimal_numbers_read_as_decimals(opened: Any, page_of_pair: Path) -> None:
    hexes = [0.1, -42.5, 5e-324, 1.7976931348623157e308, 0.0, float("inf"), float("nan")]
    texts = [value.hex() for value in hexes]
    shown = opened(page_of_pair).evaluate(f"{texts}.map(decimal)")
    decimals = [text.partition(" ")[0] for text in shown]
    assert decimals[-2:] == ["inf", "nan"]
    read = [float(text) for text in decimals[:-2]]
    assert read == [float(f"{value:.8g}") for value in hexes[:-2]]
