"""What a verdict must hold, for the exit status of `python -m bench verdict`. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.judge.verdicts import Cell, Verdict
from bench.measure.invariance import CHECKS
from bench.runs.records import Invariance

PROMISED = tuple(check.name for check in CHECKS if check.promised)
"""The ways to pass the same rows that should change no bit."""


@dataclass(frozen=True)
class Conditions:
    """What a verdict must hold, each named as its option."""

    max_ulp: float | None = None
    no_failures: bool = False
    special_rows: bool = False
    same_bits: bool = False
    max_time_ratio: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != Conditions()


def violations(verdict: Verdict, conditions: Conditions) -> list[str]:
    """A line for each condition that does not hold, with its cell."""
    offered = [cell for cell in verdict.cells if cell.offered]
    found = [line for cell in offered for line in _against(verdict, cell, conditions)]
    if conditions.same_bits:
        found += [_changed(m) for m in changed(verdict)]
    return found


def _against(verdict: Verdict, cell: Cell, conditions: Conditions) -> Iterator[str]:
    place = f"{verdict.subject} {cell.operation} {cell.format}: "
    limit = conditions.max_ulp
    if limit is not None and (cell.max_ulp is None or cell.max_ulp > limit):
        yield f"{place}{_in_ulp(cell)}, above --max-ulp {limit:g}"
    failures = _intolerable(cell, conditions)
    if failures:
        option = "--no-failures" if conditions.no_failures else "no --max-ulp allows them"
        yield f"{place}{counts(failures)} ({option})"
    if conditions.special_rows and cell.special_missed:
        yield f"{place}{cell.special_missed} outputs of special rows missed (--special-rows)"
    slowest = conditions.max_time_ratio
    if slowest is not None:
        ratio = verdict.time_ratio(cell.operation, cell.format, "stable")
        if ratio is None:
            yield f"{place}was not timed (--max-time-ratio)"
        elif ratio > slowest:
            yield f"{place}{ratio:.3g} times the time of stable, above --max-time-ratio {slowest:g}"


def _intolerable(cell: Cell, conditions: Conditions) -> dict[str, int]:
    if conditions.no_failures:
        return cell.failures
    if conditions.max_ulp is None:
        return {}
    # The error of a value lost to zero is a number; that of any other failure is none.
    return {kind: count for kind, count in cell.failures.items() if kind != "lost to zero"}


def counts(failures: Mapping[str, int]) -> str:
    """Failures by kind, in a few words.

    >>> counts({"NaN": 1200, "raised": 2})
    '1,200 NaN, 2 raised'
    """
    return ", ".join(f"{count:,} {kind}" for kind, count in failures.items())


def _in_ulp(cell: Cell) -> str:
    if cell.max_ulp is None or cell.worst is None:
        return "no error could be measured"
    return f"{cell.max_ulp:.6g} ulp in case {cell.worst.case!r}"


def changed(verdict: Verdict) -> list[Invariance]:
    """The checks that should change no bit and do, or that cannot be made."""
    return [m for m in verdict.invariance if m.check in PROMISED and (m.differing or m.message)]


def _changed(measured: Invariance) -> str:
    found = measured.message or f"other bits in {measured.differing} of {measured.outputs}"
    return f"{measured.subject} {measured.format}, {measured.check}: {found} (--same-bits)"
