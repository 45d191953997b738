"""verdict: everything worth knowing of a subject, and whether it holds what is asked of it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import values
from bench.commands.command import Command
from bench.commands.progress import progress
from bench.inputs.cases import EFFORTS
from bench.inputs.formats import USUAL
from bench.runs.files import check_writable, to_json
from bench.subjects import specs
from bench.subjects.isolated import TIMEOUT
from numerics import ALL_FORMATS, OPERATIONS

if TYPE_CHECKING:
    from bench.judge.conditions import Conditions
    from bench.judge.verdict import Scope
    from bench.judge.verdicts import Verdict

SECONDS = 600.0


def add(commands: Any) -> None:
    """Subjects, conditions, how much is asked, and how to say it."""
    judged = commands.add_parser(
        "verdict",
        help="judge any softmax, log-softmax, log-sum-exp or cross-entropy, within a minute",
        description="Prints the largest errors in ulp and where they are, failures by kind, what "
        "changes when the same rows are passed in other ways, and slow paths. The subject runs in "
        "a process of its own. README and docs/verdict.md explain it. The exit status is 0; 1 when "
        "a condition does not hold; 2 when a subject cannot be found.",
    )
    judged.add_argument("subjects", nargs="+", metavar="SUBJECT", help=specs.HELP)
    _add_conditions(judged.add_argument_group("conditions; what was not measured does not hold"))
    _add_scope(judged.add_argument_group("how much is asked"))
    judged.add_argument("--format", choices=("table", "json", "markdown"), default="table")
    judged.add_argument("--verbose", action="store_true", help="every finding, table and witness")
    judged.add_argument("--save", type=Path, metavar="FILE.json", help="keep it (.json.xz: small)")


def _add_conditions(asked: Any) -> None:
    asked.add_argument(
        "--max-ulp",
        type=values.limits,
        default={},
        metavar="N",
        help="no error above N ulp in any row, and nothing that is NaN, infinite or raised; or a "
        "limit for each format: fp32=100,fp64=200",
    )
    asked.add_argument(
        "--special-rows",
        nargs="?",
        const="ours",
        default="",
        choices=("ours", "consistent"),
        help="rows with NaN, +inf or only -inf give what docs/contracts.md says; consistent: any "
        "one policy, kept everywhere",
    )
    for option, meaning in (
        ("--no-failures", "nothing NaN, infinite, lost to zero, raised, and no crash"),
        ("--contract", "integers, labels, shapes, flags, memory as the contract has them"),
        ("--same-bits", "a row gives the same bits in whatever way it is passed"),
        ("--steady-time", "no kind of row, size, order or axis with a slow path"),
        ("--strict", "all of these"),
    ):
        asked.add_argument(option, action="store_true", help=meaning)
    asked.add_argument(
        "--max-time-ratio",
        type=values.limit,
        metavar="R",
        help="at most R times the time of our method `stable`: geometric mean over K = 5 to 4096",
    )
    asked.add_argument(
        "--baseline", type=Path, metavar="FILE", help="nothing worse than in a saved verdict"
    )
    asked.add_argument(
        "--baseline-time",
        type=values.ratio,
        default=1.6,
        metavar="R",
        help="what is slower than in --baseline by more than this is worse (default: 1.6)",
    )


def _add_scope(asked: Any) -> None:
    for option, names, default, unasked in (
        ("--operations", OPERATIONS, OPERATIONS, "all that are offered"),
        ("--formats", tuple(ALL_FORMATS), USUAL, "all but bf16 that are offered"),
    ):
        asked.add_argument(
            option,
            type=values.names(names),
            default=default,
            metavar="NAME,…",
            help=f"some of {', '.join(names)} (default: {unasked})",
        )
    asked.add_argument("--effort", choices=EFFORTS, default="quick")
    asked.add_argument(
        "--seconds",
        type=values.limit,
        default=SECONDS,
        metavar="N",
        help="ask nothing further of a subject after so long, shared by what is offered; what was "
        f"left out is named (default: {SECONDS:g})",
    )
    asked.add_argument(
        "--timeout",
        type=values.limit,
        default=TIMEOUT,
        metavar="N",
        help=f"a call that takes longer has hung (default: {TIMEOUT:g} s)",
    )


def run(options: argparse.Namespace) -> int:
    """Judge, keep, say it; 1 where a condition does not hold.

    A subject that cannot be had is told at the end, and keeps nobody else from a verdict.
    """
    from bench.judge import verdict_file

    if options.save:
        check_writable(options.save)
    before = verdict_file.load(options.baseline)[0] if options.baseline else []
    verdicts: list[Verdict] = []
    refused: list[str] = []
    for found in _measured(options):
        if isinstance(found, specs.SpecError):
            refused.append(str(found))
            continue
        verdicts.append(found)
        if options.save:  # whoever interrupts this keeps what there is
            verdict_file.save(options.save, verdicts)
    broken = _broken(options, verdicts, before)
    if verdicts:
        _say(verdicts, broken, options)
    if refused:
        raise specs.SpecError("; ".join(refused))
    return 1 if broken else 0


def _broken(
    options: argparse.Namespace, verdicts: Sequence[Verdict], before: Sequence[Verdict]
) -> list[str]:
    from bench.judge.baseline import worse
    from bench.judge.conditions import violations

    asked = conditions(options)
    broken = [line for one in verdicts for line in violations(one, asked)]
    if options.baseline:
        broken += [line for one in verdicts for line in worse(before, one, options.baseline_time)]
    return broken


def conditions(options: argparse.Namespace) -> Conditions:
    """The conditions that options ask for; --strict is all of them but limits."""
    from bench.judge.conditions import Conditions, strict

    asked = Conditions(
        **{name: getattr(options, name) for name in vars(Conditions())}  # named as the options
    )
    return strict(asked) if options.strict else asked


def _measured(options: argparse.Namespace) -> Iterator[Verdict | specs.SpecError]:
    """A verdict or an error for each subject, in its own process; exact values in others."""
    from bench.judge.verdict import Scope
    from bench.subjects.isolated import Elsewhere
    from bench.truth.ahead import workers

    scope = Scope(options.operations, options.formats, options.effort, options.seconds)
    with workers() as pool:
        for texts in specs.groups(options.subjects).values():
            try:
                home = Elsewhere(texts, options.timeout)
            except specs.SpecError as error:
                yield error
                continue
            with contextlib.closing(home):
                yield _verdict(home, pool, scope)


def _verdict(home: Any, pool: Any, scope: Scope) -> Verdict:
    """One verdict; what each operation came to is told on the way, to whoever watches."""
    from bench.judge import verdict
    from bench.judge.verdicts import Verdict
    from bench.show.verdict_words import cell_line
    from bench.truth.ahead import Ahead

    truth = Ahead(pool, scope.keys(home.subject))
    for part in verdict.measure(home, truth, progress, scope):
        if isinstance(part, Verdict):
            return part
        if part.offered:
            print(f"{home.subject.name} {cell_line(part)}", file=sys.stderr, flush=True)
    raise AssertionError("a verdict ends with the verdict")


def _say(verdicts: Sequence[Verdict], broken: Sequence[str], options: Any) -> None:
    from rich.console import Console

    from bench.judge import verdict_file
    from bench.show import verdict_tables
    from bench.show.verdict_words import conclusion, in_lines

    if options.format == "json":
        conclusions = [conclusion(one) for one in verdicts]
        said: Mapping[str, Any] = {"conclusions": conclusions, "violations": list(broken)}
        print(to_json({**said, **verdict_file.content(verdicts)}), end="")
        return
    if options.format == "markdown":
        print(verdict_tables.in_markdown(verdicts, broken))
        return
    console = Console(markup=False, highlight=False, emoji=False)
    for one in verdicts:
        print(in_lines(one))
        if not console.is_terminal:
            print(verdict_tables.plain([one], options.verbose), end="\n\n")
            continue
        for part in verdict_tables.parts(one, console.is_terminal, options.verbose):
            console.print(part, soft_wrap=isinstance(part, str))
        print()
    print("\n".join(f"does not hold: {line}" for line in broken), end="\n" * bool(broken))


COMMAND = Command("verdict", add, run, "bench", ("mpmath", "rich"))
