"""Pages as the tests read them."""

from __future__ import annotations

import functools
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from bench.show import witness_script


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1] if self.found else ("", {})
        if tag == "script" and attributes.get("id") == "data":
            self.data += data
        self.words.append(data)


@functools.cache
def read(path: Path) -> Elements:
    return Elements(path.read_text(encoding="utf-8"))


def errors_of(shown: dict[str, Any], run: int) -> dict[str, Any]:
    """The columns of a run's errors, which runs share."""
    return {name: shown["columns"][at] for name, at in shown["runs"][run]["errors"].items()}


def decoded(shown: dict[str, Any]) -> list[witness_script.Script]:
    """The scripts of a page, as its own script puts them together."""
    runs = range(len(shown["runs"]))
    kept = [shown["lists"][at] for run in runs for at in errors_of(shown, run)["worst"]]
    texts = shown["texts"]
    return [
        witness_script.Script(*(texts[place] for place in worst[4:]))
        for worst in kept
        if not isinstance(worst, int)
    ]


def choose(tab: Any, name: str, label: str) -> None:
    tab.locator(f'select[name="{name}"]').select_option(label=label)


def drawn(tab: Any) -> dict[str, str]:
    """The title of each plot that is shown, or what stands in its place."""
    script = """all => all.map(one => [one.dataset.kind,
                (one.querySelector('svg title, .nothing') ?? one).textContent])"""
    return dict(tab.locator("figure[data-kind]").evaluate_all(script))
