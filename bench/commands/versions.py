"""versions: runs of several NumPy versions, oldest first."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.label import add_label
from bench.commands.progress import progress
from bench.runs.committed import COMMITTED, RESULTS, need_committed


def add(commands: Any) -> None:
    """Which runs, and where to."""
    versions = commands.add_parser(
        "versions",
        help="draw largest errors, times and same bits by NumPy version",
        description="Write versions.md and three pictures (PNG, and SVG but in results/): largest "
        "ulp error, time and records with the same bits, by version. Prints how each run differs "
        "from the first.",
    )
    versions.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="run files, or folders of them, oldest first (default: the committed ones)",
    )
    versions.add_argument("-o", "--output", type=Path, default=RESULTS, metavar="DIR")
    add_label(versions)


def run(options: argparse.Namespace) -> None:
    """Draw, and print the table that says most."""
    from bench.show import versions

    need_committed(options.files)
    print(versions.write(options.files, options.output, COMMITTED, progress, options.label))


COMMAND = Command("versions", add, run, "report", ("matplotlib", "pandas", "rich", "tabulate"))
