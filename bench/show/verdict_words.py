"""A verdict in words: one sentence, what is wrong, and what was asked and held. Formats only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from bench.inputs.kinds import SPECIAL
from bench.judge.findings import (
    BITS,
    CONTRACT,
    ERROR,
    FAILURE,
    POLICY,
    REFUSED,
    ROWS,
    TIME,
    UNMEASURED,
    Finding,
    counts,
    findings,
    in_ulp,
    said_of,
)
from bench.judge.policies import OTHER, published
from bench.judge.verdicts import PLAIN, Cell, Verdict
from bench.measure.presentations import BY_NAME
from bench.measure.tally import added
from bench.show import why_words
from bench.show.markdown import TITLES, figure
from numerics import ALL_FORMATS

OWN = ("stable", "fast")
SHOWN = 14
"""So many findings are told before the rest is counted, so that a verdict fits a screen."""
WIDTH, MOST_LINES, REASON = 110, 3, 100


# --- One sentence --------------------------------------------------------------------------------


def conclusion(verdict: Verdict) -> str:
    """The verdict in one sentence of plain English."""
    return f"{_name(verdict)}: {'; '.join(_said(verdict))}."


def in_lines(verdict: Verdict) -> str:
    """The same, a line for each thing that was found."""
    return "\n".join([f"{_name(verdict)}:", *(f"  {line}" for line in _said(verdict))])


def _name(verdict: Verdict) -> str:
    return f"{verdict.subject} {verdict.version}".strip()


def _said(verdict: Verdict) -> list[str]:
    measured = [cell for cell in verdict.offered if cell.max_ulp is not None]
    if not measured:
        messages = [m for cell in verdict.offered for way in cell.ways for m in way.messages]
        reason = next((m for m in [*messages, *(d.how for d in verdict.deaths)] if m), "")
        return [f"no verdict, since no call gave a result: {reason or 'nothing is offered'}"]
    found = findings(verdict)
    said = [*_errors(measured), _failures(verdict), _special(measured), *_other(found)]
    said += [
        _bits(found, any(cell.ways[1:] for cell in measured)),
        *_times(verdict),
        *_absent(verdict),
        f"at effort {verdict.effort}",
    ]
    return said


def _absent(verdict: Verdict) -> Iterator[str]:
    offered = dict.fromkeys(cell.operation for cell in verdict.offered)
    missing = dict.fromkeys(c.operation for c in verdict.cells if c.operation not in offered)
    if missing:
        yield f"not offered: {', '.join(TITLES[operation] for operation in missing)}"
    some: dict[tuple[str, ...], list[Cell]] = {}
    for operation in offered:
        cells = [c for c in verdict.cells if c.operation == operation and not c.offered]
        if cells:
            some.setdefault(tuple(c.format for c in cells), []).extend(cells)
    for formats, cells in some.items():
        reasons = dict.fromkeys(message for cell in cells for message in cell.messages[:1])
        why = "; ".join(textwrap.shorten(one, REASON, placeholder=" …") for one in reasons)
        yield f"not offered in {' and '.join(formats)}: {_titles(cells)}{f' ({why})' * bool(why)}"


def _errors(cells: Sequence[Cell]) -> Iterator[str]:
    lost = [cell for cell in cells if _all_digits_lost(cell)]
    kept = [cell for cell in cells if cell.operation not in {c.operation for c in lost}]
    for operation in dict.fromkeys(cell.operation for cell in kept):
        worst = max((c for c in kept if c.operation == operation), key=lambda c: c.max_ulp or 0.0)
        yield f"{TITLES[operation]} is off by up to {in_ulp(worst.max_ulp)} ({worst.format})"
    if lost:
        yield f"no digit of {_titles(lost)} is right on some rows"


def _all_digits_lost(cell: Cell) -> bool:
    """An error of about the value itself: a quarter of it at least."""
    return (cell.max_ulp or 0.0) >= 2.0 ** (ALL_FORMATS[cell.format].precision - 2)


def _titles(cells: Sequence[Cell]) -> str:
    titles = list(dict.fromkeys(TITLES[cell.operation] for cell in cells))
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if titles[1:] else titles)


def _failures(verdict: Verdict) -> str:
    total: dict[str, int] = {}
    for cell in verdict.offered:
        total = added(total, cell.failures)
    if verdict.deaths:
        total["deaths of its process"] = len(verdict.deaths)
    return f"failures: {counts(total)}" if total else "no failures: no NaN, infinity or lost value"


def _special(cells: Sequence[Cell]) -> str:
    """Whether special rows are as published, or else whether any one policy is kept."""
    names = [(c, kind, c.policies.get(kind, {})) for c in cells for kind in SPECIAL]
    what = "results for rows with NaN, +inf or only -inf"
    if not any(n for _, _, n in names):
        return f"{what} were not measured"
    if all(set(n) == {published(c.operation, kind)} for c, kind, n in names):
        return f"{what} are as in docs/contracts.md"
    if all(len(n) == 1 and OTHER not in n for _, _, n in names):
        return f"{what} keep a policy of their own"
    return f"{what} keep no one policy"


def _other(found: Sequence[Finding]) -> Iterator[str]:
    for topic, one_of_them, words in (
        (ERROR, "way to pass rows gives wrong values", "ways to pass rows give wrong values"),
        (CONTRACT, "finding against the contract", "findings against the contract"),
        (TIME, "slow path", "slow paths"),
        (UNMEASURED, "cell not measured whole", "cells not measured whole"),
    ):
        number = len({(one.where, one.key, one.format) for one in found if one.topic == topic})
        if number:
            yield f"{number} {one_of_them if number == 1 else words}"


def _bits(found: Sequence[Finding], presented: bool) -> str:
    ways = [one.where for one in found if one.topic in (BITS, ERROR) and one.where in BY_NAME]
    words = list(dict.fromkeys(BY_NAME[way].words for way in ways))
    if not presented:
        return "the rows were passed in no other way"
    if words:
        return f"the bits of a row depend on {', '.join(words)}"
    return "a row gives the same bits however it is passed"


def _times(verdict: Verdict) -> Iterator[str]:
    found = []
    for to in OWN:
        ratios = [verdict.time_ratio(c.operation, c.format, to) for c in verdict.cells]
        taken = [ratio for ratio in ratios if ratio is not None]
        if taken:
            both = dict.fromkeys(figure(end) for end in (min(taken), max(taken)))
            found.append(f"{' to '.join(both)} times as long as our method `{to}`")
    if found:
        yield f"takes {', '.join(found)}"


# --- A screen ------------------------------------------------------------------------------------


def screen(verdict: Verdict, verbose: bool = False) -> list[str]:
    """What is wrong first, what was asked and held in a line each."""
    found = findings(verdict)
    wrong = [line for topic in (FAILURE, ERROR, POLICY, CONTRACT, TIME, BITS, UNMEASURED)
             for line in grouped([one for one in found if one.topic == topic])]  # fmt: skip
    shown = wrong if verbose else wrong[:SHOWN]
    rest = len(wrong) - len(shown)
    lines = ["What is wrong:", *_in_width(shown, verbose)] if wrong else ["Nothing is wrong."]
    lines += [f"  and {rest} more: --verbose has them all"] * bool(rest)
    why = list(why_words.lines(verdict))
    lines += ["Why:", *_in_width(why, verbose)] if why else []
    return [*lines, "What was asked:", *_in_width(_held(verdict, found), verbose)]


def _in_width(lines: Iterable[str], whole: bool) -> Iterator[str]:
    """Lines of at most WIDTH, those that go on indented; long ones are cut unless `whole`."""
    for line in lines:
        parts = textwrap.wrap(
            line, WIDTH, initial_indent="  ", subsequent_indent="    ",
            max_lines=None if whole else MOST_LINES, placeholder=" …",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        yield from parts


def grouped(found: Sequence[Finding]) -> list[str]:
    """Findings that differ in format alone, or in where bits change, as one line each."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in found:
        where = "" if one.topic == BITS else one.where
        groups.setdefault((one.operation, where, one.key), []).append(one)
    return [_one_line(group) for group in groups.values()]


def _one_line(group: Sequence[Finding]) -> str:
    first = group[0]
    formats = " ".join(name for name in ALL_FORMATS if any(one.format == name for one in group))
    if first.topic == BITS:
        ways = list(dict.fromkeys(one.where for one in group))
        rest = f" and {len(ways) - 4} more ways" * (len(ways) > 4)
        some = ", ".join(ways[:4])
        return f"{first.operation} {formats}: other bits, none further off, for {some}{rest}"
    where = f", {first.where}" if first.where else ""
    return f"{first.operation} {formats}{where}: {first.what}"


def _held(verdict: Verdict, found: Sequence[Finding]) -> Iterator[str]:
    for operation in dict.fromkeys(cell.operation for cell in verdict.cells):
        cells = [c for c in verdict.offered if c.operation == operation]
        if not cells:
            continue
        outputs = sum(way.outputs for cell in cells for way in cell.ways)
        errors = ", ".join(f"{c.format} {in_ulp(c.max_ulp)}" for c in cells)
        ordinary = ", ".join(f"{c.format} {in_ulp(c.ordinary_ulp)}" for c in cells)
        yield f"{TITLES[operation]}: {outputs:,} outputs; any row {errors}; random rows {ordinary}"
    ways = dict.fromkeys(w.presentation for c in verdict.offered for w in c.ways)
    changing = {one.where for one in found if one.topic in (BITS, ERROR, FAILURE)}
    refused = dict.fromkeys(one.where for one in found if one.topic == REFUSED and one.where)
    same = sum(way not in (PLAIN, *changing, *refused) for way in ways)
    yield f"{same} of {len(ways) - 1} other ways to pass the rows change no bit and fail nowhere"
    if refused:
        yield f"refused: {', '.join(refused)}"
    yield from policies(verdict)
    yield from why_words.sums(verdict)
    if verdict.contract:
        asked = dict.fromkeys(one.probe for one in verdict.contract)
        broken = {one.key for one in found if one.topic == CONTRACT}
        kept = [name for name in asked if name not in broken]
        yield f"the contract holds for {', '.join(kept) or 'nothing'}"


def policies(verdict: Verdict) -> Iterator[str]:
    """What special rows give, a line for kinds that give the same."""
    lines: dict[str, list[str]] = {}
    for kind in SPECIAL:
        said: dict[str, list[str]] = {}
        for cell in verdict.offered:
            names = cell.policies.get(kind, {})
            if names:
                said.setdefault(said_of(dict.fromkeys(names, 1)) if len(names) == 1
                                else " or ".join(names), []).append(cell.operation)  # fmt: skip
        if said:
            parts = (f"{name} ({', '.join(dict.fromkeys(ops))})" for name, ops in said.items())
            lines.setdefault("; ".join(parts), []).append(ROWS[kind])
    for words, kinds in lines.items():
        yield f"{', '.join(kinds)}: {words}"


def cell_line(cell: Cell) -> str:
    """One operation in one format, as soon as it is known."""
    failures = counts(cell.failures) or "no failures"
    return f"{cell.operation} {cell.format}: off by up to {in_ulp(cell.max_ulp)}; {failures}"
