"""The rows of a run file: what is measured of one cell, and whether bits depend on the call."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SURVIVAL_THRESHOLDS = tuple(2.0 ** (j / 2) for j in range(-4, 53))
"""Ulp errors at which the survival curve is sampled: 1/4 to 2^26, in steps of sqrt(2)."""


@dataclass(frozen=True)
class Claim:
    """Measured errors against the subject's own bound.

    `ratio` is the largest error over its bound, taken at an output with `ulp` error and bound
    `bound_ulp`; `claimed` counts outputs with a finite bound, `broken` those that exceed it, in
    rows of the lengths `broken_widths`.
    """

    ratio: float
    ulp: float
    bound_ulp: float
    claimed: int
    broken: int
    broken_widths: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """One row: subject x operation x case x format, with every figure measured on it.

    `outcome` is "measured", "undefined" (labels out of range, where an IndexError is expected;
    `message` holds what came), or, with a `message`, "raised", "wrong result" (in shape or dtype)
    or "wrote to input". `worst` is the output with the largest error, a failure before any number;
    `largest` that with the largest finite error, None where it is the same.
    """

    subject: str
    operation: str
    case: str
    family: str
    format: str
    input_sha256: str
    outcome: str
    message: str = ""
    summary: Summary | None = None
    sum_defect: float | None = None
    claim: Claim | None = None
    nonzero_at_minus_inf: int = 0
    flags: tuple[str, ...] = ()
    worst: dict[str, Any] | None = None
    largest: dict[str, Any] | None = None
    output_sha256: str = ""
    max_ulp_by_width: tuple[tuple[int, float | None], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A flat dictionary of what JSON can say; no NaN in it."""
        flat = asdict(self)
        flat.update(flat.pop("summary") or {})
        claim = flat.pop("claim") or {}
        flat.update({f"claim_{name}": value for name, value in claim.items()})
        return flat


@dataclass(frozen=True)
class Summary:
    """Every figure of one record. None where nothing could be measured; units in the names.

    `misrounded` counts outputs that are not the number nearest to the exact value. `mean_ulp` and
    `p99_ulp` (the 99th percentile) are over the outputs with a finite error, `survival[j]` counts
    outputs above `SURVIVAL_THRESHOLDS[j]`, failures included (trailing zeros are cut).
    `normwise_relative` is max |error| over max |exact| of a row, for operations with one value a
    row of the whole batch, and `sum_defect` is |sum p - 1|, of the gradient |sum g|, both the worst
    of all rows.
    """

    elements: int
    max_ulp: float | None
    mean_ulp: float | None
    p99_ulp: float | None
    max_relative: float | None
    normwise_relative: float | None
    max_absolute: float | None
    nan_failures: int
    infinity_failures: int
    lost_to_zero: int
    missed_special: int
    misrounded: int
    survival: list[int]

    @property
    def failures(self) -> int:
        """Outputs that are NaN, infinite, 0 or finite where they must not be."""
        return self.nan_failures + self.infinity_failures + self.lost_to_zero + self.missed_special


@dataclass(frozen=True)
class Invariance:
    """How many outputs of a subject in a format have other bits than asked the plain way.

    An operation that raises, or returns another dtype, counts no outputs and leaves a `message`.
    """

    subject: str
    format: str
    check: str
    outputs: int
    differing: int
    message: str = ""
