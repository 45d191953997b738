"""suite: `pytest bench` from anywhere."""

from __future__ import annotations

import argparse
from typing import Any

from bench.commands.command import Command
from bench.runs.committed import ROOT, reference_cache


def add(commands: Any) -> None:
    """Everything after the name is pytest's."""
    measured = commands.add_parser(
        "suite",
        help="measure all methods, and --subject NAME beside them (as `pytest bench`)",
        description="Measures every method on every case, and other subjects beside them. All "
        "options are pytest's, and those of this suite: --effort, --subject, --benchmark-json, "
        "--accuracy-json, --reference-cache (`pytest --help` in a checkout of this project).",
        prefix_chars="\0",  # no option is ours
        add_help=False,
    )
    measured.add_argument("arguments", nargs="*", metavar="OPTION OF PYTEST")
    measured.set_defaults(parser=measured)


def run(options: argparse.Namespace) -> int:
    """Run pytest on the installed package, with its own configuration and no cache folder."""
    if {"-h", "--help"} & set(options.arguments):
        options.parser.print_help()
        options.parser.exit()
    import pytest

    kept = f"--benchmark-storage=file://{reference_cache().parent / 'benchmarks'}"
    own = ["--import-mode=importlib", "-p", "no:cacheprovider", "-W", "error", kept]
    return int(pytest.main([str(ROOT / "bench"), *own, *options.arguments]))


COMMAND = Command("suite", add, run, "bench", ("mpmath", "pytest", "pytest_benchmark", "rich"))
