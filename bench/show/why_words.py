"""Why a subject errs as it does: its formula, what is done beside it, and what helps. Formats only.

What a method costs is read from the committed run, where there is one.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from bench.inputs.kinds import SPECIAL
from bench.judge.findings import ROWS
from bench.judge.suspects.cures import CURES
from bench.judge.suspects.explanation import Explanation
from bench.judge.suspects.special import by_formula
from bench.judge.verdicts import Cell, Verdict
from bench.runs.committed import COMMITTED
from bench.show.markdown import TITLES, figure

THROUGHPUT = COMMITTED / "throughput.csv"
RIGHT = 0.999
"""From this share of nearest numbers on, that is what there is to say."""


def lines(verdict: Verdict) -> Iterator[str]:
    """A line for each formula of an operation, and one for what helps, once for all formats."""
    by_cure: dict[tuple[str, str], list[Cell]] = {}
    for group in _groups(verdict):
        first = _explanation(group[0])
        yield f"{_place(group)}: {_formula(group)}{_habits(first)}"
        if first.cure:
            by_cure.setdefault((group[0].operation, first.cure), []).extend(group)
    yield from special(verdict)
    for (operation, _), cells in by_cure.items():
        yield f"{TITLES[operation]}: {cure(cells)}"


def _groups(verdict: Verdict) -> list[list[Cell]]:
    """Cells of one operation, formula and habits, together."""
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in verdict.offered:
        found = cell.formula
        if found is not None:
            habits = tuple(habit.name for habit in found.habits)
            right = not found.name and (found.nearest or 0) >= RIGHT
            key = cell.operation, found.name, habits, right, len(found.alike)
            groups.setdefault(key, []).append(cell)
    return list(groups.values())


def _explanation(cell: Cell) -> Explanation:
    assert cell.formula is not None
    return cell.formula


def _place(group: Sequence[Cell]) -> str:
    return f"{TITLES[group[0].operation]} {' '.join(cell.format for cell in group)}"


def _formula(group: Sequence[Cell]) -> str:
    found = [_explanation(cell) for cell in group]
    if not found[0].name:
        return _unknown(found)
    names = [cell.format for cell in group]
    said = [" telling outputs", *[""] * len(names[1:])]
    told = ", ".join(
        f"{percent(one.share)} of {one.telling:,}{outputs}{f' in {name}' * bool(names[1:])}"
        for one, name, outputs in zip(found, names, said, strict=True)
    )
    following = max(found, key=lambda one: one.next_share or 0.0)
    rival = f" (next: {percent(following.next_share)})" if following.next_name else ""
    return f"computes as {found[0].name}{_or(found[0])}: {told}{rival}"


def _or(found: Explanation) -> str:
    """Formulas that nothing told apart from it."""
    if not found.alike:
        return ""
    return f" or as {found.alike[0]}" if len(found.alike) == 1 else (
        f" or as one of {len(found.alike)} formulas that do the same here"
    )  # fmt: skip


def _unknown(found: Sequence[Explanation]) -> str:
    nearest = min(one.nearest or 0.0 for one in found)
    if nearest >= RIGHT:
        return (
            f"{percent(nearest)} of its results are the nearest numbers, as if computed in a wider "
            "format and rounded once"
        )
    best = max(found, key=lambda one: one.next_share or 0.0)
    said = "no known formula explains its results"
    if not best.telling or not best.next_share:
        return said
    return f"{said} (the nearest, {best.next_name}: {percent(best.next_share)} of {best.telling:,})"


def _habits(found: Explanation) -> str:
    return "".join(
        f"; {habit.name} ({percent(habit.share)} of {habit.telling:,})" for habit in found.habits
    )


def percent(share: float | None) -> str:
    """A share of outputs: 100 % is all of them, to the last.

    >>> percent(1.0), percent(0.99996), percent(0.9951), percent(0.42)
    ('100 %', '99.99 %', '99.5 %', '42 %')
    """
    if share is None or share == 1:
        return "100 %" if share == 1 else "-"
    if share >= RIGHT:
        return f"{min(100 * share, 99.99):.2f} %"
    return f"{100 * share:.3g} %"


# --- Special rows --------------------------------------------------------------------------------

OF_FORMULA, APART = "come out as the formula makes them", "are treated apart from the formula"


def special(verdict: Verdict) -> Iterator[str]:
    """Whether special rows come out as the formula makes them, or are treated apart from it."""
    said: dict[str, list[str]] = {}
    for operation in dict.fromkeys(cell.operation for cell in verdict.offered):
        offered = [cell for cell in verdict.offered if cell.operation == operation]
        cells = [cell for cell in offered if cell.formula and cell.formula.name]
        found: dict[str, list[str]] = {}
        for kind in SPECIAL if cells else ():
            found.setdefault(_source(cells, kind), []).append(ROWS[kind])
        parts = [f"{_and(found[words])} {words}" for words in (OF_FORMULA, APART) if words in found]
        if parts:
            title = TITLES[operation] if len(cells) == len(offered) else _place(cells)
            said.setdefault("; ".join(parts), []).append(title)
    for words, titles in said.items():
        yield f"{', '.join(titles)}: {words}"


def _source(cells: Sequence[Cell], kind: str) -> str:
    """Nothing where rows of a kind come out in several ways, some of them the formula's."""
    pairs = [(set(cell.policies.get(kind, ())),
              by_formula(cell.operation, _explanation(cell).name, kind))
             for cell in cells]  # fmt: skip
    if all(got and got <= alone for got, alone in pairs):
        return OF_FORMULA
    return APART if all(got and alone and not got & alone for got, alone in pairs) else ""


def _and(words: Sequence[str]) -> str:
    """Several as one.

    >>> _and(["rows of -inf alone", "rows with +inf", "rows with NaN"])
    'rows of -inf alone, rows with +inf and rows with NaN'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


# --- Sums ----------------------------------------------------------------------------------------


def sums(verdict: Verdict) -> Iterator[str]:
    """Whether random rows of softmax add up to 1, and whether one can draw from them."""
    found = [(cell.format, cell.sums) for cell in verdict.offered if cell.sums is not None]
    found = [(name, one) for name, one in found if one.rows]
    if not found:
        return
    defects = ", ".join(f"{name} {one.defect:.2g}" for name, one in found)
    refusals = [
        f"{count:,} of {one.rows:,} {name} rows{how}"
        for name, one in found
        for count, how in ((one.refused, ""), (one.refused_as_fp64, " as fp64"))
        if count and (how == "" or name != "fp64")
    ]
    refused = f"refuses {', '.join(refusals)}: docs/verdict.md#rows-that-sum-to-1"
    takes = refused if refusals else "takes all of them"
    yield f"rows of softmax are 1 in sum within {defects}; numpy's Generator.choice {takes}"


# --- What helps ----------------------------------------------------------------------------------


def cure(group: Sequence[Cell]) -> str:
    """What is lost, which method keeps it, what that costs, and where to read on."""
    found = CURES[_explanation(group[0]).cure]
    parts: dict[str, list[str]] = {}
    for cell in group:
        parts.setdefault(found.method_in(cell.format), []).append(cell.format)
    methods = " and ".join(
        f"`{method}`{_costs(method, group[0].operation, formats)}"
        for method, formats in parts.items()
    )
    keeps = "keeps it" if len(parts) == 1 else "keep it"
    return f"{found.loses}; {methods} {keeps}: {found.page}"


def _costs(method: str, operation: str, formats: Sequence[str]) -> str:
    ratios = [cost(method, operation, name) for name in formats]
    known = [f"{figure(ratio)} in {name}" for name, ratio in zip(formats, ratios, strict=True)
             if ratio is not None]  # fmt: skip
    return f" (the time of `stable` times {', '.join(known)})" if known else ""


def cost(method: str, operation: str, format_name: str) -> float | None:
    """Time over that of `stable`, geometric mean over K; None where no run is committed."""
    times = _times(THROUGHPUT)
    ratios = [
        times[key] / times[("stable", *key[1:])]
        for key in times
        if key[:3] == (method, operation, format_name) and ("stable", *key[1:]) in times
    ]
    return statistics.geometric_mean(ratios) if ratios and method != "stable" else None


@lru_cache(maxsize=1)
def _times(path: Path) -> dict[tuple[str, str, str, str], float]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as lines_of:
        return {
            (row["subject"], row["operation"], row["format"], row["columns"]):
            float(row["ns_per_element"]) for row in csv.DictReader(lines_of)
        }  # fmt: skip
