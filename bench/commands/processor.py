"""processor: check the processor that this runs on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.runs.committed import reference_cache
from bench.runs.files import check_writable, to_json, write_whole

if TYPE_CHECKING:
    from bench.measure.processors import Processor


def add(commands: Any) -> None:
    """Its name, what emulates it, where exact values are, and where to keep what was found."""
    checked = commands.add_parser(
        "processor",
        help="check that exact gives the committed bits here, and that all methods keep bounds",
        description="The corpus of exact, and all methods on the quick cases against their bounds, "
        "on the processor that this runs on. Needs NumPy and mpmath alone. `.ci/processors` runs "
        "it on several, emulated.",
    )
    checked.add_argument(
        "name", type=values.word, metavar="NAME", help="of the processor, as tables show it"
    )
    checked.add_argument(
        "--emulator",
        type=values.word,
        metavar="TEXT",
        help="what emulates it; none by default",
    )
    checked.add_argument(
        "--reference-cache",
        type=Path,
        default=reference_cache(),
        metavar="DIR",
        help="where exact values are kept between runs (default: %(default)s)",
    )
    checked.add_argument(
        "-o", "--output", type=Path, metavar="FILE.json", help="keep it beside what is there"
    )


def run(options: argparse.Namespace) -> int:
    """Check, keep, say what was found; 1 where something is not as it is claimed."""
    from bench.measure import processors
    from bench.show import processor_tables
    from bench.truth.reference import Cache

    kept = _kept(options.output)
    cells, cache = processors.cells(), Cache(options.reference_cache)
    exact = processors.truths(cells, cache, bool(options.emulator), progress)
    found = processors.check(options.name, options.emulator or "", cells, exact, progress)
    if options.output:
        write_whole(options.output, to_json(processors.content(kept, found)))
    print("\n".join(processor_tables.lines(found)))
    return 0 if found.holds else 1


def _kept(output: Path | None) -> list[Processor]:
    """What the file has of other processors; found out before minutes are spent."""
    from bench.measure import processors

    if output is None:
        return []
    check_writable(output)
    return processors.load(output) if output.exists() else []


COMMAND = Command("processor", add, run, "bench", ("mpmath",))
