"""The command line: parse, dispatch, exit code. The only place that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bench.commands import arguments, sweep
from bench.inputs.families import FamilyError
from bench.judge import verdict, verdict_file
from bench.judge.conditions import Conditions, violations
from bench.judge.verdicts import Verdict
from bench.lab import results
from bench.lab.predictions import PredictionError
from bench.measure import race, race_details
from bench.runs import keep
from bench.runs.committed import ROOT
from bench.runs.files import MarkerError, RunFileError, check_writable, to_json, write_whole
from bench.show import report
from bench.subjects import specs
from bench.subjects.peers.libraries import PeerMissingError
from bench.sweep.sweep_file import SweepError
from bench.truth.audit import DisagreementError
from bench.truth.reference import Cache

EXPECTED = (
    RunFileError,
    MarkerError,
    PredictionError,
    PeerMissingError,
    specs.SpecError,
    FamilyError,
    SweepError,
    DisagreementError,
    OSError,
)
"""What goes wrong for a reason of the caller's: one line, and status 2."""

T = TypeVar("T")


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 when a condition of the caller does not hold.

    2 for input that it cannot use, 130 when interrupted.
    """
    options = arguments.parser().parse_args(given)
    try:
        return COMMANDS[options.command](options) or 0
    except EXPECTED as error:
        print(f"bench {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"bench {options.command}: interrupted; files are as they were, or all new",
            file=sys.stderr,
        )
        return 130


def _compare(options: argparse.Namespace) -> None:
    for path in results.write(options.output, options.readme):
        print(f"wrote {path}")


def _report(options: argparse.Namespace) -> None:
    committed = ROOT / "results"
    lines = report.write(options.files, options.output, committed, options.alone, _progress)
    print("\n".join(lines))


def _race(options: argparse.Namespace) -> None:
    from bench.show import race_tables

    found, missing = race.available()
    if options.output:
        check_writable(options.output)
    wanted = race.cells(options.mebibytes)
    measured = list(_progress(race.run(wanted, found, options.rounds), len(wanted), "racing"))
    if options.output:
        sampled = _progress(race_details.SAMPLED_CELLS, len(race_details.SAMPLED_CELLS), "sampling")
        content = race.content(
            measured,
            found,
            steps=race_details.steps(options.rounds),
            calls=race_details.small_calls(found, options.rounds),
            sampled=race_details.sampled(sampled, found),
        )
        write_whole(options.output, to_json(content))
    print(race_tables.softmax(measured), race_tables.logarithms(measured), sep="\n\n")
    print("\nleft out:", "; ".join(missing) or "nothing")


def _misrounded(options: argparse.Namespace) -> int:
    import secrets

    from bench.measure import misrounded
    from bench.show import misrounded_tables

    if options.output:
        check_writable(options.output)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    found, cells = misrounded.measure(options.rows, seed, options.rounds, _progress)
    if options.output:
        write_whole(options.output, to_json(misrounded.content(found, cells, seed)))
    print(misrounded_tables.counts_table(found), misrounded_tables.times_table(cells), sep="\n\n")
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
        verdict_file.save(options.save, verdicts)
    _print_verdicts(verdicts, broken, options.format)
    return 1 if broken else 0


def _print_verdicts(verdicts: Sequence[Verdict], broken: Sequence[str], how: str) -> None:
    from rich.console import Console

    from bench.show import verdict_tables

    conclusions = [verdict_tables.conclusion(one) for one in verdicts]
    if how == "json":
        said = {"conclusions": conclusions, "violations": list(broken)}
        print(to_json(said | verdict_file.content(verdicts)), end="")
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
    from bench.judge import diff
    from bench.runs import gather
    from bench.show import diff_tables

    shown = gather.told_apart(gather.load_all(options.files))
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
        print(
            "\n".join(f"not compared: {x}" for one in found for x in one.left_out), file=sys.stderr
        )
    for one, condition, cells in broken:
        print("\n".join(diff_tables.complaint(one, condition, cells)), file=sys.stderr)
    return 1 if broken else 0


def _versions(options: argparse.Namespace) -> None:
    from bench.show import versions

    print(versions.write(options.files, options.output, ROOT / "results", _progress))


def _page(options: argparse.Namespace) -> None:
    from bench.show import page

    print("wrote", page.write(options.files, options.output, ROOT / "results", _progress))


def _keep(options: argparse.Namespace) -> None:
    content = keep.brief(options.file) if options.brief else keep.compact(options.file)
    write_whole(options.output, content)
    print(f"wrote {options.output}")


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "compare": _compare,
    "report": _report,
    "race": _race,
    "misrounded": _misrounded,
    "verdict": _verdict,
    "diff": _diff,
    "versions": _versions,
    "page": _page,
    "keep": _keep,
    "sweep": sweep.main,
}


def _progress(things: Iterable[T], count: int, doing: str = "drawing") -> Iterable[T]:
    """Show on standard error how many of them are done."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(things, doing, total=count, console=console, transient=True, disable=hidden)


if __name__ == "__main__":
    sys.exit(main())
