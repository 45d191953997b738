"""Answers against exact values: each row judged by its own kind, however it was passed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.inputs.cases import checksum as checksum_of
from bench.inputs.formats import FORMATS
from bench.inputs.kinds import EMPTY, KINDS, SPECIAL, kinds_of
from bench.inputs.probes import named
from bench.judge import policies
from bench.judge.verdicts import PLAIN, Way, Witness, together
from bench.measure import tally
from bench.measure.asking import Answer
from bench.measure.tally import SHORT_ROW, Compared
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format

Places = npt.NDArray[np.intp]
_SPECIAL = [KINDS.index(kind) for kind in SPECIAL]
_EMPTY = KINDS.index(EMPTY)


@dataclass(frozen=True)
class Rows:
    """The batches of a case in a format, and the kinds of their rows."""

    case: str
    format: Format
    batches: Sequence[Batch]

    @cached_property
    def kinds(self) -> list[Places]:
        """Of each batch."""
        return [kinds_of(batch.x) for batch in self.batches]

    @cached_property
    def checksum(self) -> str:
        """Of everything in them."""
        return checksum_of(self.batches)


@lru_cache(maxsize=256)
def rows_of(case: str, format_name: str) -> Rows:
    """The rows of a case; kept, since every operation needs them. Nobody may write to them."""
    format = FORMATS[format_name]
    return Rows(case, format, named(case).batches(format))


def checksum(cases: Sequence[str], format_name: str) -> str:
    """Of the rows of several cases: verdicts are comparable where it agrees."""
    rows = [f"{case} {rows_of(case, format_name).checksum}" for case in sorted(cases)]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(frozen=True)
class Plain:
    """The rows of a case, their exact values, and what came back for them plainly."""

    operation: str
    rows: Rows
    exact: Sequence[Exact]
    outputs: Sequence[FloatArray | None]


@dataclass
class _Seen:
    """Outputs to be judged, batch by batch, and what is known of them without exact values."""

    way: Way
    got: list[FloatArray] = field(default_factory=list)
    exact: list[Exact] = field(default_factory=list)
    kinds: list[Places] = field(default_factory=list)
    places: list[tuple[int, Places, Places, int]] = field(default_factory=list)
    policies: dict[str, Counter[str]] = field(default_factory=dict)


def judged(
    presentation: str, plain: Plain, answers: Sequence[Answer], places: Sequence[int]
) -> Way:
    """What the answers to some batches of a case come to."""
    seen = _Seen(Way(presentation))
    for place, one in zip(places, answers, strict=True):
        _see(seen, plain, place, one)
    counts = {kind: dict(counter) for kind, counter in seen.policies.items()}
    return replace(seen.way, tallies=_tallies(seen, plain), policies=counts)


def _see(seen: _Seen, plain: Plain, place: int, one: Answer) -> None:
    way = seen.way
    where = f"case {plain.rows.case!r}, K = {plain.rows.batches[place].x.shape[1]}"
    if one.outputs is None or one.index is None:
        said = f"{where}: " * (way.presentation == PLAIN) + one.message
        failed = Way(way.presentation, outcomes={one.outcome: 1}, messages=[said])
        seen.way = together(way.presentation, [way, failed])
        return
    if one.flags and way.presentation == PLAIN:
        way = replace(way, flags=dict.fromkeys(one.flags, where) | way.flags)
    before = plain.outputs[place]
    at, changed = np.arange(len(one.index)), 0
    if way.presentation != PLAIN and before is not None:
        other = tally.bits(one.outputs) != tally.bits(before)[one.index]
        changed = int(np.count_nonzero(other))
        at = np.flatnonzero(other.any(axis=1) if other.ndim == 2 else other)
    seen.way = replace(way, outputs=way.outputs + one.outputs.size, changed=way.changed + changed)
    if at.size:
        _look(seen, plain, place, one.outputs[at], one.index[at], at)


def _look(seen: _Seen, plain: Plain, place: int, got: FloatArray, rows: Places, at: Places) -> None:
    """Rows that have a value, to be compared; the policies of those that have none."""
    kinds = plain.rows.kinds[place][rows]
    valued = np.isin(kinds, _SPECIAL, invert=True)
    if not valued.all():
        valued |= _uniform(seen, plain, place, got, rows, kinds)
    width = got.shape[1] if got.ndim == 2 else 1
    some = rows[valued]
    whole = some.size == len(plain.rows.batches[place].x) and np.array_equal(
        some, np.arange(some.size)
    )
    exact = plain.exact[place]
    seen.got.append(got[valued].ravel())
    seen.exact.append(exact if whole else tally.part(exact, some, width))
    seen.kinds.append(np.repeat(kinds[valued], width))
    seen.places.append((place, some, at[valued], width))


def _uniform(
    seen: _Seen, plain: Plain, place: int, got: FloatArray, rows: Places, kinds: Places
) -> npt.NDArray[np.bool_]:
    """Counts policies; rows of -inf alone that keep ours have a value after all."""
    batch = plain.rows.batches[place]
    ours = policies.published(plain.operation, EMPTY)
    found = np.zeros(len(rows), np.bool_)
    for i in np.flatnonzero(np.isin(kinds, _SPECIAL)):
        kind, x = KINDS[kinds[i]], batch.x[rows[i]]
        label = int(batch.labels[rows[i]]) % x.size
        name = policies.named(plain.operation, kind, x, label, got[i])
        seen.policies.setdefault(kind, Counter())[name] += 1
        found[i] = kinds[i] == _EMPTY and name == ours
    return found


def _tallies(seen: _Seen, plain: Plain) -> dict[str, tally.Tally]:
    if not sum(got.size for got in seen.got):
        return {}
    exact = Exact(
        np.concatenate([e.significand for e in seen.exact]),
        np.concatenate([e.fraction for e in seen.exact]),
        np.concatenate([e.exponent for e in seen.exact]),
    )
    ends = np.cumsum([got.size for got in seen.got])

    def where(flat: int) -> Witness:
        which = int(np.searchsorted(ends, flat, side="right"))
        place, rows, at, width = seen.places[which]
        within, column = divmod(flat - int(ends[which] - seen.got[which].size), width)
        elementwise = plain.outputs[place] is None or getattr(plain.outputs[place], "ndim", 2) == 2
        row = int(rows[within])
        batch = plain.rows.batches[place]
        x = batch.x[row]
        return Witness(
            plain.rows.case, place, row, column if elementwise else None, x.size,
            int(batch.labels[row]) % x.size,
            [float(v).hex() for v in x] if x.size <= SHORT_ROW else None,
            "", "", seen.way.presentation, int(at[within]),
        )  # fmt: skip

    return tally.tallied(
        Compared(plain.operation, plain.rows.format, np.concatenate(seen.got), exact,
                 np.concatenate(seen.kinds), where)
    )  # fmt: skip
