"""keep: a run file, compressed for keeping."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.runs import keep
from bench.runs.files import write_whole


def add(commands: Any) -> None:
    """Which run, how much of it, and where to."""
    kept = commands.add_parser("keep", help="compress a run file, without its raw rounds")
    kept.add_argument("file", type=Path, metavar="FILE")
    kept.add_argument(
        "--brief", action="store_true", help="keep what `diff` and `versions` need, and no more"
    )
    kept.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json.xz")


def run(options: argparse.Namespace) -> None:
    """Write it, whole or not at all."""
    content = keep.brief(options.file) if options.brief else keep.compact(options.file)
    write_whole(options.output, content)
    print(f"wrote {options.output}")


COMMAND = Command("keep", add, run, "report", ("pandas",))
