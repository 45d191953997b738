"""One part of a hunt: rows of one length, which climb on their own for a round.

A round is a pure function of what is hunted, the state before it and its number: of the seed, not
of time and not of who runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.hunt import boxes as boxed
from bench.hunt.boxes import Boxes
from bench.hunt.domains import DOMAINS, FREE, RUNS
from bench.hunt.moves import Rng, children, crossed
from bench.hunt.numbers import count_runs
from bench.hunt.score import Aim, scored
from bench.hunt.starts import fresh
from bench.inputs.cases import Batch
from bench.inputs.formats import FORMATS
from bench.subjects import specs
from bench.subjects.subject import Subject
from numerics.formats import FloatArray
from numerics.rows import Labels

LOGITS = 2**14
"""Logits of a generation."""
GENERATIONS = 32
"""Generations of a round."""
POPULATION = 192
"""Rows that are kept in a domain, unless rows are long."""
OF_BOX = 16
"""Rows that are tried in each box."""
PATIENCE = 4
"""Rounds without a better row after which an island begins anew with its best rows."""
CHAMPIONS = 4
"""Rows that survive that."""


@dataclass(frozen=True)
class Hunted:
    """What is hunted, as it is handed to another process."""

    subject: str
    operation: str
    format: str
    goal: str
    seed: int

    @property
    def aim(self) -> Aim:
        """The cell."""
        return Aim(self.operation, FORMATS[self.format], self.goal)


@dataclass(frozen=True)
class Herd:
    """The best rows of a domain so far, best first, each score once."""

    x: FloatArray
    labels: Labels
    score: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Island:
    """The state of one length of rows; `stale` rounds have found nothing better in any domain."""

    width: int
    number: int
    herds: tuple[Herd, ...]
    boxes: Boxes | None = None
    tried: int = 0
    failures: int = 0
    stale: int = 0


def empty(width: int, number: int, format_name: str) -> Island:
    """An island where nothing was tried."""
    dtype = FORMATS[format_name].dtype
    herd = Herd(np.empty((0, width), dtype), np.empty(0, np.intp), np.empty(0))
    return Island(width, number, (herd,) * len(DOMAINS))


def evolved(hunted: Hunted, island: Island, number: int, known: FloatArray) -> Island:
    """The island after round `number`; `known` rows, of the same length, are tried first."""
    subject = next(iter(specs.load([hunted.subject])[0].values()))
    rng = np.random.default_rng([hunted.seed, island.width, island.number, number])
    before = [best(herd) for herd in island.herds]
    if island.stale >= PATIENCE:
        herds = tuple(_first(herd, CHAMPIONS) for herd in island.herds)
        island = replace(island, herds=herds, boxes=None, stale=0)
    if len(known):
        labels = rng.integers(0, island.width, len(known))
        island = _tried(subject, hunted.aim, island, known, labels)
    for generation in range(GENERATIONS):
        step = _by_boxes if generation % 4 == 3 else _by_moves
        island = step(rng, subject, hunted.aim, island)
    better = any(best(h) > b for h, b in zip(island.herds, before, strict=True))
    return replace(island, stale=0 if better else island.stale + 1)


def best(herd: Herd) -> float:
    """Its largest score, -1 for none."""
    return float(herd.score[0]) if herd.score.size else -1.0


def _first(herd: Herd, count: int) -> Herd:
    return Herd(herd.x[:count], herd.labels[:count], herd.score[:count])


def _by_moves(rng: Rng, subject: Subject, aim: Aim, island: Island) -> Island:
    """Children of the best rows of each domain, and some rows that come from nowhere."""
    count = max(24, LOGITS // island.width)
    parts = [fresh(rng, (max(6, count // 8), island.width), aim.format)]
    labels = [rng.integers(0, island.width, len(parts[0]))]
    for herd in island.herds:
        if not herd.score.size:
            continue
        # The better a row, the more children it has.
        chosen, other = (
            (len(herd.x) * rng.random(count // len(DOMAINS)) ** power).astype(np.intp)
            for power in (3, 1)
        )
        parents = herd.x[chosen]
        mixed = rng.random((len(chosen), 1)) < 0.15
        parents = np.where(mixed, crossed(rng, parents, herd.x[other]), parents)
        parts.append(children(rng, parents, aim.format))
        of_others = rng.integers(0, island.width, len(chosen))
        labels.append(np.where(rng.random(len(chosen)) < 0.2, of_others, herd.labels[chosen]))
    return _tried(subject, aim, island, np.concatenate(parts), np.concatenate(labels))


def _by_boxes(rng: Rng, subject: Subject, aim: Aim, island: Island) -> Island:
    """Rows of each box; the boxes are split then."""
    boxes, width = island.boxes, island.width
    if boxes is None:
        boxes = boxed.drawn(rng, 2 * boxed.KEPT + boxed.NEW, width, aim.format)
    each = max(1, min(OF_BOX, LOGITS // width // len(boxes.low)))
    x = boxed.rows(rng, boxes, each, aim.format)
    labels = rng.integers(0, width, len(x))
    found = scored(subject, aim, Batch(x, labels), _floor(island))
    island = _kept(island, aim, x, labels, found.score, found.failures)
    largest = found.score.reshape(-1, each).max(axis=1)
    boxes = Boxes(boxes.low, boxes.high, boxes.pattern, largest)
    return replace(island, boxes=boxed.split(rng, boxes, width, aim.format))


def _tried(subject: Subject, aim: Aim, island: Island, x: FloatArray, labels: Labels) -> Island:
    if island.width > FREE:
        few = np.flatnonzero(count_runs(x) <= RUNS)
        x, labels = x[few], labels[few]
    found = scored(subject, aim, Batch(x, labels), _floor(island))
    return _kept(island, aim, x, labels, found.score, found.failures)


def _kept(
    island: Island,
    aim: Aim,
    x: FloatArray,
    labels: Labels,
    score: npt.NDArray[np.float64],
    failures: int,
) -> Island:
    """The island with what is among the best rows of a domain now."""
    size = _size(island.width)
    herds = []
    for domain, herd in zip(DOMAINS, island.herds, strict=True):
        floor = herd.score[-1] if herd.score.size >= size else -1.0
        at = np.flatnonzero(score > floor)
        at = at[domain.holds(x[at], aim.format)] if at.size else at
        herds.append(_merged([herd, Herd(x[at], labels[at], score[at])], size))
    return replace(
        island,
        herds=tuple(herds),
        tried=island.tried + len(x),
        failures=island.failures + failures,
    )


def _size(width: int) -> int:
    """Rows of a herd."""
    return max(24, min(POPULATION, LOGITS // width))


def _floor(island: Island) -> float:
    """What a row has to be above to be the best of a domain."""
    return min(map(best, island.herds))


def _merged(herds: Sequence[Herd], size: int) -> Herd:
    x, labels, score = (
        np.concatenate([getattr(herd, name) for herd in herds]) for name in ("x", "labels", "score")
    )
    # One row of each score: the others are mostly the same row in another order or place.
    values, first = np.unique(score, return_index=True)
    at = first[::-1][:size][values[::-1][:size] > 0]
    return Herd(x[at], labels[at], score[at])
