"""The command line: parse, dispatch, exit status."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands import (
    compare,
    diff,
    gradient,
    hunt,
    keep,
    misrounded,
    page,
    processor,
    race,
    report,
    suite,
    suspects,
    sweep,
    verdict,
    versions,
)
from bench.commands.command import Command
from bench.hunt.errors import HuntError
from bench.inputs.families import FamilyError
from bench.inputs.formats import PACKAGE
from bench.lab.predictions import PredictionError
from bench.runs.committed import CheckoutError
from bench.runs.extras import ExtraMissingError, require
from bench.runs.files import MarkerError, RunFileError
from bench.show.findings import FindingError
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.specs import SpecError
from bench.sweep.sweep_file import SweepError
from bench.truth.exact import DisagreementError
from numerics import BF16

COMMANDS: tuple[Command, ...] = (
    suite.COMMAND,
    compare.COMMAND,
    report.COMMAND,
    race.COMMAND,
    misrounded.COMMAND,
    processor.COMMAND,
    gradient.COMMAND,
    suspects.COMMAND,
    verdict.COMMAND,
    diff.COMMAND,
    versions.COMMAND,
    page.COMMAND,
    keep.COMMAND,
    sweep.COMMAND,
    hunt.COMMAND,
)
SCRIPT = "softmax-bench"
EXPECTED = (
    CheckoutError,
    RunFileError,
    MarkerError,
    PredictionError,
    FindingError,
    PeerMissingError,
    ExtraMissingError,
    SpecError,
    FamilyError,
    SweepError,
    HuntError,
    DisagreementError,
    OSError,
)
"""What goes wrong for a reason of the caller's: one line, and status 2."""


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 when a condition of the caller does not hold.

    2 for input that it cannot use, 130 when interrupted, 141 when nobody reads on (`| head`): the
    last two are what a shell says of a program that SIGINT or SIGPIPE ended.
    """
    try:
        try:
            return _run(given)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer must not be written at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(given: Sequence[str] | None) -> int:
    options = _parser().parse_args(given)
    command = next(one for one in COMMANDS if one.name == options.command)
    try:
        require(command.extra, command.needs)
        if any(BF16.name in getattr(options, name, ()) for name in ("format", "formats")):
            require(BF16.name, [PACKAGE])
        return command.run(options) or 0
    except BrokenPipeError:
        raise
    except EXPECTED as error:
        print(f"bench {command.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"bench {command.name}: interrupted; files are as they were, or all new",
            file=sys.stderr,
        )
        return 130


def _program() -> str:
    """As the user called it: the script `softmax-bench`, or this package."""
    name = Path(sys.argv[0]).stem
    return name if name == SCRIPT else "python -m bench"


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog=_program(),
        description="Judge softmax functions, compare runs, and draw what `pytest bench "
        "--benchmark-json=FILE` measured.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def script() -> None:
    """`softmax-bench`: run, and leave with the status."""
    status = main()
    with contextlib.suppress(OSError):  # what a subject prints at exit is no result, either
        os.dup2(2, 1)
    sys.exit(status)


if __name__ == "__main__":
    script()
