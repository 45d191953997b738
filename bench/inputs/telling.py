"""Rows on which formulas differ: what each of them rounds, overflows or loses stands out here.

K is small, so that the order of a sum says little. Labels go round.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bench.inputs.builders import Batches, Generator
from bench.inputs.cases import Batch
from bench.inputs.probe_rows import Rows
from numerics.formats import FloatArray, Format

ROWS = 160
"""Of each kind and length."""
LENGTHS = (2, 8)
"""Few, since there are libraries that compile for each shape."""


def formulas(format: Format, rng: Generator) -> Batches:
    """A batch for each K."""
    return [_mixture(format, rng, K) for K in LENGTHS]


def _mixture(format: Format, rng: Generator, K: int) -> Rows:
    reach = -math.log(format.smallest_normal)
    kinds = (_beside_a_large_one, _spread, _confident, _more_confident, _far_up, _far_down,
             _sum_near_1, _below_0)  # fmt: skip
    return np.concatenate([kind(rng, K, reach) for kind in kinds])


def _beside_a_large_one(rng: Generator, K: int, reach: float) -> Rows:
    """Small logits have places that the shift by a large one rounds away."""
    rows = rng.normal(size=(ROWS, K))
    rows[:, 0] = rng.uniform(0.3, 0.95, ROWS) * reach
    rows[: ROWS // 4, 0] = 0.1  # these are small throughout, beside rows that are not
    return rng.permuted(rows, axis=1)


def _spread(rng: Generator, K: int, reach: float) -> Rows:
    return rng.normal(scale=reach / 12, size=(ROWS, K))


def _confident(rng: Generator, K: int, reach: float) -> Rows:
    """A sum so near to 1 that its logarithm has few digits, or none."""
    rows = rng.uniform(-0.95, -0.05, size=(ROWS, K)) * reach
    rows[:, 0] = 0
    rows += rng.choice([0.0, 0.0, 2.0, -3.0], size=(ROWS, 1)) * rng.random((ROWS, 1))
    return rng.permuted(rows, axis=1)


def _more_confident(rng: Generator, K: int, reach: float) -> Rows:
    """Further: a wider format loses these digits, too."""
    rows: Rows = rng.uniform(-1.65 * reach, -0.9 * reach, size=(ROWS, K))
    rows[:, 0] = 0
    return rows


def _far_up(rng: Generator, K: int, reach: float) -> Rows:
    """Exponentials overflow."""
    rows: Rows = rng.normal(size=(ROWS, K))
    return rows + rng.uniform(1.3, 1.9, size=(ROWS, 1)) * reach


def _far_down(rng: Generator, K: int, reach: float) -> Rows:
    """Exponentials are subnormal numbers, or 0."""
    rows: Rows = rng.normal(size=(ROWS, K))
    return rows - rng.uniform(1.02, 1.4, size=(ROWS, 1)) * reach - 1


def _sum_near_1(rng: Generator, K: int, reach: float) -> Rows:
    """Log-sum-exp is near 0: the largest logit and the logarithm cancel."""
    rows: Rows = rng.normal(size=(ROWS, K))
    log_sum: Rows = np.log(np.exp(rows).sum(axis=1, keepdims=True))
    near: Rows = 1 + rng.normal(scale=0.02, size=(ROWS, 1))
    return rows - log_sum * near


def _below_0(rng: Generator, K: int, reach: float) -> Rows:
    rows: Rows = rng.normal(scale=reach / 16, size=(ROWS, K))
    largest: Rows = rows.max(axis=1, keepdims=True)
    return rows - largest - rng.uniform(0.05, 0.5, size=(ROWS, 1)) * reach


# --- Habits --------------------------------------------------------------------------------------

OCTAVES, DEEP, DEEP_AMONG_MORE = "octaves", "deep", "deep, among more"
SUBNORMAL_TERMS, SUBNORMAL_RESULTS = "subnormal exponentials", "subnormal results"
TINY, HALVES, LONG = "subnormal logits", "halves", "long"
LONG_K = 2**14


def habits(format: Format, operation: str) -> dict[str, Batch]:
    """Rows that show what is done beside a formula, by what they show.

    The label is on the last logit for cross-entropy, and on another one for its gradient; of
    octaves, the other way round. Lengths are those of the formulas, so that a library that compiles
    for each shape compiles little.
    """
    reach = -math.log(format.smallest_normal)
    rng = np.random.default_rng(42)
    beside = np.linspace(0.1, 2.4, 24)
    far = -reach * np.linspace(1.9, 2.4, 24)
    few, more = LENGTHS
    long = np.repeat(rng.uniform(-1.5, -0.2, size=(6, 1)), LONG_K, axis=1)
    long[:, 0] = 0
    of_a_sum = beside * math.log(more - 1.5) / beside.max()  # their exponentials are normal
    rows = {
        OCTAVES: _last_of(few, -np.add.outer(np.arange(3) * math.log(2), _fractions()).ravel()),
        DEEP: _last_of(few, far),
        DEEP_AMONG_MORE: _last_of(more, far),
        SUBNORMAL_TERMS: _last_of(few, -reach - beside * (format.precision > 12)),
        SUBNORMAL_RESULTS: _last_of(more, of_a_sum - reach),
        HALVES: _last_of(few, rng.uniform(-0.69, -0.01, 600)),
        LONG: long,
    }
    if operation == "log_sum_exp":
        rows[TINY] = format.smallest_normal * np.linspace(0.1, 0.9, 24)[:, np.newaxis]
    return {name: _labelled(name, x.astype(format.dtype), operation) for name, x in rows.items()}


def _fractions() -> npt.NDArray[np.float64]:
    return np.linspace(0.02, math.log(2), 64)


def _last_of(K: int, last: npt.NDArray[np.float64]) -> Rows:
    """Rows of zeros but for the last logit."""
    return np.concatenate([np.zeros((last.size, K - 1)), last[:, np.newaxis]], axis=1)


def _labelled(name: str, x: FloatArray, operation: str) -> Batch:
    last = (operation == "cross_entropy") != (name == OCTAVES)
    return Batch(x, np.full(len(x), x.shape[1] - 1 if last else 0))
