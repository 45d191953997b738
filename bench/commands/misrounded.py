"""misrounded: count what is not the nearest number."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.inputs.formats import USUAL
from bench.runs.files import check_writable, to_json, write_whole
from numerics import ALL_FORMATS


def add(commands: Any) -> None:
    """How many rows, which ones, and where to keep what was found."""
    counted = commands.add_parser(
        "misrounded",
        help="count the results of exact, and of SciPy, that are not the nearest number",
        description="Draws random rows, and rows built to be hard: results next to a midpoint of "
        "two floating-point numbers or to a power of two, logits at thresholds of the code, sums "
        "that cancel. Compares every result with mpmath, and times exact beside SciPy. Takes about "
        "half an hour; the exit status is 1 when a result of exact is not the nearest number.",
    )
    counted.add_argument(
        "--rows",
        type=values.positive,
        default=1_000_000,
        metavar="N",
        help="random rows of each format (default: a million)",
    )
    counted.add_argument(
        "--directed",
        type=values.positive,
        default=90_000,
        metavar="N",
        help="hard rows of each format (default: 90,000, which have a million results)",
    )
    counted.add_argument(
        "--formats",
        type=values.names(tuple(ALL_FORMATS)),
        default=USUAL,
        metavar="NAME,…",
        help=f"some of {', '.join(ALL_FORMATS)} (default: all but bf16)",
    )
    counted.add_argument(
        "--seed",
        type=values.count,
        metavar="N",
        help="of the random numbers (default: a new one, which is printed)",
    )
    counted.add_argument(
        "--rounds", type=values.positive, default=9, metavar="N", help="of timing (default: 9)"
    )
    counted.add_argument(
        "-o", "--output", type=Path, metavar="FILE.json", help="keep counts and times"
    )


def run(options: argparse.Namespace) -> int:
    """Measure, keep, print counts and times; 1 where a result of `exact` is not the nearest."""
    import secrets

    from bench.measure import misrounded
    from bench.show import misrounded_tables

    if options.output:
        check_writable(options.output)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    rows = {"fresh": options.rows, "directed": options.directed}
    found, cells = misrounded.measure(rows, seed, options.rounds, options.formats, progress)
    if options.output:
        write_whole(options.output, to_json(misrounded.content(found, cells, seed)))
    for kind, counted in found.items():
        print(f"{kind} rows", misrounded_tables.counts_table(counted), sep="\n\n", end="\n\n")
    print(misrounded_tables.times_table(cells))
    witnesses = [witness for counted in found.values() for witness in counted.witnesses]
    print(*witnesses, sep="\n")
    return 1 if witnesses else 0


COMMAND = Command("misrounded", add, run, "report", ("mpmath", "rich", "tabulate"))
