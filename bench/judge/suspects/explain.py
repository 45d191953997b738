"""The formula and the habits behind a subject's outputs, asked of it where it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from bench.inputs import telling
from bench.inputs.cases import Batch
from bench.judge.suspects import contest, habits
from bench.judge.suspects.contest import Asked, offsets, places
from bench.judge.suspects.explanation import Explanation
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
    got = _outputs(rows, ask)
    if len(got) < len(rows):
        return said
    seen = habits.found(Shown(operation, format, rows, got, formula))
    return replace(said, habits=seen)


def _outputs(rows: Mapping[str, Batch], ask: Ask) -> dict[str, FloatArray]:
    """What comes back for rows by name, those of one length asked for together."""
    by_length: dict[int, list[str]] = {}
    for name, batch in rows.items():
        by_length.setdefault(batch.x.shape[1], []).append(name)
    together = [
        Batch(np.concatenate([rows[name].x for name in names]),
              np.concatenate([rows[name].labels for name in names]))
        for names in by_length.values()
    ]  # fmt: skip
    found: dict[str, FloatArray] = {}
    for names, answer in zip(by_length.values(), ask(together), strict=True):
        if answer.outputs is not None:
            ends = np.cumsum([len(rows[name].x) for name in names])[:-1]
            found.update(zip(names, np.split(answer.outputs, ends), strict=True))
    return found


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
