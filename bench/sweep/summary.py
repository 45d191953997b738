"""What a chunk comes to: counts, a histogram, the bias, the worst outputs. Summaries merge.

Everything is a whole number, or one of eight witnesses in a total order. So summaries can be merged
in any order, by anyone, and the result has the same bits.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import Batch
from bench.measure import metrics
from bench.measure.metrics import exact_hex
from bench.measure.witness import SHORT_ROW
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format

KEPT = 8
"""Witnesses of a summary."""
STEPS = 54
"""Steps of sqrt(2) from 1/2 to 2^26."""
EDGES = (0.0, *(math.ldexp((1.0, math.sqrt(2))[j % 2], j // 2) for j in range(-2, STEPS - 1)))
"""Bin i of a histogram has the errors in ulp above EDGES[i - 1] and up to EDGES[i]; the first one
has the errors that are 0, and the last one those beyond."""
BIAS_UNIT = 2.0**-24
"""Signed errors are added as multiples of this many ulps."""
BIASED = 2.0**26
"""Signed errors up to this many ulps are part of the mean."""
_FRACTION = (1 << 52) - 1
_OF_SQRT2 = int(np.float64(math.sqrt(2)).view(np.int64)) & _FRACTION
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Witness:
    """An output with a large error: its row by number, and whole if it is short, in hex."""

    row: int
    column: int
    label: int
    x: list[str] | None
    got: str
    exact: str
    ulp: str

    def order(self) -> tuple[float, int, int]:
        """Largest errors first, infinite ones (failures) before them; then in order of rows."""
        return -float.fromhex(self.ulp), self.row, self.column


@dataclass(frozen=True)
class Summary:
    """What some outputs come to.

    `misrounded` outputs are not the number nearest to the exact value. `failures` counts those that
    are NaN, infinite, lost to zero or not special where they have to be something else.
    `histogram` has an entry for each bin of EDGES; failures with no finite error are left out.
    `signed` is the sum of got - exact in multiples of BIAS_UNIT ulps over `biased` outputs: those
    with a finite error of up to BIASED ulps. `message` is what a subject raised instead, the first
    of all such texts in their order.
    """

    outputs: int = 0
    misrounded: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    histogram: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    signed: int = 0
    biased: int = 0
    worst: list[Witness] = field(default_factory=list)
    message: str = ""

    @property
    def mean_signed_ulp(self) -> float | None:
        """The bias: mean of got - exact in ulps."""
        return self.signed * BIAS_UNIT / self.biased if self.biased else None

    @property
    def max_ulp(self) -> float | None:
        """The largest error; infinity for a failure without one."""
        return float.fromhex(self.worst[0].ulp) if self.worst else None

    def as_json(self) -> dict[str, Any]:
        """What JSON can say."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Summary:
        """The inverse; TypeError or KeyError for anything else."""
        return Summary(**{**content, "worst": [Witness(**one) for one in content["worst"]]})


def merged(summaries: Iterable[Summary]) -> Summary:
    """All outputs together."""
    parts = list(summaries)
    failures: Counter[str] = Counter()
    for part in parts:
        failures.update(part.failures)
    witnesses = (witness for part in parts for witness in part.worst)
    return Summary(
        outputs=sum(part.outputs for part in parts),
        misrounded=sum(part.misrounded for part in parts),
        failures=dict(sorted(failures.items())),
        histogram=[sum(counts) for counts in zip(*(p.histogram for p in parts), strict=True)]
        or Summary().histogram,
        signed=sum(part.signed for part in parts),
        biased=sum(part.biased for part in parts),
        worst=heapq.nsmallest(KEPT, witnesses, key=Witness.order),
        message=min((part.message for part in parts if part.message), default=""),
    )


def raised(outputs: int, message: str) -> Summary:
    """Of outputs that never came."""
    return Summary(outputs=outputs, failures={"raised": outputs}, message=message)


# --- One block -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """The errors of a block, flat: in ulps with their sign, and without, infinite for a failure."""

    signed: npt.NDArray[np.float64]
    ulp: npt.NDArray[np.float64]
    misrounded: int
    failures: dict[str, int]


def compared(got: FloatArray, exact: Exact, format: Format) -> Compared:
    """Errors of outputs; those of NaN, infinities and zeros as `metrics.errors` has them."""
    value = got.ravel().astype(np.float64)
    with np.errstate(all="ignore"):
        signed = _scaled(value, exact.exponent, format)
        signed -= exact.significand
        wrong = signed != 0
        signed -= exact.fraction
        ulp = np.abs(signed)
    odd = np.flatnonzero(~(ulp <= _LARGEST) | (value == 0))
    if not odd.size:
        return Compared(signed, ulp, int(np.count_nonzero(wrong)), {})
    part = Exact(exact.significand[odd], exact.fraction[odd], exact.exponent[odd])
    errors = metrics.errors(got.ravel()[odd], part, format, 1)
    ulp[odd], wrong[odd] = errors.ulp, errors.misrounded
    signed[odd] = np.where(errors.ulp > 0, signed[odd], 0.0)
    kinds = ("nan", "infinity", "lost_to_zero", "missed_special")
    counts = {kind: int(np.count_nonzero(getattr(errors, kind))) for kind in kinds}
    failures = {kind: count for kind, count in counts.items() if count}
    return Compared(signed, ulp, int(np.count_nonzero(wrong)), failures)


def _scaled(
    value: FloatArray, exponent: npt.NDArray[np.int32], format: Format
) -> npt.NDArray[np.float64]:
    """value 2^-exponent; by multiplication where that power of two is a number of fp64."""
    if format.name == "fp64":
        return np.ldexp(value, -exponent)
    scale = (1023 - exponent.astype(np.int64)) << 52
    result: npt.NDArray[np.float64] = scale.view(np.float64)
    result *= value
    return result


def summarize(
    got: FloatArray, exact: Exact, batch: Batch, first: int, format: Format, known: Sequence[float]
) -> Summary:
    """The summary of a block whose first row has the number `first`.

    `known` are errors of KEPT earlier outputs, or fewer: an output with no larger error than all of
    them cannot be a witness of all blocks together, and none is made of it.
    """
    found = compared(got, exact, format)
    measured = found.ulp <= _LARGEST
    signed, ulp = found.signed, found.ulp
    if not measured.all():
        signed, ulp = signed[measured], ulp[measured]
    total, biased = _total(signed, ulp)
    return Summary(
        outputs=found.ulp.size,
        misrounded=found.misrounded,
        failures=found.failures,
        histogram=_histogram(ulp),
        signed=total,
        biased=biased,
        worst=[_witness(at, got, exact, batch, first, found) for at in _worst(found.ulp, known)],
    )


def _histogram(ulp: npt.NDArray[np.float64]) -> list[int]:
    """Counts by bins, told by exponents and by which half of an octave it is."""
    bits = ulp.view(np.int64) - 1  # so that an edge belongs to the bin below it
    upper = (bits & _FRACTION) >= _OF_SQRT2
    bits >>= 52
    bits -= 1023
    bits *= 2
    bits += upper
    # From above 1/2 to sqrt(1/2) it is -2 now, and that is bin 2; 0 and up to 1/2 are below.
    bits += 4
    np.clip(bits, 1, len(EDGES), out=bits)
    counts: list[int] = np.bincount(bits, minlength=len(EDGES) + 1).tolist()
    zeros = ulp.size - int(np.count_nonzero(ulp))
    counts[0], counts[1] = zeros, counts[1] - zeros
    return counts


def _total(signed: npt.NDArray[np.float64], ulp: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Sum in BIAS_UNIT and how many; whole numbers, added without rounding."""
    units = np.rint(signed / BIAS_UNIT)
    near = ulp <= 2.0**10  # 2^18 of these add up to less than 2^53
    if near.all():
        return int(units.sum()), units.size
    far = units[~near & (ulp <= BIASED)]
    return int(units[near].sum()) + sum(map(int, far.tolist())), int(near.sum()) + far.size


def _worst(ulp: npt.NDArray[np.float64], known: Sequence[float]) -> list[int]:
    """Places of the largest errors above those that are known; the first ones of equal errors."""
    floor = min(known) if len(known) >= KEPT else -1.0
    if floor < 0 and ulp.size > KEPT:
        floor = np.nextafter(np.partition(ulp, -KEPT)[-KEPT], -1.0)
    candidates = np.flatnonzero(ulp > floor)
    order = np.argsort(-ulp[candidates], kind="stable")[:KEPT]
    places: list[int] = candidates[order].tolist()
    return places


def _witness(
    at: int, got: FloatArray, exact: Exact, batch: Batch, first: int, found: Compared
) -> Witness:
    width = got.size // len(batch.x)
    row, column = divmod(at, width)
    x = batch.x[row]
    return Witness(
        row=first + row,
        column=column,
        label=int(batch.labels[row]),
        x=[float(v).hex() for v in x] if x.size <= SHORT_ROW else None,
        got=float(got.ravel()[at]).hex(),
        exact=exact_hex(exact, at),
        ulp=float(found.ulp[at]).hex() if math.isfinite(found.ulp[at]) else "inf",
    )
