"""What outputs come to, by the kind of their row: errors in ulp, failures, improper numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.kinds import KINDS
from bench.measure import metrics
from bench.measure.metrics import Errors
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format

SHORT_ROW = 16
"""Rows up to this length are kept whole; longer ones are named by their place."""


@dataclass(frozen=True)
class Witness:
    """An output that shows an error: where it is, and the row itself if it is short, in hex.

    `at` is its place among the outputs of its presentation, `row` that of its row in the batch.
    """

    case: str
    batch: int
    row: int
    column: int | None
    width: int
    label: int
    x: list[str] | None
    got: str
    exact: str
    presentation: str = "plain"
    at: int = 0


@dataclass(frozen=True)
class Tally:
    """Outputs of rows of one kind. `max_ulp` is None where no error could be measured.

    `failures` counts outputs that are another kind of number than the truth, `improper` those that
    no function of this operation may return (a probability above 1), whatever their error.
    """

    outputs: int = 0
    misrounded: int = 0
    max_ulp: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    improper: dict[str, int] = field(default_factory=dict)
    worst: Witness | None = None
    failed: Witness | None = None


def merged(tallies: Iterable[Tally]) -> Tally:
    """All of them together; the first failure and the worst error are kept."""
    total = Tally()
    for one in tallies:
        larger = -1.0 if one.max_ulp is None else one.max_ulp
        keep = total.max_ulp is not None and total.max_ulp >= larger
        total = Tally(
            total.outputs + one.outputs,
            total.misrounded + one.misrounded,
            total.max_ulp if keep else one.max_ulp,
            added(total.failures, one.failures),
            added(total.improper, one.improper),
            total.worst if keep else one.worst,
            total.failed or one.failed,
        )
    return total


def added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Counts of both; kinds that did not happen are left out."""
    return {k: n for k in [*a, *b] if (n := a.get(k, 0) + b.get(k, 0))}


@dataclass(frozen=True)
class Compared:
    """Outputs with their exact values and the kinds of their rows, all flat.

    `where` makes a witness of the place of an output.
    """

    operation: str
    format: Format
    got: FloatArray
    exact: Exact
    kinds: npt.NDArray[np.intp]
    where: Callable[[int], Witness]


def tallied(one: Compared) -> dict[str, Tally]:
    """A tally for each kind of row there is."""
    errors = metrics.errors(one.got, one.exact, one.format, 1)
    return {
        KINDS[kind]: _tally(one, errors, np.flatnonzero(one.kinds == kind))
        for kind in np.flatnonzero(np.bincount(one.kinds)).tolist()
    }


def _tally(one: Compared, errors: Errors, chosen: npt.NDArray[np.intp]) -> Tally:
    failed = _failures(one, errors, chosen)
    ulp = errors.ulp[chosen]
    finite = np.where(np.isfinite(ulp), ulp, -1.0)
    worst = int(chosen[finite.argmax()])
    any_failed = np.flatnonzero(np.logical_or.reduce(list(failed.values())))
    return Tally(
        outputs=chosen.size,
        misrounded=int(np.count_nonzero(errors.misrounded[chosen])),
        max_ulp=float(finite.max()) if finite.max() >= 0 else None,
        failures={name: int(n) for name, where in failed.items() if (n := where.sum())},
        improper=_improper(one.operation, one.got[chosen]),
        worst=_witness(one, worst) if finite.max() > 0.5 else None,
        failed=_witness(one, int(chosen[any_failed[0]])) if any_failed.size else None,
    )


def _witness(one: Compared, at: int) -> Witness:
    got, exact = float(one.got[at]).hex(), metrics.exact_hex(one.exact, at)
    return replace(one.where(at), got=got, exact=exact)


def _failures(
    one: Compared, errors: Errors, chosen: npt.NDArray[np.intp]
) -> dict[str, npt.NDArray[np.bool_]]:
    truth, got = one.exact.significand[chosen], one.got[chosen]
    on_mask = (truth == 0) & (one.exact.fraction[chosen] == 0) & (got != 0)
    if one.operation != "softmax":  # a gradient is 0 for the only finite logit, too
        on_mask = np.zeros_like(on_mask)
    return {
        "NaN": errors.nan[chosen],
        "infinite": errors.infinity[chosen],
        "lost to zero": errors.lost_to_zero[chosen],
        "not 0 at -inf": on_mask & ~np.isnan(got),
        "not infinite": errors.missed_special[chosen],
    }


def _improper(operation: str, got: FloatArray) -> dict[str, int]:
    with np.errstate(invalid="ignore"):
        checks = {
            "softmax": {"above 1": got > 1, "below 0": got < 0,
                        "negative zero": (got == 0) & np.signbit(got)},
            "log_softmax": {"above 0": got > 0},
            "cross_entropy": {"below 0": got < 0},
            "cross_entropy_gradient": {"above 1": got > 1, "below -1": got < -1},
        }  # fmt: skip
    return {k: int(n) for k, where in checks.get(operation, {}).items() if (n := where.sum())}


def bits(outputs: FloatArray) -> npt.NDArray[Any]:
    """Outputs as unsigned integers; all NaN count as one."""
    canonical = np.where(np.isnan(outputs), np.array(np.nan, outputs.dtype), outputs)
    result: npt.NDArray[Any] = canonical.view(f"u{outputs.dtype.itemsize}")
    return result


def part(exact: Exact, rows: npt.NDArray[np.intp], width: int) -> Exact:
    """The exact values of some rows of `width` outputs, flat."""
    at = (rows[:, np.newaxis] * width + np.arange(width)).ravel()
    return Exact(exact.significand[at], exact.fraction[at], exact.exponent[at])
