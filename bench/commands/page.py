"""page: one HTML file with everything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.label import add_label
from bench.commands.progress import progress, timed
from bench.runs.committed import COMMITTED, RESULTS, need_committed


def add(commands: Any) -> None:
    """Which runs, and where to."""
    made = commands.add_parser(
        "page",
        help="write one HTML file with all tables and plots, to sort, filter and send around",
        description="Write one self-contained HTML file: errors and times to sort and filter, "
        "every plot by operation, format and run, and the worst inputs as Python.",
    )
    made.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="run files, files of `verdict --save`, or folders of them, oldest first (default: the "
        "committed reference run)",
    )
    made.add_argument(
        "-o", "--output", type=Path, default=RESULTS / "index.html", metavar="FILE.html"
    )
    add_label(made)


def run(options: argparse.Namespace) -> None:
    """Write it, and say what is in it."""
    from bench.show import page

    need_committed(options.files)
    with timed("the page"):
        said = page.write(options.files, options.output, COMMITTED, progress, options.label)
        print("wrote", said)


COMMAND = Command(
    "page", add, run, "report", ("jinja2", "matplotlib", "pandas", "rich", "tabulate")
)
