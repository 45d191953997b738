"""diff: what got worse from one run to another, and what got better."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.judge import as_run, diff
from bench.runs import gather
from bench.runs.files import RunFileError


def add(commands: Any) -> None:
    """Which runs, what must not happen, and how to say it."""
    compared = commands.add_parser(
        "diff",
        help="compare runs or verdicts: what got worse, what got better",
        description="Compare runs cell by cell, each against the first: errors and bits where the "
        "input was the same, times where the machine was. A time has changed when the "
        f"Mann-Whitney test on the raw rounds says so (p < {diff.SIGNIFICANT:g}), and medians and "
        "fastest rounds both changed by more than --min-effect.",
    )
    compared.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="run files, files of `verdict --save`, or folders of them, oldest first",
    )
    compared.add_argument(
        "--fail-on",
        action="append",
        default=[],
        type=_condition,
        metavar="WHAT",
        help="exit with status 1, and name the cells, when there are any with max_ulp>1.0x or "
        "time>1.25x (any ratio, in place of --min-effect), with more failures (failures) or with "
        "other bits (bits); may be repeated",
    )
    _add_shown(compared)


def _add_shown(compared: argparse.ArgumentParser) -> None:
    compared.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table")
    compared.add_argument(
        "--min-effect",
        type=values.ratio,
        default=diff.MIN_EFFECT,
        metavar="RATIO",
        help=f"smaller changes of time are noise (default: {diff.MIN_EFFECT}; diff two runs of one "
        "NumPy to see what your machine needs)",
    )
    compared.add_argument(
        "--limit",
        type=values.count,
        default=6,
        metavar="N",
        help="cells of a kind to list (default: 6, a screen; 0: all); csv and json have every cell",
    )


def _condition(text: str) -> diff.Condition:
    try:
        return diff.condition(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Print the diffs; on standard error, what a condition says; 1 where one does not hold."""
    from bench.show import diff_tables

    shown = gather.told_apart(gather.load_all(options.files, load=as_run.load))
    if len(shown) < 2:
        raise RunFileError(f"{options.files[0]}: one run alone cannot be compared")
    found = diff.against_first(shown, options.min_effect)
    broken = [
        (one, condition, cells)
        for one in found
        for condition in options.fail_on
        if len(cells := diff.broken(one, condition))
    ]
    print(diff_tables.FORMATS[options.format](found, options.limit))
    if options.format == "csv":
        left_out = [f"not compared: {line}" for one in found for line in one.left_out]
        print("\n".join(left_out), file=sys.stderr)
    for one, condition, cells in broken:
        print("\n".join(diff_tables.complaint(one, condition, cells)), file=sys.stderr)
    return 1 if broken else 0


COMMAND = Command("diff", add, run, "report", ("pandas", "tabulate"))
