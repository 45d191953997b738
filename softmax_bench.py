"""pytest's fixture `softmax_verdict`, for whoever has the harness installed.

    def test_softmax(softmax_verdict):
        softmax_verdict(mypkg.ops.softmax, max_ulp=100, no_failures=True)

Imports nothing of the harness before the fixture is asked for, and has a name of its own: many
projects have a folder `bench`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:  # noqa: D103
    parser.getgroup("softmax").addoption(
        "--softmax-save",
        metavar="DIR",
        type=Path,
        help="keep what softmax_verdict found, a file for each call",
    )


def _remove_empty_benchmarks() -> None:
    """pytest-benchmark, which the harness brings along, makes this folder for nothing."""
    with contextlib.suppress(OSError):
        Path(".benchmarks").rmdir()


def _harness() -> tuple[Callable[..., Any], Callable[..., None]]:
    try:
        from bench.api import verdict
        from bench.judge.verdict_file import save
    except ImportError as error:
        import bench

        own = getattr(bench, "__file__", None) or next(iter(bench.__path__))
        pytest.fail(f"{own} hides the harness, a package `bench`, too: {error}", pytrace=False)
    return verdict, save


@pytest.fixture
def softmax_verdict(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Judge a function: softmax_verdict(function, operation=None, **conditions).

    As `bench.verdict`, and the test fails where a condition does not hold: with the verdict's
    sentence, those conditions, and witnesses to paste.
    """
    request.config.add_cleanup(_remove_empty_benchmarks)
    folder: Path | None = request.config.getoption("--softmax-save")
    calls = 0

    def judge(function: Callable[..., Any], operation: str | None = None, **asked: Any) -> Any:
        __tracebackhide__ = True
        verdict, save = _harness()
        nonlocal calls
        calls += 1
        found = verdict(function, operation, **asked)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.-]+", "-", request.node.nodeid).strip("-")
            save(folder / f"{name}-{calls}.json", [found.verdict])
        if not found.holds:
            pytest.fail(f"{found.sentence}\n{found}", pytrace=False)
        return found

    return judge
