"""Times of a subject by kind of row, size, order and axis, each over its own on ordinary rows.

What `stable` takes for the same is measured beside it, since some rows are slow in NumPy itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.inputs.cases import EFFORTS, SEED
from bench.inputs.formats import FORMATS
from bench.inputs.probe_rows import beyond_overflow
from bench.measure import timing
from bench.measure.asking import REFUSALS
from bench.subjects.subject import FOREIGN, SUBJECTS, Subject, described
from numerics.formats import FloatArray, Format
from numerics.method import arguments

Rows = Callable[[Format, np.random.Generator], Any]
BASE = 2**16
LEAST, ROUNDS, SECONDS = 4, 7, 0.05
"""So many rounds for each variant at least; at most, and for how many seconds."""


def _normal(rows: int, K: int) -> Rows:
    return lambda format, rng: rng.normal(scale=3.0, size=(rows, K))


def _masked(format: Format, rng: np.random.Generator) -> Any:
    rows = _normal(128, 512)(format, rng)
    rows[:, 1:][rng.random((128, 511)) < 0.5] = -np.inf
    return rows


def _subnormal(format: Format, rng: np.random.Generator) -> Any:
    edge = np.log(format.smallest_normal)
    depth = (format.precision - 2) * np.log(2)
    rows = edge - depth * rng.random((128, 512))
    rows[:, 0] = 0.0
    return rows


@dataclass(frozen=True)
class Variant:
    """Rows of which the time per element is compared with that of ordinary ones.

    `words` says of them what the time is of ("masked rows take"). `small`: told, but no slow path,
    since a call costs what it costs. `may_refuse`: a clear error is no defect.
    """

    words: str
    rows: Rows
    arrange: Callable[[FloatArray], FloatArray] = np.ascontiguousarray
    axis: int | None = None
    effort: str = "quick"
    small: bool = False
    may_refuse: bool = False


ORDINARY = Variant("ordinary rows take", _normal(128, 512))
VARIANTS: tuple[Variant, ...] = (
    Variant("masked rows take", _masked),
    Variant("rows with subnormal results take", _subnormal),
    Variant("equal rows take", lambda format, rng: np.full((128, 512), 1.5)),
    Variant("shifted rows take",
            lambda f, rng: _normal(128, 512)(f, rng) + beyond_overflow(f)),
    Variant("2^10 numbers take", _normal(2, 512), small=True),
    Variant("2^13 numbers take", _normal(16, 512), small=True),
    Variant("2^20 numbers take", _normal(2048, 512)),
    Variant("2^22 numbers take", _normal(8192, 512), effort="normal"),
    Variant("2^24 numbers take", _normal(32768, 512), effort="full"),
    Variant("rows of 5 take", _normal(13_107, 5), small=True),
    Variant("rows of 50,257 take", _normal(2, 50_257)),
    Variant("F order takes", _normal(128, 512), np.asfortranarray, may_refuse=True),
    Variant("axis 0 takes", _normal(128, 512), lambda x: np.ascontiguousarray(x.T), 0,
            may_refuse=True),
)  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """Time per element of a variant over ordinary rows: median of the rounds, and its spread.

    `fastest` is the ratio of the fastest rounds, which a busy machine moves least; `stable` and
    `stable_fastest` are what both are there. `message`: why it was not measured, or `refused`.
    """

    operation: str
    format: str
    words: str
    ns_per_element: float
    ratio: float
    least: float
    most: float
    fastest: float
    stable: float
    stable_fastest: float
    small: bool = False
    message: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Paced:
    """A task: every variant of an operation in a format."""

    operation: str
    format: str
    effort: str = "quick"

    def __call__(self, subject: Subject) -> list[Pace]:
        """A pace for each variant."""
        wanted = [v for v in VARIANTS if EFFORTS.index(v.effort) <= EFFORTS.index(self.effort)]
        if not subject.over_axis(self.operation):
            wanted = [variant for variant in wanted if variant.axis is None]
        return [self._pace(subject, variant) for variant in wanted]

    def _pace(self, subject: Subject, variant: Variant) -> Pace:
        mine, theirs = subject, SUBJECTS["stable"]
        calls: dict[str, timing.Call] = {}
        sizes = {}
        for name, one in (("ordinary", ORDINARY), ("variant", variant)):
            x, labels = self._input(one)
            sizes[name] = x.size
            for who, side in (("subject", mine), ("stable", theirs)):
                calls[f"{who} {name}"] = self._call(side, x, labels, one.axis)
        try:
            clock = timing.undisturbed
            seconds = timing.interleaved(calls, ROUNDS, SECONDS, least=LEAST, clock=clock)
        except FOREIGN as error:
            nothing = (0.0,) * 7
            refused = variant.may_refuse and isinstance(error, REFUSALS)
            return Pace(self.operation, self.format, variant.words, *nothing, variant.small,
                        described(error), refused)  # fmt: skip
        scale = sizes["ordinary"] / sizes["variant"]
        own = self._ratios(seconds, "subject", scale)
        stable = self._ratios(seconds, "stable", scale)
        nanoseconds = statistics.median(seconds["subject variant"]) * 1e9 / sizes["variant"]
        return Pace(self.operation, self.format, variant.words, nanoseconds,
                    own[0], min(own[1:]), max(own[1:]), own[1], stable[0], stable[1],
                    variant.small)  # fmt: skip

    @staticmethod
    def _ratios(seconds: dict[str, list[float]], who: str, scale: float) -> list[float]:
        """The median over the rounds, the ratio of the fastest, and then that of each round."""
        variant, ordinary = seconds[f"{who} variant"], seconds[f"{who} ordinary"]
        each = [scale * a / b for a, b in zip(variant, ordinary, strict=True)]
        return [statistics.median(each), scale * min(variant) / min(ordinary), *each]

    def _input(self, variant: Variant) -> tuple[FloatArray, Any]:
        rng = np.random.default_rng(SEED)
        format = FORMATS[self.format]
        rows = variant.rows(format, rng)
        labels = np.arange(len(rows)) % rows.shape[1]
        return variant.arrange(rows.astype(format.dtype)), labels

    def _call(self, subject: Subject, x: FloatArray, labels: Any, axis: int | None) -> timing.Call:
        given = arguments(self.operation, x, labels)
        keywords = {} if axis is None else {"axis": axis}
        return partial(subject.functions[self.operation], *given, **keywords)
