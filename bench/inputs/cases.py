"""The inputs: each case is named, seeded, labelled, and there for a reason. Knows no subject.

Families: `lab` (the eight of the teaching lab, to the letter), `special` (rows of the special-value
policy), `adversarial` (ordinary numbers where methods break), `random` (what people compute),
`exhaustive` (every input of a kind, so that a maximum is the maximum; all others are samples).
A case may hold several batches, when its rows have different lengths.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics.formats import FORMATS, FloatArray, Format

SEED = 42
EFFORTS = ("quick", "normal", "full")
LAB_LABEL = 1

Generator: TypeAlias = np.random.Generator
Batches: TypeAlias = Sequence[npt.ArrayLike]
INF = np.inf
NAN = np.nan


@dataclass(frozen=True)
class Batch:
    """Rows in one format, shape (rows, K), with a label each."""

    x: FloatArray
    labels: npt.NDArray[np.intp]

    @property
    def labels_in_range(self) -> bool:
        """Whether cross-entropy is defined for every row."""
        return bool(((self.labels >= 0) & (self.labels < self.x.shape[1])).all())


@dataclass(frozen=True)
class Case:
    """A named input, the reason why it is there, and how to build its batches for a format."""

    name: str
    family: str
    reason: str
    build: Callable[[Format, Generator], Batches]
    effort: str = "quick"
    formats: tuple[str, ...] = tuple(FORMATS)

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


# --- Builders that need more than a line ---------------------------------------------------------


def _fixed(*rows: npt.ArrayLike) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: rows


def _largest_finite(format: Format, rng: Generator) -> Batches:
    big = format.largest
    return [[[big, -big, 0.0], [big, big, big], [-big, -big, -big], [-big, 0.0, 1.0]]]


def _subnormal_inputs(format: Format, rng: Generator) -> Batches:
    tiny = format.smallest_subnormal
    return [np.array([[1.0, -2.0, 3.0, 0.0], [7.0, 7.0, 7.0, 7.0]]) * tiny, [[-tiny], [tiny]]]


def _subnormal_outputs(format: Format, rng: Generator) -> Batches:
    normal, subnormal = np.log(format.smallest_normal), np.log(format.smallest_subnormal)
    tails = np.linspace(normal + 1, subnormal - 1, 64)
    return [np.stack([np.zeros(64), tails], axis=1)]


def _near_overflow(format: Format, rng: Generator) -> Batches:
    under = format.dtype.type(format.exp_overflow)
    over = np.nextafter(under, format.dtype.type(np.inf))
    return [[[under, 0.0, -1.0], [over, 0.0, -1.0], [under, under, under], [-over, -under, -over]]]


def _near_underflow(format: Format, rng: Generator) -> Batches:
    edge = format.exp_underflow
    steps = np.linspace(edge - 5, edge + 5, 21)
    return [np.stack([steps, steps - 0.25, steps - 1.0], axis=1)]


def _vanishing(format: Format, rng: Generator) -> Batches:
    edge = np.log(format.smallest_subnormal)
    tops = np.linspace(edge - 6, edge + 2, 33)
    return [np.stack([tops, tops - 0.125, tops - 2.5], axis=1), tops[:, np.newaxis]]


def _near_tie(format: Format, rng: Generator) -> Batches:
    x = np.linspace(-8, 8, 33).astype(format.dtype)
    up = np.nextafter(x, format.dtype.type(np.inf))
    return [np.stack([x, up, x], axis=1)]


def _confident(format: Format, rng: Generator) -> Batches:
    gaps = np.arange(10, 41)
    rows = np.tile([0.0, 0.125, -0.25, 0.3, -0.4], (gaps.size, 1))
    at_its_label = rows.copy()
    at_its_label[np.arange(gaps.size), np.arange(gaps.size) % 5] = gaps + 0.3
    return [at_its_label, np.roll(at_its_label, 1, axis=1)]


def _equal(format: Format, rng: Generator) -> Batches:
    return [np.full((1, length), 5.0) for length in (1, 2, 3, 10, 1000, 4096)] + [
        np.zeros((1, 65_536))
    ]


def _ascending(format: Format, rng: Generator) -> Batches:
    return [np.linspace(-span, span, 1000) for span in (1.0, 8.0, 40.0)]


def _attention_sink(format: Format, rng: Generator) -> Batches:
    rows = rng.normal(scale=2.0, size=(8, 1024))
    rows[:, 0] += np.linspace(5, 60, 8)
    return [rows]


def _masked(value: Callable[[Format], float]) -> Callable[[Format, Generator], Batches]:
    def build(format: Format, rng: Generator) -> Batches:
        rows = rng.normal(scale=3.0, size=(16, 16))
        return [np.where(np.arange(16) <= np.arange(16)[:, np.newaxis], rows, value(format))]

    return build


def _left_padded(format: Format, rng: Generator) -> Batches:
    rows = rng.normal(scale=3.0, size=(6, 300))
    rows[np.arange(300) < np.array([0, 1, 63, 64, 200, 299])[:, np.newaxis]] = -np.inf
    return [rows, rows[:, ::-1]]


def _confident_and_long(format: Format, rng: Generator) -> Batches:
    gaps = -np.log(format.smallest_normal) * np.array([0.5, 0.9, 0.98, 1.0, 1.02, 1.05])
    rows = np.repeat(-gaps[:, np.newaxis], 2000, axis=1) + rng.integers(-8, 8, (6, 2000)) / 16
    rows[np.arange(6), np.arange(6)] = 0.0
    return [rows]


def _far_beyond_overflow(format: Format, rng: Generator) -> Batches:
    tops = format.exp_overflow * np.linspace(1.2, 4.5, 67)
    rows = np.stack([tops, tops - 0.5, tops - 3.0, tops - 7.0], axis=1)
    return [rows, rows - 2 * tops[:, np.newaxis]]


def _log_sum_exp_near_zero(format: Format, rng: Generator) -> Batches:
    # math.log, since NumPy's logarithm has other bits in other versions.
    lengths = (2, 3, 7, 100, 1000)
    nudges = np.array([-2, -1, 0, 1, 2]) * format.unit_roundoff
    return [np.repeat((-math.log(n) * (1 + nudges))[:, np.newaxis], n, axis=1) for n in lengths]


def _offset(format: Format, rng: Generator) -> Batches:
    offset = {"fp16": 1e3, "fp32": 1e5, "fp64": 1e12}[format.name]
    rows = rng.normal(scale=3.0, size=(8, 100))
    return [rows + offset, rows - offset]


def _normal(scale: float, *shape: int) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: [rng.normal(scale=scale, size=shape)]


def _language_model(format: Format, rng: Generator) -> Batches:
    # Unigram log-frequencies by Zipf's law, a context that moves every logit, and a few favourites.
    rows = -np.log(np.arange(50_257) + 10.0) + rng.normal(scale=2.5, size=(2, 50_257))
    rows[:, rng.integers(0, 50_257, 20)] += rng.uniform(5, 12, size=20)
    return [rows]


def _every_fp16(format: Format, rng: Generator) -> Batches:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    return [np.stack([every, np.zeros_like(every)], axis=1)]


def _every_width(first: int, last: int) -> Callable[[Format, Generator], Batches]:
    return lambda format, rng: [
        rng.normal(scale=3.0, size=(1, length)) for length in range(first, last + 1)
    ]


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
    *(Case(name, "lab", reason, _fixed(row)) for name, row, reason in LAB),
    Case(
        "all -inf",
        "special",
        "no information: 1/K by the policy (pytorch#55056, onnxruntime#28461)",
        _fixed([[-INF]], [[-INF] * 5], [[-INF] * 600]),
    ),
    Case(
        "plus inf",
        "special",
        "inf - inf inside every shifted formula (scipy#23225)",
        _fixed([[INF, 0.0, 1.0], [INF, INF, 1.0], [INF, -INF, 1.0]], [[INF]]),
    ),
    Case(
        "nan",
        "special",
        "must propagate, past infinities too",
        _fixed([[NAN, 0.0, 1.0], [1.0, NAN, -INF], [INF, 0.0, NAN], [NAN] * 3], [[NAN]]),
    ),
    Case(
        "special among ordinary",
        "special",
        "a special row must not touch its neighbours",
        _fixed([[1.0, 2.0, 3.0], [-INF] * 3, [0.5, 0.0, -1.0], [INF, 0, NAN], [1.0, -INF, 2.0]]),
    ),
    Case(
        "mask -inf", "special", "causal mask, down to one finite logit", _masked(lambda f: -np.inf)
    ),
    Case(
        "mask left",
        "special",
        "left padding: whole blocks of -inf before the first logit",
        _left_padded,
    ),
    Case(
        "mask -1e9",
        "adversarial",
        "the mask of many attention layers; -inf when rounded to fp16",
        _masked(lambda f: -1e9),
    ),
    Case("mask finfo.min", "adversarial", "x - m overflows to -inf", _masked(lambda f: -f.largest)),
    Case("largest finite", "adversarial", "x - m overflows, log-sum-exp may", _largest_finite),
    Case("subnormal inputs", "adversarial", "flush-to-zero loses them", _subnormal_inputs),
    Case("subnormal outputs", "adversarial", "flush-to-zero loses them", _subnormal_outputs),
    Case("near overflow", "adversarial", "just under and over log(largest)", _near_overflow),
    Case("near underflow", "adversarial", "around log(smallest normal)", _near_underflow),
    Case("vanishing", "adversarial", "every exp(x) is 0, or nearly: 0/0 unshifted", _vanishing),
    Case("near tie", "adversarial", "neighbouring floating-point numbers", _near_tie),
    Case(
        "confident",
        "adversarial",
        "gap 10 to 40: log(sum) near 0 (scipy#19521, pytorch#113708, tensorflow#62400)",
        _confident,
    ),
    Case(
        "confident and long",
        "adversarial",
        "2000 tails near the smallest normal number: each underflows, their sum does not",
        _confident_and_long,
    ),
    Case(
        "far beyond overflow",
        "adversarial",
        "1.2 to 4.5 times log(largest), and minus that: argument reductions end somewhere",
        _far_beyond_overflow,
    ),
    Case("equal", "adversarial", "sums stall or overflow in fp16, K up to 65 536", _equal),
    Case(
        "ascending", "adversarial", "the running max of an online method moves always", _ascending
    ),
    Case("attention sink", "adversarial", "one logit takes the mass of 1024", _attention_sink),
    Case("[0, -40]", "adversarial", "1 + exp(-40) is 1 (scipy#18295)", _fixed([[0.0, -40.0]])),
    Case(
        "log-sum-exp near 0",
        "adversarial",
        "m and log(sum) cancel: no relative bound",
        _log_sum_exp_near_zero,
    ),
    Case("offset", "adversarial", "logits far from 0 and close together", _offset),
    Case(
        "every [x, 0]",
        "exhaustive",
        "all 65 536 numbers of fp16, NaN and infinities among them, beside 0",
        _every_fp16,
        effort="normal",
        formats=("fp16",),
    ),
    Case("normal 0.1", "random", "nearly uniform", _normal(0.1, 16, 600)),
    Case("normal 1", "random", "freshly initialised network", _normal(1.0, 1000, 5)),
    Case("normal 5", "random", "trained classifier", _normal(5.0, 16, 600)),
    Case("normal 20", "random", "saturated; most probabilities negligible", _normal(20.0, 16, 600)),
    Case(
        "normal 5 K=4096",
        "random",
        "fp16 sums stall at 2048 when added one by one",
        _normal(5.0, 4, 4096),
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
        _language_model,
        effort="normal",
    ),
    Case(
        "widths 1 to 64",
        "random",
        "every K, one row each: remainders of unrolled loops (pytorch#147284)",
        _every_width(1, 64),
    ),
    Case(
        "widths 65 to 257",
        "random",
        "every K, one row each: remainders of unrolled loops (pytorch#147284)",
        _every_width(65, 257),
        effort="normal",
    ),
    Case(
        "widths 258 to 1025",
        "random",
        "every K, one row each",
        _every_width(258, 1025),
        effort="full",
    ),
    Case(
        "normal 5 many",
        "random",
        "more rows of the trained classifier",
        _normal(5.0, 256, 600),
        effort="full",
    ),
)
"""Every case, the lab's first; names are unique."""
