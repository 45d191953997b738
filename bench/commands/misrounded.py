"""misrounded: count what is not the nearest number."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.runs.files import check_writable, to_json, write_whole


def add(commands: Any) -> None:
    """How many rows, which ones, and where to keep what was found."""
    counted = commands.add_parser(
        "misrounded",
        help="count the results of exact, and of SciPy, that are not the nearest number",
        description="Draws fresh rows, judges every output against mpmath, and times exact beside "
        "SciPy in interleaved rounds. A million rows of each format take about ten minutes.",
    )
    counted.add_argument(
        "--rows",
        type=values.positive,
        default=1_000_000,
        metavar="N",
        help="of a format; default: a million",
    )
    counted.add_argument(
        "--seed", type=values.count, metavar="N", help="default: a new one, which is shown"
    )
    counted.add_argument(
        "--rounds", type=values.positive, default=9, metavar="N", help="of timing; default: 9"
    )
    counted.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="keep it all")


def run(options: argparse.Namespace) -> int:
    """Measure, keep, print counts and times; 1 where a result of `exact` is not the nearest."""
    import secrets

    from bench.measure import misrounded
    from bench.show import misrounded_tables

    if options.output:
        check_writable(options.output)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    found, cells = misrounded.measure(options.rows, seed, options.rounds, progress)
    if options.output:
        write_whole(options.output, to_json(misrounded.content(found, cells, seed)))
    print(misrounded_tables.counts_table(found), misrounded_tables.times_table(cells), sep="\n\n")
    print(*found.witnesses, sep="\n")
    return 1 if found.witnesses else 0


COMMAND = Command("misrounded", add, run, "report", ("mpmath", "rich", "tabulate"))
