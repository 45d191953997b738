"""The inputs: each case is named, seeded, labelled, and there for a reason. Knows no subject.

Families: `lab` (the eight of the teaching lab, to the letter), `special` (rows of the special-value
policy), `adversarial` (ordinary numbers where methods break), `random` (what people compute),
`exhaustive` (every input of a kind, so that a maximum is the maximum; all others are samples).
A case may hold several batches, when its rows have different lengths.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs import builders
from bench.inputs.builders import Batches, Generator
from numerics.formats import ALL_FORMATS, FloatArray, Format

SEED = 42
EFFORTS = ("quick", "normal", "full")
LAB_LABEL = 1

INF = np.inf
NAN = np.nan


@dataclass(frozen=True)
class Batch:
    """Rows in one format, shape (rows, K), with a label each."""

    x: FloatArray
    labels: npt.NDArray[np.intp]

    @property
    def labels_in_range(self) -> bool:
        """Whether cross-entropy and its gradient are defined for every row."""
        return bool(((self.labels >= 0) & (self.labels < self.x.shape[1])).all())


@dataclass(frozen=True)
class Case:
    """A named input, the reason why it is there, and how to build its batches for a format."""

    name: str
    family: str
    reason: str
    build: Callable[[Format, Generator], Batches]
    effort: str = "quick"
    formats: tuple[str, ...] = tuple(ALL_FORMATS)

    @property
    def slug(self) -> str:
        """The name as it stands in test ids."""
        return self.name.replace(" ", "_")

    def batches(self, format: Format) -> list[Batch]:
        """The rows, rounded to the format; the stream is keyed by the name of the case alone."""
        rng = np.random.default_rng([SEED, *self.name.encode()])
        with np.errstate(over="ignore"):
            arrays = [np.asarray(x).astype(format.dtype) for x in self.build(format, rng)]
        return [Batch(np.atleast_2d(x), self._labels(np.atleast_2d(x))) for x in arrays]

    def _labels(self, x: FloatArray) -> npt.NDArray[np.intp]:
        rows, length = x.shape
        return np.full(rows, LAB_LABEL) if self.family == "lab" else np.arange(rows) % length


def checksum(batches: Sequence[Batch]) -> str:
    """sha256 of shapes, dtypes, bits and labels: two runs are comparable when it agrees."""
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(f"{batch.x.dtype.name}{batch.x.shape}".encode())
        digest.update(np.ascontiguousarray(batch.x, batch.x.dtype.newbyteorder("<")).tobytes())
        digest.update(batch.labels.astype("<i8").tobytes())
    return digest.hexdigest()


def at_effort(effort: str) -> list[Case]:
    """The cases that run at an effort: its own and those of the smaller ones."""
    level = EFFORTS.index(effort)
    return [case for case in CASES if EFFORTS.index(case.effort) <= level]


def named(name: str) -> Case:
    """The case of a name; KeyError where there is none.

    >>> named("[0, -40]").family
    'adversarial'
    """
    return {case.name: case for case in CASES}[name]


LAB: tuple[tuple[str, Any, str], ...] = (
    ("small magnitudes", [0.1, 0.2, 0.3, 0.4, 0.5], "nothing can go wrong"),
    ("mixed magnitudes", [-3.0, 0.0, 1.0, 2.0, 5.0], "ordinary logits"),
    ("large positive", [1.0, 92.0, 3.0, 0.0, 2.0], "exp(92) overflows fp32 and fp16"),
    (
        "large negative",
        [-100.0, -200.0, -300.0, -400.0, -500.0],
        "exp(-100) is subnormal in fp32 and 0 in fp16",
    ),
    ("all identical", [5.0, 5.0, 5.0, 5.0, 5.0], "a uniform distribution"),
    ("masked entry", [1.0, -INF, 3.0, 0.0, 2.0], "-inf on the mask, and the label on it"),
    ("single element", [42.0], "K = 1: exp(42) overflows fp16, and label 1 does not exist"),
    ("verb vocabulary", np.zeros(600), "uniform over 600 entries"),
)

CASES: tuple[Case, ...] = (
    *(Case(name, "lab", reason, builders.fixed(row)) for name, row, reason in LAB),
    Case(
        "all -inf",
        "special",
        "no information: 1/K by the policy (pytorch#55056, onnxruntime#28461)",
        builders.fixed([[-INF]], [[-INF] * 5], [[-INF] * 600]),
    ),
    Case(
        "plus inf",
        "special",
        "inf - inf inside every shifted formula (scipy#23225)",
        builders.fixed([[INF, 0.0, 1.0], [INF, INF, 1.0], [INF, -INF, 1.0]], [[INF]]),
    ),
    Case(
        "nan",
        "special",
        "must propagate, past infinities too",
        builders.fixed([[NAN, 0.0, 1.0], [1.0, NAN, -INF], [INF, 0.0, NAN], [NAN] * 3], [[NAN]]),
    ),
    Case(
        "special among ordinary",
        "special",
        "a special row must not touch its neighbours",
        builders.fixed(
            [[1.0, 2.0, 3.0], [-INF] * 3, [0.5, 0.0, -1.0], [INF, 0, NAN], [1.0, -INF, 2.0]]
        ),
    ),
    Case(
        "mask -inf",
        "special",
        "causal mask, down to one finite logit",
        builders.masked(lambda f: -np.inf),
    ),
    Case(
        "mask left",
        "special",
        "left padding: whole blocks of -inf before the first logit",
        builders.left_padded,
    ),
    Case(
        "mask -1e9",
        "adversarial",
        "the mask of many attention layers; -inf when rounded to fp16",
        builders.masked(lambda f: -1e9),
    ),
    Case(
        "mask finfo.min",
        "adversarial",
        "x - m overflows to -inf",
        builders.masked(lambda f: -f.largest),
    ),
    Case(
        "largest finite", "adversarial", "x - m overflows, log-sum-exp may", builders.largest_finite
    ),
    Case("subnormal inputs", "adversarial", "flush-to-zero loses them", builders.subnormal_inputs),
    Case(
        "subnormal outputs", "adversarial", "flush-to-zero loses them", builders.subnormal_outputs
    ),
    Case(
        "near overflow", "adversarial", "just under and over log(largest)", builders.near_overflow
    ),
    Case("near underflow", "adversarial", "around log(smallest normal)", builders.near_underflow),
    Case(
        "vanishing",
        "adversarial",
        "every exp(x) is 0, or nearly: 0/0 unshifted",
        builders.vanishing,
    ),
    Case("near tie", "adversarial", "neighbouring floating-point numbers", builders.near_tie),
    Case(
        "confident",
        "adversarial",
        "gap 10 to 40: log(sum) near 0 (scipy#19521, pytorch#113708, tensorflow#62400)",
        builders.confident,
    ),
    Case(
        "confident and long",
        "adversarial",
        "2000 tails near the smallest normal number: each underflows, their sum does not",
        builders.confident_and_long,
    ),
    Case(
        "far beyond overflow",
        "adversarial",
        "1.2 to 4.5 times log(largest), and minus that: argument reductions end somewhere",
        builders.far_beyond_overflow,
    ),
    Case("equal", "adversarial", "sums stall or overflow in fp16, K up to 65 536", builders.equal),
    Case(
        "ascending",
        "adversarial",
        "the running max of an online method moves always",
        builders.ascending,
    ),
    Case(
        "attention sink", "adversarial", "one logit takes the mass of 1024", builders.attention_sink
    ),
    Case(
        "[0, -40]", "adversarial", "1 + exp(-40) is 1 (scipy#18295)", builders.fixed([[0.0, -40.0]])
    ),
    Case(
        "log-sum-exp near 0",
        "adversarial",
        "m and log(sum) cancel: no relative bound",
        builders.log_sum_exp_near_zero,
    ),
    Case(
        "beside a power of two",
        "adversarial",
        "results that are +-2^k but for a place or two, where a place changes its size",
        builders.beside_powers_of_two,
    ),
    Case(
        "label likeliest",
        "adversarial",
        "p_y - 1 has no digits left, and is 0 in fp32 from a gap of 17 on (arXiv 2501.04697)",
        builders.label_likeliest,
    ),
    Case(
        "label as likely as not",
        "adversarial",
        "p_y = 1/2 but for a place or two: half of one leaves 1/2",
        builders.label_as_likely_as_not,
    ),
    Case(
        "label masked",
        "adversarial",
        "the label on -inf or -1e9: infinite loss, gradient -1",
        builders.label_masked,
    ),
    Case(
        "label least likely",
        "adversarial",
        "p_y - 1 is -1 but for what rounding takes, and a long way there",
        builders.label_least_likely,
    ),
    Case(
        "gradient without rounding",
        "adversarial",
        "powers of two that add up to 0",
        builders.gradient_without_rounding,
    ),
    Case("offset", "adversarial", "logits far from 0 and close together", builders.offset),
    Case(
        "every [x, 0]",
        "exhaustive",
        "all 65 536 numbers of 16 bits, NaN and infinities among them, beside 0",
        builders.every_number,
        effort="normal",
        formats=("fp16", "bf16"),
    ),
    Case("normal 0.1", "random", "nearly uniform", builders.normal(0.1, 16, 600)),
    Case("normal 1", "random", "freshly initialised network", builders.normal(1.0, 1000, 5)),
    Case("normal 5", "random", "trained classifier", builders.normal(5.0, 16, 600)),
    Case(
        "normal 20",
        "random",
        "saturated; most probabilities negligible",
        builders.normal(20.0, 16, 600),
    ),
    Case(
        "normal 5 K=4096",
        "random",
        "fp16 sums stall at 2048 when added one by one",
        builders.normal(5.0, 4, 4096),
        effort="normal",
    ),
    Case(
        "uniform",
        "random",
        "every magnitude alike",
        lambda format, rng: [rng.uniform(-10, 10, size=(128, 64))],
    ),
    Case(
        "student t",
        "random",
        "heavy tails: t(2) times 3",
        lambda format, rng: [3 * rng.standard_t(2, size=(4, 4096))],
        effort="normal",
    ),
    Case(
        "language model",
        "random",
        "a vocabulary of K = 50 257, Zipf's law and a context",
        builders.language_model,
        effort="normal",
    ),
    Case(
        "widths 1 to 64",
        "random",
        "every K, one row each: remainders of unrolled loops (pytorch#147284)",
        builders.every_width(1, 64),
    ),
    Case(
        "widths 65 to 257",
        "random",
        "every K, one row each: remainders of unrolled loops (pytorch#147284)",
        builders.every_width(65, 257),
        effort="normal",
    ),
    Case(
        "widths 258 to 1025",
        "random",
        "every K, one row each",
        builders.every_width(258, 1025),
        effort="full",
    ),
    Case(
        "normal 5 many",
        "random",
        "more rows of the trained classifier",
        builders.normal(5.0, 256, 600),
        effort="full",
    ),
    *(
        Case(
            f"million {scale:g} K={length}",
            "random",
            "a million normal logits: what is rare shows, too",
            builders.normal(scale, -(-1_000_000 // length), length),
            effort="full",
        )
        for scale in (0.1, 1.0, 5.0, 20.0)
        for length in (2, 5, 600)
    ),
)
"""Every case, the lab's first; names are unique."""
