"""A verdict against a saved one of the same subject: what became worse. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.inputs.kinds import SPECIAL
from bench.judge.findings import (
    CONTRACT,
    DIED,
    FAILURE,
    REFUSED,
    ROWS,
    TIME,
    findings,
    in_ulp,
    said_of,
)
from bench.judge.verdicts import PLAIN, Cell, Verdict
from bench.measure.tally import merged


def worse(before: Sequence[Verdict], after: Verdict, time_ratio: float) -> list[str]:
    """A line for each thing that is worse: errors, failures, bits, policies, contract, times."""
    same = [one for one in before if one.subject == after.subject]
    if not same:
        return [f"{after.subject} is not in the baseline (--baseline)"]
    (old,) = same[:1]
    lines = [*_cells(old, after), *_found(old, after), *_times(old, after, time_ratio)]
    return [f"{after.subject} {line} (--baseline)" for line in lines]


def _cells(old: Verdict, new: Verdict) -> Iterator[str]:
    found = {(cell.operation, cell.format): cell for cell in new.cells}
    for cell in old.offered:
        now = found.get((cell.operation, cell.format))
        name = f"{cell.operation} {cell.format}"
        if now is None or not now.offered:
            yield f"{name}: was offered, and was not measured now"
            continue
        yield from (f"{name}: {what}" for what in _of_cell(cell, now))


def _found(old: Verdict, new: Verdict) -> Iterator[str]:
    """Deaths, refusals, what is against the contract or slow, where nothing was found before."""
    topics = (CONTRACT, REFUSED, TIME, FAILURE)
    known = {(f.topic, f.operation, f.format, f.where, f.key) for f in findings(old)}
    for one in findings(new):
        place = (one.topic, one.operation, one.format, one.where, one.key)
        counted = one.topic == FAILURE and one.key != DIED  # by kind, cell by cell
        if one.topic in topics and not counted and place not in known:
            yield f"{one.line}, not found before"


def _of_cell(old: Cell, new: Cell) -> Iterator[str]:
    for rows, before, after in _errors(old, new):
        if before is not None and (after is None or after > before):
            yield f"off by up to {in_ulp(after)} in {rows}, {in_ulp(before)} before"
    for kind, count in new.failures.items():
        if count > old.failures.get(kind, 0):
            yield f"{count:,} {kind}, {old.failures.get(kind, 0):,} before"
    changed = {w.presentation for w in old.ways if w.changed}
    for way in new.ways:
        if way.changed and way.presentation not in {PLAIN, *changed}:
            yield f"other bits for {way.presentation}, none before"
    for kind in SPECIAL:
        was, names = old.policies.get(kind, {}), new.policies.get(kind, {})
        if set(was) != set(names):
            yield f"{ROWS[kind]}: {said_of(names) or 'not measured'}, {said_of(was)} before"
    for what in new.unmeasured:
        if what not in old.unmeasured:
            yield f"not measured: {what}"


def _errors(old: Cell, new: Cell) -> Iterator[tuple[str, float | None, float | None]]:
    """Largest errors before and now: of rows apart, since the largest of all hides the others."""
    yield "random rows", old.ordinary_ulp, new.ordinary_ulp
    yield "confident rows", old.confident_ulp, new.confident_ulp
    kinds = dict.fromkeys(kind for way in old.ways for kind in way.tallies)
    for kind in kinds:
        was, now = (
            merged(way.tallies[kind] for way in cell.ways if kind in way.tallies).max_ulp
            for cell in (old, new)
        )
        yield ROWS[kind], was, now


def _times(old: Verdict, new: Verdict, limit: float) -> Iterator[str]:
    """Times over those of `stable`, which the machine moves less than the times themselves."""
    for cell in old.offered:
        pair = cell.operation, cell.format
        was, now = (one.time_ratio(*pair, "stable") for one in (old, new))
        if was is not None and (now is None or now > limit * was):
            said = "not timed" if now is None else f"{now:.3g} times the time of stable"
            yield f"{pair[0]} {pair[1]}: {said}, {was:.3g} before"
