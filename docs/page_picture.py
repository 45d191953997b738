"""Draw docs/page.png: the map of errors of the page of the committed run, in a real browser.

Needs `pip install -e '.[report,browser]'` and Chromium: `python docs/page_picture.py`.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.runs import run_file  # noqa: E402 - found there
from bench.runs.committed import REFERENCE  # noqa: E402
from bench.show import page, plots  # noqa: E402
from bench.show.style import with_palette  # noqa: E402


def photographed(path: Path) -> bytes:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport={"width": 1200, "height": 760}, reduced_motion="reduce")
        tab.goto(path.as_uri())
        tab.locator("#map").evaluate("section => section.scrollIntoView()")
        picture: bytes = tab.screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    committed = ROOT / "results"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.html"
        page.write([], path, committed, lambda plots, count: plots)
        picture = photographed(path)
    source = f"runs {plots.source([run_file.load(committed / REFERENCE)])}"
    (ROOT / "docs" / "page.png").write_bytes(with_palette(io.BytesIO(picture), source))
