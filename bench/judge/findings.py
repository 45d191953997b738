"""What a verdict finds wrong, each finding with its place. Decides; measures and prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.inputs.kinds import EMPTY, MASKED, ORDINARY, PLUS_INF, SPECIAL, WITH_NAN
from bench.judge.policies import published
from bench.judge.verdicts import PLAIN, Cell, Verdict, Way, Witness
from bench.measure.contract import Found
from bench.measure.slow_paths import Pace

FAILURE, ERROR, POLICY, CONTRACT = "failure", "error", "policy", "contract"
BITS, TIME, REFUSED, UNMEASURED = "bits", "time", "refused", "unmeasured"
DIED = "died"
"""The key of findings that ended a process."""
TOPICS = (FAILURE, ERROR, POLICY, CONTRACT, TIME, BITS, UNMEASURED, REFUSED)
"""The gravest first."""
ROWS = {
    ORDINARY: "ordinary rows",
    MASKED: "masked rows",
    EMPTY: "rows of -inf alone",
    PLUS_INF: "rows with +inf",
    WITH_NAN: "rows with NaN",
}
WORSE = 2.0
"""An error that a presentation makes so many times as large is no harmless rounding."""
SLOW, SLOWER_THAN_STABLE = 5.0, 3.0
"""A path is slow from so many times the time of ordinary rows on, unless `stable` is as slow."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, and what in words. Those of one `key` are told together."""

    topic: str
    operation: str
    format: str
    where: str
    what: str
    key: str
    witness: Witness | None = None

    @property
    def line(self) -> str:
        """In one line."""
        return f"{self.operation} {self.format}{', ' * bool(self.where)}{self.where}: {self.what}"


def findings(verdict: Verdict) -> list[Finding]:
    """All there are, the gravest first."""
    found = [one for cell in verdict.offered for one in _of_cell(cell)]
    for death in verdict.deaths:
        found.append(Finding(FAILURE, death.operation, death.format, death.call, death.how, DIED))
    found += [one for probe in verdict.contract for one in _of_probe(probe)]
    found += [one for pace in verdict.paces if (one := _of_pace(pace)) is not None]
    return sorted(found, key=lambda one: TOPICS.index(one.topic))


def counts(failures: Mapping[str, int]) -> str:
    """Failures by kind, in a few words.

    >>> counts({"NaN": 1200, "raised": 2})
    '1,200 NaN, 2 raised'
    """
    return ", ".join(f"{count:,} {kind}" for kind, count in failures.items())


# --- Of a cell -----------------------------------------------------------------------------------


def _of_cell(cell: Cell) -> Iterator[Finding]:
    for way in cell.ways:
        where = "" if way.presentation == PLAIN else way.presentation
        yield from _outcomes(cell, way, where)
        for kind, tally in way.tallies.items():
            if tally.failures:
                what = f"{counts(tally.failures)} in {ROWS[kind]}{_at(tally.failed)}"
                yield Finding(FAILURE, cell.operation, cell.format, where, what, kind, tally.failed)
            if tally.improper:
                what = f"{counts(tally.improper)} in {ROWS[kind]}"
                yield Finding(CONTRACT, cell.operation, cell.format, where, what, "improper")
        if where:
            yield from _changed(cell, way)
    for flag, where in cell.plain.flags.items():
        topic = "warnings" if ":" in flag else "flags"
        yield Finding(
            CONTRACT, cell.operation, cell.format, "", f"{topic}: {flag} in {where}", topic
        )
    yield from _policies(cell)
    if cell.unmeasured:
        what = ", ".join(cell.unmeasured)
        yield Finding(UNMEASURED, cell.operation, cell.format, "", f"not measured: {what}", "")


def _outcomes(cell: Cell, way: Way, where: str) -> Iterator[Finding]:
    message = "; ".join(way.messages[:2])
    for outcome, count in way.outcomes.items():
        if outcome == "refused":
            topic, what = REFUSED, f"refused: {message}"
            if "read-only" in message and "read-only" in way.presentation:
                topic, what = CONTRACT, f"writes to its input: {message}"
        else:
            topic, what = FAILURE, f"{count} {outcome}: {message}"
        yield Finding(topic, cell.operation, cell.format, where, what, outcome)


def _at(witness: Witness | None) -> str:
    if witness is None or witness.presentation != PLAIN:
        return ""
    return f" (case {witness.case!r}, K = {witness.width})"


def _changed(cell: Cell, way: Way) -> Iterator[Finding]:
    """Errors that are larger this way; changed bits, where they are not."""
    plain = cell.plain_rows.max_ulp or 0.0
    worst = max(way.tallies.items(), key=lambda item: item[1].max_ulp or 0.0, default=None)
    if worst is not None:
        kind, tally = worst
        if (tally.max_ulp or 0.0) > WORSE * max(plain, 0.5):
            what = f"off by up to {in_ulp(tally.max_ulp)} in {ROWS[kind]}, "
            what += f"{in_ulp(plain)} passed plainly"
            yield Finding(ERROR, cell.operation, cell.format, way.presentation, what, "worse",
                          tally.worst)  # fmt: skip
            return
    failed = any(tally.failures for tally in way.tallies.values())
    if way.changed and not failed:  # said already
        share = 100 * way.changed / way.outputs
        what = f"other bits in {share:.2g} % of the outputs, none further off"
        yield Finding(BITS, cell.operation, cell.format, way.presentation, what, "bits")


def _policies(cell: Cell) -> Iterator[Finding]:
    found = cell.policies
    for kind in SPECIAL:
        ours, names = published(cell.operation, kind), found.get(kind, {})
        if not ours or set(names) == {ours}:
            continue
        if names:
            said = said_of(names) + f" (published: {ours})" * (ours not in names)
            what = f"{ROWS[kind]}: {said}{_depending(cell, kind)}"
            yield Finding(POLICY, cell.operation, cell.format, "", what, kind)
        else:
            what = f"not measured: {ROWS[kind]}"
            yield Finding(UNMEASURED, cell.operation, cell.format, "", what, kind)


def said_of(names: Mapping[str, int]) -> str:
    """Policies with how often each was met, if there are several.

    >>> said_of({"NaN row": 3}), said_of({"NaN row": 3, "dropped": 40})
    ('NaN row', 'NaN row in 3, dropped in 40')
    """
    if len(names) < 2:
        return next(iter(names), "")
    return ", ".join(f"{name} in {count:,}" for name, count in names.items())


def _depending(cell: Cell, kind: str) -> str:
    """Which presentations change the policy."""
    ways = [way.presentation for way in cell.ways[1:] if way.policies.get(kind)]
    return f"; another one for {', '.join(ways[:3])}" if ways else ""


# --- Of probes and paces -------------------------------------------------------------------------


def _of_probe(probe: Found) -> Iterator[Finding]:
    place = (probe.operation, probe.format, "")
    for line in probe.lines:
        yield Finding(CONTRACT, *place, f"{probe.probe}: {line}", probe.probe)
    if probe.outcome == "raised":
        yield Finding(CONTRACT, *place, f"{probe.probe}: raised {probe.message}", probe.probe)
    if probe.outcome == "refused":
        yield Finding(REFUSED, *place, f"{probe.probe}: refused: {probe.message}", probe.probe)


def _of_pace(pace: Pace) -> Finding | None:
    place = (pace.operation, pace.format, "")
    if pace.message:
        if pace.refused:
            return Finding(REFUSED, *place, f"refused: {pace.words.removesuffix(' takes')}: "
                           f"{pace.message}", pace.words)  # fmt: skip
        return Finding(UNMEASURED, *place, f"not measured: time, {pace.words}", pace.words)
    if pace.small or pace.fastest <= max(SLOW, SLOWER_THAN_STABLE * pace.stable_fastest):
        return None
    what = f"{pace.words} {pace.fastest:.3g} times as long as ordinary ones, per element "
    what += f"({pace.least:.3g} to {pace.most:.3g}; stable: {pace.stable:.2g})"
    return Finding(TIME, *place, what, pace.words)


def in_ulp(value: float | None) -> str:
    """An error in words.

    >>> in_ulp(0.5), in_ulp(1002.3), in_ulp(1.3e9), in_ulp(None)
    ('0.5 ulp', '1,002 ulp', '1.3e+09 ulp', 'no number of ulp')
    """
    if value is None:
        return "no number of ulp"
    return f"{value:,.0f} ulp" if 1000 <= value < 1e6 else f"{value:.3g} ulp"
