"""The formula and the habits behind a subject's outputs, asked of it where it lives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from bench.inputs import telling
from bench.inputs.cases import Batch
from bench.judge.suspects import contest, habits
from bench.judge.suspects.contest import Asked, offsets, places
from bench.judge.suspects.explanation import Explanation, Habit
from bench.judge.suspects.habits import Shown
from bench.measure.asking import Answer
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format

Ask: TypeAlias = Callable[[Sequence[Batch]], Sequence[Answer]]
"""How batches are passed to the subject, plainly."""


def explained(
    operation: str, format: Format, batches: Sequence[Batch], exact: Sequence[Exact], ask: Ask
) -> Explanation | None:
    """What is behind the outputs for the rows of `telling.formulas`; None without any outputs."""
    answers = [one.outputs for one in ask(batches)]
    outputs = [one for one in answers if one is not None]
    if len(outputs) < len(answers):
        return None
    asked = _asked(operation, format, batches, exact, outputs)
    said, formula = contest.decided(asked)
    rows = telling.habits(format, operation)
    got = _outputs(rows, {batch.x.shape for batch in batches}, ask)
    if len(got) < len(rows):
        return said
    seen = habits.found(Shown(operation, format, rows, got, formula))
    if formula is not None and formula.arithmetic.errs > 1 and said.share is not None:
        seen = [Habit(COARSE_EXP, said.share, said.telling), *seen]
    return replace(said, habits=seen)


COARSE_EXP = f"exponentials or logarithms that err by up to {contest.COARSE} places"


def _outputs(
    rows: Mapping[str, Batch], shapes: Collection[tuple[int, ...]], ask: Ask
) -> dict[str, FloatArray]:
    """What comes back for rows by name; those of one length are asked together.

    In one of the `shapes` that were asked before, where they fit: the last row is repeated.
    """
    by_length: dict[int, list[str]] = {}
    for name, batch in rows.items():
        by_length.setdefault(batch.x.shape[1], []).append(name)
    together = [_filled([rows[name] for name in names], shapes) for names in by_length.values()]
    found: dict[str, FloatArray] = {}
    for names, answer in zip(by_length.values(), ask(together), strict=True):
        if answer.outputs is not None:
            ends = np.cumsum([len(rows[name].x) for name in names])
            found.update(zip(names, np.split(answer.outputs, ends)[: len(names)], strict=True))
    return found


def _filled(batches: Sequence[Batch], shapes: Collection[tuple[int, ...]]) -> Batch:
    """Batches of one length as one, of as many rows as in a shape that has room for them."""
    x = np.concatenate([batch.x for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    room = [rows for rows, K in shapes if x.shape[1] == K and rows >= len(x)]
    rows = min(room, default=len(x))
    index = np.minimum(np.arange(rows), len(x) - 1)
    return Batch(x[index], labels[index])


def _asked(
    operation: str,
    format: Format,
    batches: Sequence[Batch],
    exact: Sequence[Exact],
    outputs: Sequence[FloatArray],
) -> Asked:
    """What is subnormal says nothing of a formula, but of processors that take it for 0."""
    values = np.concatenate([one.rounded(format).ravel() for one in exact])
    least = 2 * format.smallest_normal if format.precision > 12 else 0
    usable = np.abs(values.astype(np.float64)) > least
    got = np.concatenate([places(np.ascontiguousarray(one)).ravel() for one in outputs])
    nearest = places(values)
    return Asked(operation, format, batches, nearest, offsets(got, nearest), usable)
