"""The command line: parse, dispatch, exit code. The only place that prints."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench import compare, keep, race, report, runs, specs, verdict
from bench.compare import PredictionError
from bench.conditions import Conditions, violations
from bench.files import MarkerError, check_writable, write_whole
from bench.reference import Cache
from bench.verdict import Verdict

T = TypeVar("T")
ROOT = Path(__file__).parent.parent


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m bench",
        description="Tables and pictures of what `pytest bench --benchmark-json=FILE` measured.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser("compare", help="run the lab: naive against stable on its cases")
    lab.add_argument("-o", "--output", type=Path, default=ROOT / "results", metavar="DIR")
    lab.add_argument("--readme", type=Path, default=ROOT / "README.md", metavar="FILE")

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

    _add_race(commands)
    _add_misrounded(commands)
    _add_verdict(commands)
    _add_diff(commands)
    _add_versions(commands)
    _add_page(commands)

    kept = commands.add_parser("keep", help="compress a run file, without its raw rounds")
    kept.add_argument("file", type=Path, metavar="FILE")
    kept.add_argument(
        "--brief", action="store_true", help="keep what `diff` and `versions` need, and no more"
    )
    kept.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json.xz")
    return top


def _add_race(commands: Any) -> None:
    raced = commands.add_parser(
        "race",
        help="time fast against other libraries, in interleaved rounds",
        description="Softmax at several sizes, log-softmax and log-sum-exp at the first, against "
        f"np.exp and the installed ones of {', '.join(race.RIVALS)}, in one process and one thread "
        "(A B A B ...). Prints a table of medians and of ratios, which are medians of the ratios "
        "within each round.",
    )
    raced.add_argument(
        "--mebibytes", nargs="+", type=int, default=[2, 256], metavar="N", help="default: 2 256"
    )
    raced.add_argument("--rounds", type=int, default=15, metavar="N", help="default: 15")
    raced.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="keep all rounds")


def _add_misrounded(commands: Any) -> None:
    counted = commands.add_parser(
        "misrounded",
        help="count the results of exact, and of SciPy, that are not the nearest number",
        description="Draws fresh rows, judges every output against mpmath, and times exact beside "
        "SciPy in interleaved rounds. A million rows of each format take about ten minutes.",
    )
    counted.add_argument("--rows", type=_count, default=1_000_000, metavar="N", help="of a format")
    counted.add_argument("--seed", type=int, metavar="N", help="default: a new one, which is shown")
    counted.add_argument("--rounds", type=int, default=9, metavar="N", help="of timing; default: 9")
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
        default=verdict.CASE_SECONDS,
        metavar="N",
        help="begin no further case of a subject after so long; those left out are named "
        f"(default: {verdict.CASE_SECONDS:g})",
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


def _limit(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, not {text}")
    return value


def _add_diff(commands: Any) -> None:
    from bench import diff

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
    from bench import diff

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


def _condition(text: str) -> Any:
    from bench import diff

    try:
        return diff.condition(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of cells, or 0 for all")
    return int(text)


def _ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 when a condition of the caller does not hold.

    2 for input that it cannot use, 130 when interrupted.
    """
    options = parser().parse_args(arguments)
    try:
        if options.command == "compare":
            _compare(options)
        elif options.command == "report":
            _report(options)
        elif options.command == "race":
            _race(options)
        elif options.command == "misrounded":
            return _misrounded(options)
        elif options.command == "verdict":
            return _verdict(options)
        elif options.command == "diff":
            return _diff(options)
        elif options.command == "versions":
            _versions(options)
        elif options.command == "page":
            _page(options)
        else:
            kept = keep.brief(options.file) if options.brief else keep.compact(options.file)
            write_whole(options.output, kept)
            print(f"wrote {options.output}")
    except (runs.RunFileError, MarkerError, PredictionError, specs.SpecError, OSError) as error:
        print(f"bench {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"bench {options.command}: interrupted; files are as they were, or all new",
            file=sys.stderr,
        )
        return 130
    return 0


def _compare(options: argparse.Namespace) -> None:
    for path in compare.write(options.output, options.readme):
        print(f"wrote {path}")


def _report(options: argparse.Namespace) -> None:
    committed = ROOT / "results"
    lines = report.write(options.files, options.output, committed, options.alone, _progress)
    print("\n".join(lines))


def _race(options: argparse.Namespace) -> None:
    from bench import race_tables

    if min(options.mebibytes) < 1 or options.rounds < 1:
        raise runs.RunFileError("sizes and rounds must be at least 1")
    found, missing = race.available()
    wanted = race.cells(options.mebibytes)
    measured = list(_progress(race.run(wanted, found, options.rounds), len(wanted), "racing"))
    made_of = race.steps(options.rounds)
    if options.output:
        write_whole(options.output, runs.to_json(race.content(measured, found, made_of)))
    print(race_tables.softmax(measured), race_tables.logarithms(measured), sep="\n\n")
    print("\nleft out:", "; ".join(missing) or "nothing")


def _misrounded(options: argparse.Namespace) -> int:
    import os
    import secrets

    from bench import misrounded

    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    cells = list(_progress(misrounded.times(options.rounds), 36, "timing"))
    jobs = misrounded.count(options.rows, seed, os.cpu_count() or 1)
    parts = list(_progress(jobs, misrounded.jobs_of(options.rows), "judging"))
    found = misrounded.added(parts)
    if options.output:
        content = misrounded.content(found, cells, seed)
        write_whole(options.output, runs.to_json(content))
    print(misrounded.counts_table(found), misrounded.times_table(cells), sep="\n\n")
    print(*found.witnesses, sep="\n")
    return 1 if found.witnesses else 0


def _verdict(options: argparse.Namespace) -> int:
    subjects, missing = specs.load(options.subjects)
    if missing:
        raise specs.SpecError("; ".join(missing))
    if options.save:
        check_writable(options.save)
    cache = Cache(options.reference_cache)
    verdicts = verdict.measure(list(subjects.values()), cache, _progress, options.seconds)
    conditions = Conditions(**{name: getattr(options, name) for name in vars(Conditions())})
    broken = [line for one in verdicts for line in violations(one, conditions)]
    if options.save:
        verdict.save(options.save, verdicts)
    _print_verdicts(verdicts, broken, options.format)
    return 1 if broken else 0


def _print_verdicts(verdicts: Sequence[Verdict], broken: Sequence[str], how: str) -> None:
    from rich.console import Console

    from bench import verdict_tables

    conclusions = [verdict_tables.conclusion(one) for one in verdicts]
    if how == "json":
        said = {"conclusions": conclusions, "violations": list(broken)}
        print(runs.to_json(said | verdict.content(verdicts)), end="")
        return
    print("\n".join([*conclusions, *(f"does not hold: {line}" for line in broken), ""]))
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        print(verdict_tables.plain(verdicts))
        return
    for one in verdicts:
        for part in verdict_tables.parts(one, terminal=True):
            console.print(part, soft_wrap=isinstance(part, str))


def _diff(options: argparse.Namespace) -> int:
    from bench import diff, diff_tables, gather

    shown = gather.told_apart(gather.load_all(options.files))
    if len(shown) < 2:
        raise runs.RunFileError(f"{options.files[0]}: one run alone cannot be compared")
    found = diff.against_first(shown, options.min_effect)
    broken = [
        (one, condition, cells)
        for one in found
        for condition in options.fail_on
        if len(cells := diff.broken(one, condition))
    ]
    print(diff_tables.FORMATS[options.format](found, options.limit))
    if options.format == "csv":
        print(
            "\n".join(f"not compared: {x}" for one in found for x in one.left_out), file=sys.stderr
        )
    for one, condition, cells in broken:
        print("\n".join(diff_tables.complaint(one, condition, cells)), file=sys.stderr)
    return 1 if broken else 0


def _versions(options: argparse.Namespace) -> None:
    from bench import versions

    print(versions.write(options.files, options.output, ROOT / "results", _progress))


def _page(options: argparse.Namespace) -> None:
    from bench import page

    print("wrote", page.write(options.files, options.output, ROOT / "results", _progress))


def _progress(things: Iterable[T], count: int, doing: str = "drawing") -> Iterable[T]:
    """Show on standard error how many of them are done."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(things, doing, total=count, console=console, transient=True, disable=hidden)


if __name__ == "__main__":
    sys.exit(main())
