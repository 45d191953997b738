"""suspects: how surely the verdict tells formulas, of functions whose formula is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.progress import progress
from bench.runs.files import check_writable, to_json, write_all


def add(commands: Any) -> None:
    """Its name, and where to keep what was found."""
    asked = commands.add_parser(
        "suspects",
        help="how surely a verdict tells formulas: our methods, and the libraries installed",
        description="Names the formula behind each operation of our methods and of the libraries "
        "that are installed, as a verdict does, and compares the names with what their sources "
        "say. A table; with -o FILE.json the figures. The exit status is 1 if a name is wrong.",
    )
    asked.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="keep it")


def run(options: argparse.Namespace) -> int:
    """Measure, keep, print; 1 for a wrong name."""
    from bench.judge.suspects import rates
    from bench.measure import confidence
    from bench.show import suspects_tables
    from numerics import FORMATS, OPERATIONS

    output: Path | None = options.output
    if output:
        check_writable(output)
    subjects, versions = confidence.subjects(None)
    parts = progress(rates.measure(subjects), len(FORMATS) * len(OPERATIONS), "formulas")
    found = [one for part in parts for one in part]
    if output:
        write_all({output: to_json(rates.content(found, versions))})
    print(suspects_tables.table(found))
    print(suspects_tables.summary(found))
    return 1 if any(one.wrong for one in found) else 0


COMMAND = Command("suspects", add, run, "report", ("mpmath", "rich", "tabulate"))
