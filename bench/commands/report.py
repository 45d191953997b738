"""report: run files as tables and plots."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.progress import progress
from bench.runs.committed import ROOT


def add(commands: Any) -> None:
    """Which runs, where to, and whether the reference stands beside them."""
    drawn = commands.add_parser(
        "report",
        help="write tables and plots of run files",
        description="Write accuracy.csv.gz, throughput.csv, tables.md and every plot (SVG and PNG) "
        "from run files, with the committed run beside them. Without FILE: draw the committed runs "
        "anew, and write the tables of README.md and docs/.",
    )
    drawn.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="run files, or folders of them"
    )
    drawn.add_argument(
        "-o",
        "--output",
        type=Path,
        default=ROOT / "results",
        metavar="DIR",
        help="write here (default: results, as without FILE)",
    )
    drawn.add_argument(
        "--alone", action="store_true", help="do not draw the committed reference run beside them"
    )


def run(options: argparse.Namespace) -> None:
    """Draw everything, then say what was found and where to look."""
    from bench.show import report

    committed = ROOT / "results"
    lines = report.write(options.files, options.output, committed, options.alone, progress)
    print("\n".join(lines))


COMMAND = Command("report", add, run, "report", ("matplotlib", "pandas", "rich", "tabulate"))
