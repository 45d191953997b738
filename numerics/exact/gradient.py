"""softmax(x)_i - [i = y], on any stage that works with pairs.

With e the exponential of the label's gap, and t the sum of all others, it is softmax but for the
label, where it is -t / (t + e). All terms are positive: nothing cancels, however near 1 softmax is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from numerics.eft import two_sum
from numerics.exact import pairs
from numerics.exact.blocks import Block, blocks
from numerics.exact.logs import vanished, vanishing
from numerics.exact.pairs import Pair
from numerics.exact.rounding import Flags
from numerics.exact.values import Answer, Enclosure, nothing_but
from numerics.formats import FloatArray
from numerics.rows import Labels


class Stage(Protocol):
    """What `extended` and `double_double` have in common."""

    SIZE: int
    ERROR: float
    LOWEST: float
    LEFT_OUT: float

    @property
    def softmax(self) -> Callable[[FloatArray, Flags | None], Iterator[Answer]]:
        """All of it, or what is wanted."""

    @property
    def others(self) -> Callable[[Block, npt.NDArray[np.intp]], Pair]:
        """Sums of a block, one a row, without the column given for it."""

    @property
    def exponential(self) -> Callable[[FloatArray, FloatArray], Pair]:
        """exp(high + low) for LOWEST <= high <= 0."""


def cross_entropy_gradient(
    stage: Stage, x: FloatArray, labels: Labels, wanted: Flags | None
) -> Iterator[Answer]:
    """Softmax, and the labels once more."""
    yield from stage.softmax(x, wanted)
    yield from at_labels(stage, x, labels)


def at_labels(stage: Stage, x: FloatArray, labels: Labels) -> Iterator[Answer]:
    """-t / (t + e) of each row."""
    for rows, block in blocks(x, stage.SIZE):
        at = np.arange(rows.start, rows.start + block.height)
        others = stage.others(block, labels[rows])
        yield (at, labels[rows]), _share(stage, others, _of_label(stage, block, labels[rows]))
        lost = vanishing(x, at[(others[0] > 0) & (others[0] < stage.LEFT_OUT)])
        if lost.size:
            yield (lost, labels[lost]), nothing_but(-0.0, vanished(x, lost))


def _of_label(stage: Stage, block: Block, labels: Labels) -> Pair:
    """exp(x_y - m): 0 for a label on -inf, and exp(LOWEST) for what is less."""
    logit = block.at(labels)
    high, low = two_sum(logit, -block.largest)
    beyond = ~(high >= stage.LOWEST)
    high, low = np.where(beyond, stage.LOWEST, high), np.where(beyond, 0.0, low)
    masked = np.isneginf(logit)
    found = stage.exponential(high, low)
    return np.where(masked, 0.0, found[0]), np.where(masked, 0.0, found[1])


def _share(stage: Stage, others: Pair, of_label: Pair) -> Enclosure:
    """-t / (t + e); an exact 0 where no other logit is finite."""
    high, low = pairs.multiply(others, pairs.reciprocal(pairs.add(others, of_label)))
    error = np.where(high > 0, high * stage.ERROR + stage.LEFT_OUT, 0.0)
    return Enclosure(0.0 - high, 0.0 - low, error)
