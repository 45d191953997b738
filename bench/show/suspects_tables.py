"""The table of docs/verdict.md: which formulas were named of whom, and how surely. Formats only."""

from __future__ import annotations

from collections.abc import Sequence

from bench.judge.suspects.contest import FEWEST
from bench.judge.suspects.rates import Rate
from bench.show.markdown import TITLES, markdown
from bench.show.why_words import percent
from numerics import FORMATS

UNNAMED = "none"


def table(found: Sequence[Rate]) -> str:
    """A row for each operation and formula: whose, in which share at least, the next at most."""
    groups: dict[tuple[str, str], list[Rate]] = {}
    for one in found:
        name = one.found.name + (" (or others)" if one.found.alike else "")
        groups.setdefault((one.operation, name or UNNAMED), []).append(one)
    order = {name: place for place, name in enumerate(TITLES)}
    rows = [
        [TITLES[operation], name, _whose(group), *_figures(group)]
        for (operation, name), group in sorted(
            groups.items(), key=lambda item: (order[item[0][0]], item[0][1] == UNNAMED)
        )
    ]
    headers = ["operation", "named", "of", "share at least", "of outputs", "next at most"]
    return markdown(headers, rows, text=3)


def _whose(group: Sequence[Rate]) -> str:
    formats: dict[str, list[str]] = {}
    for one in group:
        formats.setdefault(one.subject, []).append(one.format)
    return ", ".join(
        name if len(of) == len(FORMATS) else f"{name} ({' '.join(of)})"
        for name, of in formats.items()
    )


def _figures(group: Sequence[Rate]) -> list[str]:
    """Of what has no name: the share of the nearest formula, where enough outputs tell it."""
    told = [one.found for one in group if one.found.telling >= FEWEST]
    following = percent(max((one.next_share or 0.0 for one in told), default=None))
    if not group[0].found.name:
        return ["", "", following]
    shares = [one.found.share or 0.0 for one in group]
    return [percent(min(shares)), f"{min(one.found.telling for one in group):,}", following]


def summary(found: Sequence[Rate]) -> str:
    """How many names are right, wrong and held back, where sources say what is right."""
    known = [one for one in found if one.source is not None]
    right = [one for one in known if one.found.name and not one.wrong]
    silent = [one for one in known if one.source and not one.found.name]
    none = [one for one in known if one.source == "" and not one.found.name]
    least = min((one.found.share or 0.0 for one in right), default=0.0)
    most = max((one.found.next_share or 0.0 for one in none if one.found.telling >= FEWEST),
               default=0.0)  # fmt: skip
    wrong = sum(one.wrong for one in known)
    return (
        f"Where sources say what is right, {len(right)} names are right, {wrong} wrong, and "
        f"{len(silent)} held back; of {len(none)} functions with none of these formulas none gets "
        f"a name. The smallest share of a right name is {percent(least)}, the largest share where "
        f"none is right {percent(most)}."
    )
