"""compare: run the lab."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.runs.committed import README, RESULTS


def add(commands: Any) -> None:
    """Where results go, and whether README is filled."""
    lab = commands.add_parser(
        "compare",
        help="run the lab: naive against stable on its cases",
        description="Gives the lab's eight rows to naive and stable, and writes results.json, "
        "manifest.json, softmax_break.png, and the lab's tables in README.md.",
    )
    lab.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="write here, and nothing elsewhere (default: results, and the tables in README.md)",
    )
    lab.add_argument(
        "--readme",
        nargs="?",
        type=Path,
        const=README,
        metavar="FILE",
        help="fill the lab's tables in this file, too (README.md if none is named)",
    )


def run(options: argparse.Namespace) -> None:
    """Run it, write everything, and say what was written."""
    from bench.lab import results

    readme = options.readme
    if options.output is None and readme is None:
        readme = README
    for path in results.write(options.output or RESULTS, readme):
        print(f"wrote {path}")


COMMAND = Command(
    "compare", add, run, "report", ("matplotlib", "mpmath", "pytest_benchmark", "tabulate")
)
