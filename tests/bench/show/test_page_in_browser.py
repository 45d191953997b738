"""page, in a real browser: it can be used, by keys alone too, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.runs import run_file
from bench.show.markdown import TITLES, figure
from numerics import ALL_FORMATS, OPERATIONS
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


def test_methods_to_take_sort_by_any_need(opened: Any, reference_page: Path) -> None:
    tab = opened(reference_page)

    def times() -> list[float]:
        shown = column(tab, "choice", "within 1 ulp")
        return [number(text.split()[1]) for text in shown]

    head = tab.get_by_role("button", name="sort methods by within 1 ulp")
    for direction in ("ascending", "descending"):
        head.click()
        assert tab.locator("#choice th", has=head).get_attribute("aria-sort") == direction
        assert times() == sorted(times(), reverse=direction == "descending")
    assert len(times()) == 60  # five operations, four formats, three lengths
    tab.get_by_role("button", name="sort methods by format").click()
    formats = column(tab, "choice", "format")
    assert formats == sorted(formats, key=list(ALL_FORMATS).index)


def test_tables_filter(opened: Any, reference_page: Path, reference: run_file.Run) -> None:
    tab = opened(reference_page)
    run = reference.accuracy
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
    assert set(column(tab, "errors", "format")) == {"fp16", "bf16", "fp32", "fp64"}
    assert set(column(tab, "errors", "operation")) == {TITLES[name] for name in run["operation"]}
    tab.get_by_label("Filter").fill("no such thing")
    assert "Nothing matches." in tab.locator("#errors tbody").inner_text()


def test_ratios_are_to_the_chosen_subject(
    opened: Any, reference_page: Path, reference: run_file.Run
) -> None:
    tab = opened(reference_page, "#filter=fast&versus=fast")
    assert set(column(tab, "speed", "ratio to fast")) == {"1"}
    choose(tab, "versus", "scipy")
    ratios = [number(text) for text in column(tab, "speed", "ratio to scipy")]
    table = reference.throughput
    shown = table[(table["operation"] == "softmax") & (table["format"] == "fp32")]
    times = shown.pivot_table(index="columns", columns="subject", values="ns_per_element")
    assert sorted(ratios) == pytest.approx(sorted(times["fast"] / times["scipy"]), rel=0.006)
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
    sizes = tab.locator("figure[data-kind] .plot > svg").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert all(size > 100 for size in sizes)


def test_the_switch_changes_the_run(opened: Any, page_of_pair: Path) -> None:
    tab = opened(page_of_pair, "#filter=small+magnitudes&format=fp16")
    assert tab.locator("select[name=run] option").all_inner_texts() == [
        "NumPy 2.10.0",
        "NumPy 1.26.4",
    ]
    assert column(tab, "errors", "largest, ulp") == ["123"]  # the last run stands first
    assert tab.locator(".headline:visible h3").inner_text() == "NumPy 2.10.0"
    choose(tab, "run", "NumPy 1.26.4")
    assert column(tab, "errors", "largest, ulp") == ["0.25"]
    assert tab.locator(".headline:visible h3").inner_text() == "NumPy 1.26.4"
    assert all(t.endswith(("NumPy 1.26.4", "or filtered out.")) for t in drawn(tab).values())
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


def headline(tab: Any) -> list[list[str]]:
    found: list[list[str]] = tab.locator(".headline:visible tbody tr").evaluate_all(
        "all => all.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return found


def test_a_filter_that_leaves_everything_leaves_the_headline(
    opened: Any, reference_page: Path
) -> None:
    """What the browser finds in all records is what Python found in them."""
    tab = opened(reference_page)
    written = headline(tab)
    tab.get_by_label("Filter").fill("f")
    assert tab.locator(".headline:visible tbody tr").count() == len(written)
    for ours, theirs in zip(written, headline(tab), strict=True):
        assert [cell.replace("not offered", "–").replace("-", "–") for cell in ours[2:]] == [
            cell.replace("-", "–") for cell in theirs[2:]
        ]
        assert ours[:2] == theirs[:2]
    tab.get_by_label("Filter").fill("")
    assert headline(tab) == written


def test_filters_move_the_headline_and_the_plots(
    opened: Any, reference_page: Path, reference: run_file.Run
) -> None:
    tab = opened(reference_page)
    run = reference.accuracy
    tab.get_by_label("Filter").fill("confident stable")
    chosen = run[run["case"].str.contains("confident") & (run["subject"] == "stable")]
    lines = {line[1]: line for line in headline(tab)}
    assert set(lines) == set(chosen["format"])
    for format_name, cells in lines.items():
        mine = chosen[(chosen["format"] == format_name) & (chosen["operation"] == "log_softmax")]
        assert cells[2 + len(OPERATIONS)] == figure(mine["max_ulp"].max())
    assert tab.locator("#headline .basis").inner_text() == "the chosen cases"
    assert tab.locator(".legend li:visible").all_inner_texts() == ["stable"]
    for kind in ("error-against-time", "time-against-k", "errors-against-bounds"):
        titles = tab.locator(f'[data-kind="{kind}"] svg path > title').all_text_contents()
        titles += tab.locator(f'[data-kind="{kind}"] svg circle > title').all_text_contents()
        assert set(titles) == {"stable"}, kind
    assert drawn(tab)["error-against-k"].endswith("or filtered out.")
    tab.get_by_label("Filter").fill("")
    tab.get_by_label("Family").select_option("adversarial")
    mine = run[(run["operation"] == "softmax") & (run["format"] == "fp32")]
    claimed = mine[(mine["family"] == "adversarial") & (mine["claim_claimed"] > 0)]
    points = tab.locator('[data-kind="errors-against-bounds"] svg circle')
    assert points.count() == (claimed["claim_bound_ulp"] > 0).sum()
    assert "adversarial cases" in tab.locator('[data-kind="survival"] figcaption').inner_text()


READ_OFF = """() => {
    const all = (of) => [...document.querySelectorAll(`[data-kind="error-against-time"] ${of}`)];
    const isTick = (one) => /^[0-9.]+(e-?[0-9]+|[kMGT])?$/.test(one.textContent);
    const ticks = all('.words text').filter(isTick);
    const ends = (anchor, name) => ticks.filter((one) => one.getAttribute('text-anchor') === anchor)
        .map((one) => [one.textContent, Number(one.getAttribute(name))]);
    const dot = ['cx', 'cy'].map((name) => Number(all('circle').at(-1).getAttribute(name)));
    return { x: ends('middle', 'x'), y: ends('end', 'y'), dot };
}"""
"""The ticks of a plot with their places, and the place of its last dot."""


def test_points_stand_where_their_figures_are(
    opened: Any, reference_page: Path, reference: run_file.Run
) -> None:
    """The largest error and its time, read off the axes, are those of the reference."""
    tab = opened(reference_page, "#filter=two_pass")
    read_off = tab.evaluate(READ_OFF)

    def value(ticks: list[Any], place: float) -> float:
        (low, at), (high, to) = ((number(text), where) for text, where in (ticks[0], ticks[-1]))
        return float(low * (high / low) ** ((place - at) / (to - at)))

    times, errors = reference.throughput, reference.accuracy
    time = times[(times["subject"] == "two_pass") & (times["operation"] == "softmax")]
    time = time[(time["format"] == "fp32") & (time["columns"] == 600)]["ns_per_element"].median()
    error = errors[(errors["subject"] == "two_pass") & (errors["operation"] == "softmax")]
    error = error[(error["format"] == "fp32") & (error["family"] == "random")]["max_ulp"].max()
    assert value(read_off["x"], read_off["dot"][0]) == pytest.approx(time, rel=0.02)
    assert value([(t, y - 3.5) for t, y in read_off["y"]], read_off["dot"][1]) == pytest.approx(
        error, rel=0.03
    )


@pytest.mark.parametrize("format_name", ALL_FORMATS)
def test_ticks_are_all_along_the_scale(opened: Any, reference_page: Path, format_name: str) -> None:
    """Of one or two decades, too, whose round numbers would crowd at the upper end."""
    tab = opened(reference_page, f"#format={format_name}")
    ticks = [place for _, place in tab.evaluate(READ_OFF)["x"]]
    dots = tab.locator('[data-kind="error-against-time"] svg circle').evaluate_all(
        "all => all.map((one) => Number(one.getAttribute('cx')))"
    )
    assert max(ticks) - min(ticks) > 0.5 * (max(dots) - min(dots))
