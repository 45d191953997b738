"""verdict: everything worth knowing of a subject, and whether it holds what is asked of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.judge.conditions import Conditions, violations
from bench.judge.verdicts import CASE_SECONDS, Verdict
from bench.runs.committed import ROOT
from bench.runs.files import check_writable, to_json
from bench.subjects import specs
from bench.subjects.quiet import aside


def add(commands: Any) -> None:
    """Subjects, conditions, time, and how to say it."""
    judged = commands.add_parser(
        "verdict",
        help="judge any softmax, log-softmax, log-sum-exp or cross-entropy, within a minute",
        description="Prints the largest errors in ulp and where they are, failures by kind, "
        "whether the bits of a row depend on how it is passed, and the time beside our methods "
        "stable and fast. README and docs/verdict.md explain it. The exit status is 0; 1 when a "
        "condition does not hold; 2 when a subject cannot be found.",
    )
    judged.add_argument("subjects", nargs="+", metavar="SUBJECT", help=specs.HELP)
    _add_conditions(judged.add_argument_group("conditions, each for every operation and format"))
    _add_others(judged)


def _add_conditions(asked: Any) -> None:
    asked.add_argument(
        "--max-ulp",
        type=values.limit,
        metavar="N",
        help="no error above N ulp in any row, and nothing that is NaN, infinite or raised",
    )
    for option, meaning in (
        ("--no-failures", "nothing NaN, infinite, lost to zero or raised"),
        ("--special-rows", "rows with NaN, +inf or only -inf give what docs/contracts.md says"),
        ("--same-bits", "a row gives the same bits for any memory order, batch, strides and axis"),
    ):
        asked.add_argument(option, action="store_true", help=meaning)
    asked.add_argument(
        "--max-time-ratio",
        type=values.limit,
        metavar="R",
        help="at most R times the time of our method `stable`: geometric mean over K = 5 to 4096",
    )


def _add_others(judged: argparse.ArgumentParser) -> None:
    judged.add_argument(
        "--seconds",
        type=values.limit,
        default=CASE_SECONDS,
        metavar="N",
        help="begin no further case of a subject after N seconds; those left out are named "
        f"(default: {CASE_SECONDS:g})",
    )
    judged.add_argument("--format", choices=("table", "json"), default="table")
    judged.add_argument(
        "--save",
        type=Path,
        metavar="FILE.json",
        help="keep the verdict (compressed, if the name ends in .xz)",
    )
    judged.add_argument(
        "--reference-cache",
        type=Path,
        default=ROOT / ".reference-cache",
        metavar="DIR",
        help="where exact values are kept (default: .reference-cache)",
    )


def run(options: argparse.Namespace) -> int:
    """Judge, keep, say it; 1 where a condition does not hold."""
    from bench.judge import verdict_file

    if options.save:
        check_writable(options.save)
    verdicts = _measured(options)
    conditions = Conditions(**{name: getattr(options, name) for name in vars(Conditions())})
    broken = [line for one in verdicts for line in violations(one, conditions)]
    if options.save:
        verdict_file.save(options.save, verdicts)
    _say(verdicts, broken, options.format)
    return 1 if broken else 0


def _measured(options: argparse.Namespace) -> list[Verdict]:
    """The verdicts; what subjects print meanwhile goes to standard error."""
    from bench.judge import verdict
    from bench.truth.reference import Cache

    with aside():
        subjects, missing = specs.load(options.subjects)
        if missing:
            raise specs.SpecError("; ".join(missing))
        cache = Cache(options.reference_cache)
        return verdict.measure(list(subjects.values()), cache, progress, options.seconds)


def _say(verdicts: Sequence[Verdict], broken: Sequence[str], how: str) -> None:
    from rich.console import Console

    from bench.judge import verdict_file
    from bench.show import verdict_tables

    if how == "json":
        conclusions = [verdict_tables.conclusion(one) for one in verdicts]
        said = {"conclusions": conclusions, "violations": list(broken)}
        print(to_json(said | verdict_file.content(verdicts)), end="")
        return
    found = [verdict_tables.in_lines(one) for one in verdicts]
    print("\n".join([*found, *(f"does not hold: {line}" for line in broken), ""]))
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        print(verdict_tables.plain(verdicts))
        return
    for one in verdicts:
        for part in verdict_tables.parts(one, terminal=True):
            console.print(part, soft_wrap=isinstance(part, str))


COMMAND = Command("verdict", add, run, "bench", ("mpmath", "rich"))
