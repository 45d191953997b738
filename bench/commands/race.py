"""race: `fast` against other libraries, in time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.measure import race, race_details
from bench.measure.timing import Cell
from bench.runs.files import check_writable, to_json, write_whole
from bench.subjects.peers.peer import Peer


def add(commands: Any) -> None:
    """Sizes, rounds, and where to keep it."""
    raced = commands.add_parser(
        "race",
        help="time fast against other libraries, in interleaved rounds",
        description="Times softmax at each size, log-softmax and log-sum-exp at the first, beside "
        f"a bare np.exp and those of {', '.join(race.RIVALS)} that are installed: in one process, "
        "on one thread, each in turn within a round. Prints median times, and medians of the "
        "ratios of two times of one round.",
    )
    raced.add_argument(
        "--mebibytes",
        nargs="+",
        type=values.positive,
        default=[2, 256],
        metavar="N",
        help="sizes of the arrays (default: 2 256)",
    )
    raced.add_argument(
        "--rounds", type=values.positive, default=15, metavar="N", help="how many (default: 15)"
    )
    kept = "keep the times of all rounds, and measure the other tables of docs/fast.md, too"
    raced.add_argument("-o", "--output", type=Path, metavar="FILE.json", help=kept)


def run(options: argparse.Namespace) -> None:
    """Race, keep, print two tables and who was left out."""
    from bench.show import race_tables

    found, missing = race.available()
    if options.output:
        check_writable(options.output)
    wanted = race.cells(options.mebibytes)
    measured = list(progress(race.run(wanted, found, options.rounds), len(wanted), "racing"))
    if options.output:
        write_whole(options.output, to_json(_content(measured, found, options.rounds)))
    print(race_tables.softmax(measured), race_tables.logarithms(measured), sep="\n\n")
    print("\nleft out:", "; ".join(missing) or "nothing")


def _content(measured: Sequence[Cell], found: dict[str, Peer], rounds: int) -> dict[str, Any]:
    """All rounds, and what docs/fast.md shows besides, which is measured now."""
    cells = race_details.SAMPLED_CELLS
    return race.content(
        measured,
        found,
        steps=race_details.steps(rounds),
        calls=race_details.small_calls(found, rounds),
        sampled=race_details.sampled(progress(cells, len(cells), "sampling"), found),
    )


COMMAND = Command("race", add, run, "report", ("mpmath", "rich", "tabulate"))
