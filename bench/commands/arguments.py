"""The command line's grammar: commands, options, defaults and how values are read. Runs nothing."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from bench.commands import sweep
from bench.judge import verdicts
from bench.measure import race
from bench.runs.committed import ROOT
from bench.subjects import specs


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m bench",
        description="Tables and pictures of what `pytest bench --benchmark-json=FILE` measured.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    _add_compare(commands)
    _add_report(commands)
    _add_race(commands)
    _add_misrounded(commands)
    _add_verdict(commands)
    _add_diff(commands)
    _add_versions(commands)
    _add_page(commands)
    _add_keep(commands)
    sweep.add(commands)
    return top


def _add_compare(commands: Any) -> None:
    lab = commands.add_parser("compare", help="run the lab: naive against stable on its cases")
    lab.add_argument("-o", "--output", type=Path, default=ROOT / "results", metavar="DIR")
    lab.add_argument("--readme", type=Path, default=ROOT / "README.md", metavar="FILE")


def _add_report(commands: Any) -> None:
    drawn = commands.add_parser(
        "report",
        help="write tables and plots of run files",
        description="Write accuracy.csv.gz, throughput.csv, tables.md and every plot (SVG and PNG) "
        "from run files. Into the committed results folder: from the committed runs when no FILE "
        "is given, and into README.md too. Elsewhere: beside the committed reference run.",
    )
    drawn.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="run files, or folders of them"
    )
    drawn.add_argument("-o", "--output", type=Path, default=ROOT / "results", metavar="DIR")
    drawn.add_argument(
        "--alone", action="store_true", help="do not draw the committed reference run beside them"
    )


def _add_race(commands: Any) -> None:
    raced = commands.add_parser(
        "race",
        help="time fast against other libraries, in interleaved rounds",
        description="Softmax at several sizes, log-softmax and log-sum-exp at the first, against "
        f"np.exp and the installed ones of {', '.join(race.RIVALS)}, in one process and one thread "
        "(A B, B A, ...). Prints a table of medians and of ratios, which are medians of the ratios "
        "within each round.",
    )
    raced.add_argument(
        "--mebibytes",
        nargs="+",
        type=_positive,
        default=[2, 256],
        metavar="N",
        help="default: 2 256",
    )
    raced.add_argument("--rounds", type=_positive, default=15, metavar="N", help="default: 15")
    kept = "keep all rounds, and measure what docs/fast.md shows besides"
    raced.add_argument("-o", "--output", type=Path, metavar="FILE.json", help=kept)


def _add_misrounded(commands: Any) -> None:
    counted = commands.add_parser(
        "misrounded",
        help="count the results of exact, and of SciPy, that are not the nearest number",
        description="Draws fresh rows, judges every output against mpmath, and times exact beside "
        "SciPy in interleaved rounds. A million rows of each format take about ten minutes.",
    )
    counted.add_argument(
        "--rows",
        type=_positive,
        default=1_000_000,
        metavar="N",
        help="of a format; default: a million",
    )
    counted.add_argument(
        "--seed", type=_count, metavar="N", help="default: a new one, which is shown"
    )
    counted.add_argument(
        "--rounds", type=_positive, default=9, metavar="N", help="of timing; default: 9"
    )
    counted.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="keep it all")


def _add_verdict(commands: Any) -> None:
    judged = commands.add_parser(
        "verdict",
        help="judge any softmax, log-softmax, log-sum-exp or cross-entropy, within a minute",
        description="Largest ulp errors and where they are, failures by kind, bits that depend on "
        "how the same rows are passed, and time against our methods stable and fast. The exit "
        "status is 0; 1 when a condition does not hold; 2 for a subject that cannot be had.",
    )
    judged.add_argument("subjects", nargs="+", metavar="SUBJECT", help=specs.HELP)
    asked = judged.add_argument_group("conditions, each for every operation and format")
    asked.add_argument(
        "--max-ulp",
        type=_limit,
        metavar="N",
        help="no error above N ulp in any row, and nothing that is NaN, infinite or raised",
    )
    asked.add_argument(
        "--no-failures", action="store_true", help="nothing NaN, infinite, lost to zero or raised"
    )
    asked.add_argument(
        "--special-rows",
        action="store_true",
        help="rows with NaN, +inf or only -inf give what README's contracts say",
    )
    asked.add_argument(
        "--same-bits",
        action="store_true",
        help="bits that do not depend on memory order, batch, strides or axis",
    )
    asked.add_argument(
        "--max-time-ratio",
        type=_limit,
        metavar="R",
        help="at most R times the time of stable, in the geometric mean over K = 5 to 4096",
    )
    judged.add_argument(
        "--seconds",
        type=_limit,
        default=verdicts.CASE_SECONDS,
        metavar="N",
        help="begin no further case of a subject after so long; those left out are named "
        f"(default: {verdicts.CASE_SECONDS:g})",
    )
    judged.add_argument("--format", choices=("table", "json"), default="table")
    judged.add_argument("--save", type=Path, metavar="FILE.json", help="keep it (.json.xz: small)")
    judged.add_argument(
        "--reference-cache",
        type=Path,
        default=ROOT / ".reference-cache",
        metavar="DIR",
        help="where exact values are kept (default: .reference-cache)",
    )


def _add_diff(commands: Any) -> None:
    from bench.judge import diff

    compared = commands.add_parser(
        "diff",
        help="compare run files: what got worse, what got better",
        description="Compare runs cell by cell, each against the first: errors and bits where the "
        "input was the same, times where the machine was. A time has changed when the "
        f"Mann-Whitney test on the raw rounds says so (p < {diff.SIGNIFICANT:g}), and medians and "
        "fastest rounds both changed by more than --min-effect.",
    )
    compared.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="run files (or folders), oldest first"
    )
    compared.add_argument(
        "--fail-on",
        action="append",
        default=[],
        type=_condition,
        metavar="WHAT",
        help="exit with status 1 and name the cells when max_ulp>1.0x, time>1.25x (any ratio; in "
        "place of --min-effect), failures (more of them) or bits (other ones); may be repeated",
    )
    _add_shown(compared)


def _add_shown(compared: argparse.ArgumentParser) -> None:
    from bench.judge import diff

    compared.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table")
    compared.add_argument(
        "--min-effect",
        type=_ratio,
        default=diff.MIN_EFFECT,
        metavar="RATIO",
        help=f"smaller changes of time are noise (default: {diff.MIN_EFFECT}; diff two runs of one "
        "NumPy to see what your machine needs)",
    )
    compared.add_argument(
        "--limit",
        type=_count,
        default=6,
        metavar="N",
        help="cells of a kind to list (default: 6, a screen; 0: all); csv and json have every cell",
    )


def _add_versions(commands: Any) -> None:
    versions = commands.add_parser(
        "versions",
        help="draw largest errors, times and same bits by NumPy version",
        description="Write versions.md and three pictures (SVG and PNG): largest ulp error, time "
        "and bit identity by version. Prints how each run differs from the first.",
    )
    versions.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="run files, or folders of them, oldest first (default: the committed ones)",
    )
    versions.add_argument("-o", "--output", type=Path, default=ROOT / "results", metavar="DIR")


def _add_page(commands: Any) -> None:
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
        help="run files, or folders of them, oldest first (default: the committed reference run)",
    )
    made.add_argument(
        "-o", "--output", type=Path, default=ROOT / "results" / "index.html", metavar="FILE.html"
    )


def _add_keep(commands: Any) -> None:
    kept = commands.add_parser("keep", help="compress a run file, without its raw rounds")
    kept.add_argument("file", type=Path, metavar="FILE")
    kept.add_argument(
        "--brief", action="store_true", help="keep what `diff` and `versions` need, and no more"
    )
    kept.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json.xz")


# --- Values --------------------------------------------------------------------------------------


def _condition(text: str) -> Any:
    from bench.judge import diff

    try:
        return diff.condition(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least {least}")
    return int(text)


def _count(text: str) -> int:
    return _whole(text, least=0)


def _positive(text: str) -> int:
    return _whole(text, least=1)


def _number(text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least {least:g}")
    return value


def _limit(text: str) -> float:
    return _number(text, least=0)


def _ratio(text: str) -> float:
    return _number(text, least=1)
