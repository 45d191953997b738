"""What a verdict must hold, for the exit status of `python -m bench verdict`. Measures nothing.

What was not measured does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bench.inputs.kinds import SPECIAL
from bench.judge import findings
from bench.judge.findings import (
    BITS,
    CONTRACT,
    ERROR,
    FAILURE,
    POLICY,
    ROWS,
    TIME,
    UNMEASURED,
    Finding,
    in_ulp,
    said_of,
)
from bench.judge.policies import OTHER, published
from bench.judge.verdicts import PLAIN, Cell, Verdict, Witness
from bench.measure.presentations import BY_NAME
from bench.measure.tally import merged

OURS, CONSISTENT = "ours", "consistent"


@dataclass(frozen=True)
class Conditions:
    """What a verdict must hold, each named as its option.

    `max_ulp`: a limit for each format. `special_rows`: "ours", or "consistent" for any one policy.
    """

    max_ulp: Mapping[str, float] = field(default_factory=dict)
    no_failures: bool = False
    special_rows: str = ""
    contract: bool = False
    same_bits: bool = False
    steady_time: bool = False
    max_time_ratio: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != Conditions()


def strict(asked: Conditions) -> Conditions:
    """Everything but limits, beside what is asked; a policy that is asked for stays."""
    return replace(
        asked, no_failures=True, contract=True, same_bits=True, steady_time=True,
        special_rows=asked.special_rows or OURS,
    )  # fmt: skip


STRICT = strict(Conditions())
_TOPICS = {FAILURE: "no_failures", CONTRACT: "contract", TIME: "steady_time"}


def violations(verdict: Verdict, conditions: Conditions) -> list[str]:
    """A line for each condition that does not hold, with its cell."""
    if not conditions:
        return []
    found = [f"{one.line} ({option})" for one, option in _broken(verdict, conditions)]
    if not verdict.offered:
        found.append("nothing was measured")
    return [f"{verdict.subject} {line}" for line in found]


def _broken(verdict: Verdict, conditions: Conditions) -> Iterator[tuple[Finding, str]]:
    for one in findings.findings(verdict):
        option = _option(one, conditions)
        if option:
            yield one, option
    for cell in verdict.offered:
        yield from _too_far(cell, conditions)
        if conditions.special_rows:
            yield from _special(cell, conditions.special_rows)
        yield from _too_slow(verdict, cell, conditions)


def _option(one: Finding, conditions: Conditions) -> str:
    """The option that a finding breaks; nothing where it breaks none."""
    name = _TOPICS.get(one.topic, "")
    if name and getattr(conditions, name):
        return f"--{name.replace('_', '-')}"
    elsewhere = one.topic == FAILURE and one.where in BY_NAME
    if (one.topic in (ERROR, BITS) or elsewhere) and conditions.same_bits:
        return "--same-bits"
    if one.topic == FAILURE and conditions.max_ulp and "lost to zero" not in one.what:
        return "no --max-ulp allows them"
    return "what was not measured does not hold" if one.topic == UNMEASURED else ""


def _too_far(cell: Cell, conditions: Conditions) -> Iterator[tuple[Finding, str]]:
    limit = conditions.max_ulp.get(cell.format)
    if limit is None:
        return
    kinds = dict.fromkeys(kind for way in cell.ways for kind in way.tallies)
    for kind in kinds:
        tally = merged(way.tallies[kind] for way in cell.ways if kind in way.tallies)
        if tally.max_ulp is not None and tally.max_ulp > limit:
            where = f" ({_place(tally.worst)})" if tally.worst else ""
            what = f"off by up to {in_ulp(tally.max_ulp)} in {ROWS[kind]}{where}"
            yield (
                Finding(ERROR, cell.operation, cell.format, "", what, kind),
                f"--max-ulp {limit:g}",
            )
    if cell.max_ulp is None:
        nothing = Finding(ERROR, cell.operation, cell.format, "", "no error could be measured", "")
        yield nothing, f"--max-ulp {limit:g}"


def _place(worst: Witness) -> str:
    way = f", {worst.presentation}" * (worst.presentation != PLAIN)
    return f"case {worst.case!r}, K = {worst.width}{way}"


def _special(cell: Cell, asked: str) -> Iterator[tuple[Finding, str]]:
    """Kinds whose rows keep another policy than is asked for; unmeasured ones are found already."""
    for kind in SPECIAL:
        names = cell.policies.get(kind, {})
        ours = published(cell.operation, kind)
        kept = set(names) == {ours} if asked == OURS else len(names) == 1 and OTHER not in names
        if names and ours and not kept:
            what = f"{ROWS[kind]}: {said_of(names)}"
            option = "--special-rows" + f"={asked}" * (asked != OURS)
            yield Finding(POLICY, cell.operation, cell.format, "", what, kind), option


def _too_slow(
    verdict: Verdict, cell: Cell, conditions: Conditions
) -> Iterator[tuple[Finding, str]]:
    slowest = conditions.max_time_ratio
    if slowest is None:
        return
    ratio = verdict.time_ratio(cell.operation, cell.format, "stable")
    if ratio is None or ratio > slowest:
        what = "not timed" if ratio is None else f"{ratio:.3g} times the time of stable"
        found = Finding(TIME, cell.operation, cell.format, "", what, "stable")
        yield found, f"--max-time-ratio {slowest:g}"
