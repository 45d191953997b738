"""hunt: search for the row on which a subject is most wrong, or nearest to its bound."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.inputs.formats import FORMATS
from bench.runs.files import check_writable
from bench.subjects import specs
from numerics import ALL_FORMATS, OPERATIONS

SECONDS = 60.0


def add(commands: Any) -> None:
    """The grammar."""
    hunted = commands.add_parser(
        "hunt",
        help="search for the rows on which a subject is most wrong",
        description="Splits intervals of bit patterns and moves the worst rows on, beginning with "
        "every witness that results/ has. The certified oracle judges, mpmath audits what is "
        "reported. The same seed, rounds and witnesses find the same rows on any number of cores. "
        "The exit status is 1 when an error is beyond the bound that is claimed for it.",
    )
    hunted.add_argument("subject", metavar="SUBJECT", help=specs.HELP)
    hunted.add_argument("--operation", choices=OPERATIONS, required=True, metavar="OP")
    hunted.add_argument("--format", choices=ALL_FORMATS, required=True, metavar="F")
    hunted.add_argument(
        "--seconds",
        type=values.limit,
        metavar="N",
        help=f"begin no round after that long (default: {SECONDS:.0f}, or no end with --rounds)",
    )
    hunted.add_argument("--rounds", type=values.positive, metavar="N", help="end after so many")
    hunted.add_argument(
        "--against",
        choices=("ulp", "bound"),
        default="ulp",
        help="what to make large: the error in ulp (default), or error / bound",
    )
    hunted.add_argument("--seed", type=values.count, default=0, metavar="N", help="default: 0")
    hunted.add_argument("--workers", type=values.positive, metavar="N", help="default: all cores")
    hunted.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("results", "worst"),
        metavar="FOLDER",
        help="where SUBJECT-OPERATION.json lies, in which other formats stay "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Hunt, keep, print; 1 where a bound is refuted."""
    from bench.hunt import worst_file
    from bench.show import worst_tables

    path = worst_file.path_of(options.output, options.subject, options.operation)
    check_writable(path)
    new = _hunted(options)
    content = worst_file.with_cell(path, options.subject, options.operation, new)
    worst_file.write(path, content)
    print(worst_tables.table([{**content, "cells": [new]}]))
    print(f"\nwrote {path}")
    refuted = worst_tables.refuted({**content, "cells": [new]})
    print(*refuted, sep="\n", end="\n" if refuted else "")
    return 1 if refuted else 0


def _hunted(options: argparse.Namespace) -> dict[str, Any]:
    from bench.hunt import known, run, witness, worst_file
    from bench.hunt.island import Hunted
    from bench.sweep import identity
    from bench.sweep.run import processes

    subjects, missing = specs.load([options.subject])
    if missing:
        raise specs.SpecError("; ".join(missing))
    subject = next(iter(subjects.values()))
    hunted = Hunted(
        options.subject, options.operation, options.format, options.against, options.seed
    )
    run.check(subject, hunted)
    folders = dict.fromkeys((known.COMMITTED.resolve(), options.output.resolve().parent))
    begun = known.rows(FORMATS[options.format], list(folders))
    seconds = options.seconds
    if seconds is None and options.rounds is None:
        seconds = SECONDS
    with processes(options.workers or os.cpu_count() or 1) as executor:
        found = run.rounds(hunted, begun, executor, run.Limits(options.rounds, seconds))
        number, islands = _last(found)
    asked = {"format": options.format, "goal": options.against, "seed": options.seed}
    return worst_file.cell(
        identity.environment_of(subjects),
        asked,
        run.searched(number, islands, begun),
        witness.reported(subject, hunted.aim, islands),
    )


def _last(found: Iterator[tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
    """The state after the last round; what is best so far is shown."""
    from rich.console import Console

    from bench.hunt import run
    from bench.hunt.domains import DOMAINS

    console, began, number = Console(stderr=True), time.monotonic(), 0
    islands: list[Any] = []
    with console.status("the first round") as status:
        for number, islands in found:
            rows = sum(one.tried for one in islands)
            said = ", ".join(
                f"{domain.name} {size:.4g}"
                for domain, size in zip(DOMAINS, run.best(islands), strict=True)
            )
            status.update(
                f"round {number}, {rows / (time.monotonic() - began):,.0f} rows/s: {said}"
            )
    console.print(f"{number} rounds in {time.monotonic() - began:.0f} s")
    return number, islands


COMMAND = Command("hunt", add, run, "report", ("mpmath", "rich", "tabulate"))
