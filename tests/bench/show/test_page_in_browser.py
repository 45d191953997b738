"""page, in a real browser: it can be used, by keys alone too, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bench.runs import run_file
from bench.show.markdown import TITLES
from tests.bench.show.pages import choose, decoded, drawn, read


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
    assert set(column(tab, "errors", "operation")) == set(TITLES.values())
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
