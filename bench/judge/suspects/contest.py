"""Which formula outputs follow: intervals of what formulas say, against what a subject returned.

Two programs with one formula rarely have the same bits, since their exponentials and the order of
their sums differ. So a formula is held to the interval in which some programs of it come out, and
only outputs count where that is further from the exact value, or from another formula's interval,
than it is wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.judge.suspects.arithmetic import Arithmetic, arithmetics
from bench.judge.suspects.explanation import Explanation
from bench.judge.suspects.formulas import SUSPECTS, Suspect
from numerics.formats import FloatArray, Format
from numerics.rows import Labels

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Pair: TypeAlias = tuple[Suspect, Arithmetic]
NO_NUMBER = np.iinfo(np.int64).max
"""The place of NaN."""
AWAY, NOWHERE = 2**60, 2**61
"""Offsets go no further than the first, so that their differences are numbers; that of NaN does."""
FINALISTS = 8
"""So many formulas get intervals: those that come nearest as they stand."""
NEAR = 4
"""Places within which a formula as it stands counts as near."""
COARSE = 3
"""Places by which exponentials may err where they err by more than one."""
FEWEST, FEWEST_OF_TWO = 40, 8
"""Fewer telling outputs tell nothing; of two formulas that both hold, these decide."""
AT_LEAST = 0.95
"""The share of the telling outputs that names a formula; docs/verdict.md has measured shares."""


def places(x: FloatArray) -> Places:
    """The places of numbers among those of their format; neighbours differ by 1.

    >>> places(np.array([0.0, -0.0, 5e-324, -5e-324])).tolist()
    [0, 0, 1, -1]
    """
    bits = x.view(f"i{x.itemsize}").astype(np.int64)
    magnitude = bits & np.int64(2 ** (8 * x.itemsize - 1) - 1)
    return np.where(np.isnan(x), NO_NUMBER, np.where(bits < 0, -magnitude, magnitude))


def offsets(found: Places, origin: Places) -> Places:
    """How many places numbers are from others.

    >>> here = places(np.array([1.0, -1.0, np.nan, -np.inf]))
    >>> [int(n) for n in offsets(here, places(np.array([1.0, -1.0 + 2**-53, 1.0, np.inf])))]
    [0, -1, 2305843009213693952, -1152921504606846976]
    """
    about = found.astype(np.float64) - origin.astype(np.float64)
    far = np.where(about > 0, AWAY, -AWAY)
    with np.errstate(over="ignore"):
        near = np.where(np.abs(about) < AWAY, found - origin, far)
    return np.where(found == NO_NUMBER, NOWHERE, near)


@dataclass(frozen=True)
class Asked:
    """Outputs of an operation for rows in a format, as offsets from the `nearest` places, flat.

    `usable`: those that say something of a formula at all.
    """

    operation: str
    format: Format
    batches: Sequence[Batch]
    nearest: Places
    got: Places
    usable: Flags


EXACT = np.zeros(1, np.int64)
"""The offset of the number nearest to the exact value."""


@dataclass(frozen=True)
class Hypothesis:
    """A formula in an arithmetic, and between which offsets its outputs lie."""

    suspect: Suspect
    arithmetic: Arithmetic
    low: Places
    high: Places

    @property
    def name(self) -> str:
        """In words."""
        return ", ".join(filter(None, (self.suspect.name, self.arithmetic.words)))

    def apart(self, low: Places, high: Places) -> Flags:
        """Where others are further off than the intervals are wide."""
        width = np.maximum(self.high - self.low, high - low)
        apart: Flags = (self.low - high > width) | (low - self.high > width)
        return apart


@dataclass(frozen=True)
class Result:
    """A formula, where it tells, and which outputs it explains."""

    hypothesis: Hypothesis
    telling: Flags
    has: Flags

    @property
    def share(self) -> float:
        """Of the outputs that tell it."""
        return share_of(self.has, self.telling)


def share_of(has: Flags, telling: Flags) -> float:
    """Of some outputs, those that are explained.

    >>> share_of(np.array([True, False, True]), np.array([True, True, False]))
    0.5
    """
    count = int(np.count_nonzero(telling))
    return int(np.count_nonzero(has & telling)) / count if count else 0.0


def decided(asked: Asked) -> tuple[Explanation, Hypothesis | None]:
    """The formula that outputs follow, if there is one; of 16 bits no program errs by more."""
    pairs = _finalists(asked)
    found, formula = _decided(asked, pairs)
    own = asked.format.dtype
    if formula is None and own.itemsize > 2:
        coarse = [(suspect, replace(by, errs=COARSE) if by.work == own else by)
                  for suspect, by in pairs]  # fmt: skip
        again, formula = _decided(asked, coarse)
        if formula is not None and formula.arithmetic.errs == COARSE:
            return again, formula
        return found, None
    return found, formula


def _decided(asked: Asked, pairs: Sequence[Pair]) -> tuple[Explanation, Hypothesis | None]:
    finalists = [_interval(*pair, asked) for pair in pairs]
    results = sorted((_result(one, finalists, asked) for one in finalists),
                     key=lambda one: -one.share)  # fmt: skip
    right = share_of(asked.got == 0, asked.usable)
    held = [one for one in results if _holds(one, results, asked)]
    named = [one for one in held if not any(_beats(other, one, asked) for other in held)]
    if not named:
        best = max(results, key=lambda one: _strength(one, asked))
        count = int(np.count_nonzero(_from_exact(best, asked)))
        return Explanation("", None, count, best.hypothesis.name, _strength(best, asked),
                           nearest=right), None  # fmt: skip
    first = min(named, key=lambda one: finalists.index(one.hypothesis))
    others = [one for one in results if one not in named]
    rival = max(others, key=lambda one: share_of(one.has, first.telling), default=None)
    suspect = first.hypothesis.suspect
    return Explanation(
        first.hypothesis.name,
        first.share,
        int(np.count_nonzero(first.telling)),
        rival.hypothesis.name if rival else "",
        share_of(rival.has, first.telling) if rival else None,
        [one.hypothesis.name for one in named if one is not first],
        cure=suspect.cure,
        nearest=right,
    ), first.hypothesis


def _holds(one: Result, results: Sequence[Result], asked: Asked) -> bool:
    """Whether a formula holds where it is told from the exact value, and from every other one."""
    groups = [_from_exact(one, asked)]
    for other in results:
        if other is not one:
            rival = other.hypothesis
            groups.append(one.hypothesis.apart(rival.low, rival.high) & asked.usable)
    telling = [group for group in groups if np.count_nonzero(group) >= FEWEST]
    return bool(np.count_nonzero(groups[0]) >= FEWEST) and all(
        share_of(one.has, group) >= AT_LEAST for group in (one.telling, *telling)
    )


def _strength(one: Result, asked: Asked) -> float:
    """How near a formula comes to holding: the lesser share of what tells it."""
    from_exact = _from_exact(one, asked)
    if np.count_nonzero(from_exact) < FEWEST:
        return 0.0
    return min(one.share, share_of(one.has, from_exact))


def _beats(one: Result, other: Result, asked: Asked) -> bool:
    """Whether one of two formulas that hold has the few outputs that tell them apart."""
    rival = other.hypothesis
    telling = one.hypothesis.apart(rival.low, rival.high) & asked.usable
    count = np.count_nonzero(telling)
    return bool(count >= FEWEST_OF_TWO and share_of(one.has, telling) >= AT_LEAST)


def _from_exact(one: Result, asked: Asked) -> Flags:
    """Where a formula is told from the exact value."""
    return one.hypothesis.apart(EXACT, EXACT) & asked.usable


def _result(one: Hypothesis, finalists: Sequence[Hypothesis], asked: Asked) -> Result:
    telling = one.apart(EXACT, EXACT)
    for other in finalists:
        if other is not one:
            telling |= one.apart(other.low, other.high)
    return Result(one, telling & asked.usable, (one.low <= asked.got) & (asked.got <= one.high))


# --- What formulas say ---------------------------------------------------------------------------


def _finalists(asked: Asked) -> list[Pair]:
    """Formulas that come near as they stand, in the order of the tables."""
    pairs = list(_all(asked.operation, asked.format))
    near = [share_of(np.abs(said(*pair, asked) - asked.got) <= NEAR, asked.usable)
            for pair in pairs]  # fmt: skip
    best = np.argsort([-share for share in near], kind="stable")[:FINALISTS]
    return [pairs[place] for place in sorted(best)]


def _all(operation: str, format: Format) -> Iterator[Pair]:
    for arithmetic in arithmetics(format):
        for suspect in SUSPECTS[operation]:
            yield suspect, arithmetic


def _interval(suspect: Suspect, arithmetic: Arithmetic, asked: Asked) -> Hypothesis:
    """Between which places some programs of a formula come out, and a little more."""
    found = np.stack([said(suspect, one, asked) for one in arithmetic.varied(0)])
    low, high = found.min(axis=0), found.max(axis=0)
    of_work, of_format = arithmetic.work.itemsize, asked.format.dtype.itemsize
    more = (high - low + 1) // (4 if of_work >= of_format else 1)  # what is narrower is coarse
    more += of_work == of_format > 2  # neither what is rounded afterwards nor 16 bits has noise
    more = np.where((low == NOWHERE) | (high == NOWHERE), 0, more)
    return Hypothesis(suspect, arithmetic, low - more, high + more)


def said(suspect: Suspect, by: Arithmetic, asked: Asked) -> Places:
    """What one program says, as offsets."""
    found = flat(asked.batches, asked.format, suspect.program(by), by.work)
    return offsets(found, asked.nearest)


def flat(
    batches: Sequence[Batch],
    format: Format,
    program: Callable[[FloatArray, Labels], FloatArray],
    work: np.dtype[Any],
) -> Places:
    """The places of what a program makes of batches, in a format, one after another."""
    with np.errstate(all="ignore"):
        made = [program(b.x.astype(work), b.labels) for b in batches]
        return np.concatenate([places(one.astype(format.dtype)).ravel() for one in made])
