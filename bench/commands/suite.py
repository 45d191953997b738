"""suite: `pytest bench` from anywhere."""

from __future__ import annotations

import argparse
from typing import Any

from bench.commands.command import Command
from bench.runs.committed import ROOT, reference_cache


def add(commands: Any) -> None:
    """Everything after the name is pytest's."""
    commands.add_parser(
        "suite",
        help="measure all methods, and --subject NAME beside them (as `pytest bench`)",
        prefix_chars="\0",  # no option is ours
        add_help=False,
    ).add_argument("arguments", nargs="*", metavar="OPTION OF PYTEST")


def run(options: argparse.Namespace) -> int:
    """Run pytest on the installed package, with its own configuration and no cache folder."""
    import pytest

    kept = f"--benchmark-storage=file://{reference_cache().parent / 'benchmarks'}"
    own = ["--import-mode=importlib", "-p", "no:cacheprovider", "-W", "error", kept]
    return int(pytest.main([str(ROOT / "bench"), *own, *options.arguments]))


COMMAND = Command("suite", add, run, "bench", ("mpmath", "pytest", "pytest_benchmark", "rich"))
