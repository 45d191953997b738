"""report: run files as tables and plots."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.label import add_label
from bench.commands.progress import progress, timed
from bench.runs.committed import COMMITTED, RESULTS, need_committed


def add(commands: Any) -> None:
    """Which runs, where to, and whether the reference stands beside them."""
    drawn = commands.add_parser(
        "report",
        help="write tables and plots of run files",
        description="Write accuracy.csv.gz, throughput.csv, tables.md and every plot (PNG, and "
        "SVG where it is committed or asked for) from run files, with the committed run beside "
        "them. Without FILE: draw the committed runs anew, and write the tables of README.md and "
        "docs/.",
    )
    drawn.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="run files, or folders of them"
    )
    drawn.add_argument(
        "-o",
        "--output",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="write here (default: results, as without FILE)",
    )
    drawn.add_argument(
        "--alone", action="store_true", help="do not draw the committed reference run beside them"
    )
    drawn.add_argument("--svg", action="store_true", help="write each plot as SVG, too")
    drawn.add_argument(
        "--maps",
        action="store_true",
        help="draw maps of the errors of every case, too; `page` shows them without",
    )
    add_label(drawn)


def run(options: argparse.Namespace) -> None:
    """Draw everything, then say what was found and where to look."""
    from bench.show import report

    need_committed(options.files)
    wanted = report.Wanted(options.alone, options.svg, options.maps, options.label)
    with timed("the report"):
        lines = report.write(options.files, options.output, COMMITTED, wanted, progress)
        print("\n".join(lines))


COMMAND = Command("report", add, run, "report", ("matplotlib", "pandas", "rich", "tabulate"))
