"""measure(subject, operation, case, format) -> Record: everything known about one cell's errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from bench.inputs.cases import Batch, Case, checksum
from bench.measure import metrics, witness
from bench.measure.claims import claim_of
from bench.measure.metrics import Errors
from bench.runs.records import Record, Summary
from bench.subjects.subject import FOREIGN, Subject, described
from bench.truth.exact import Exact
from numerics.facts import Bound, RowFacts
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE, LABELLED, arguments
from numerics.rows import at_least_fp32


def complaints(subject: Subject, record: Record) -> list[str]:
    """Why a record is not what the subject promises; empty when it keeps its bounds and policy."""
    if record.outcome == "undefined":
        expected = record.message.startswith("IndexError") or not subject.ours
        return [] if expected else [f"expected an IndexError, got {record.message or 'a result'}"]
    if record.summary is None:
        return [record.message]
    found = []
    claim = record.claim
    if claim and claim.broken:
        found.append(
            f"{claim.broken} of {claim.claimed} outputs exceed the bound, in rows of length "
            f"{', '.join(map(str, claim.broken_widths))}; worst measured/bound {claim.ratio:.3g} "
            f"at {claim.ulp:.3g} ulp; worst output {record.worst}"
        )
    if subject.correctly_rounded and record.summary.misrounded:
        found.append(f"{record.summary.misrounded} outputs are not correctly rounded")
    return found + (_against_policy(record, record.summary) if subject.keeps_policy else [])


def _against_policy(record: Record, summary: Summary) -> list[str]:
    counts = {
        "NaN where the truth is a number": summary.nan_failures,
        "infinite where the truth is a number": summary.infinity_failures,
        "not the NaN or infinity that they must be": summary.missed_special,
        "not exactly +0 where the logit is -inf": record.nonzero_at_minus_inf,
        "lost to zero on a row of the policy": (
            summary.lost_to_zero if record.family == "special" else 0
        ),
    }
    found = [f"{count} outputs are {what}" for what, count in counts.items() if count]
    return found + [f"raised the floating-point flag {flag!r}" for flag in record.flags]


def measure(
    subject: Subject, operation: str, case: Case, format: Format, exact: dict[str, Exact]
) -> Record:
    """Run a subject on copies of a case's batches and compare with the exact values."""
    batches, facts, input_sha256 = _prepared(case, format)
    outputs, flags, offence = _call(subject, operation, batches)
    record = Record(
        subject=subject.name,
        operation=operation,
        case=case.name,
        family=case.family,
        format=format.name,
        input_sha256=input_sha256,
        outcome=offence.outcome if operation in exact else "undefined",
        message=offence.message,
        flags=flags,
    )
    if record.outcome != "measured":
        return record
    bound = subject.bounds.get(operation)
    return _compared(record, batches, outputs, exact[operation], (bound, facts))


def _compared(
    record: Record,
    batches: Sequence[Batch],
    outputs: Sequence[FloatArray],
    exact: Exact,
    claimed: tuple[Bound | None, Sequence[RowFacts]],
) -> Record:
    """The record with every figure of the outputs; `claimed`: the bound, and what it rests on."""
    bound, facts = claimed
    parts = _parts(exact, outputs)
    compared = [
        metrics.errors(got, part, rows.format, got.shape[1] if got.ndim == 2 else got.size)
        for got, part, rows in zip(outputs, parts, facts, strict=True)
    ]
    return replace(
        record,
        summary=metrics.summarize(compared),
        sum_defect=_sum_defect(outputs, metrics.ROW_SUMS.get(record.operation)),
        claim=None if bound is None else claim_of(bound, facts, parts, compared),
        nonzero_at_minus_inf=_nonzero(batches, outputs, record.operation),
        worst=witness.worst(batches, outputs, parts, compared),
        largest=witness.largest(batches, outputs, parts, compared),
        output_sha256=metrics.bits(outputs),
        max_ulp_by_width=_by_width(batches, compared),
    )


@lru_cache(maxsize=8)
def _prepared(case: Case, format: Format) -> tuple[list[Batch], list[RowFacts], str]:
    """A case's batches, what bounds need to know of them, and their checksum.

    Kept for the subjects and operations that follow on the same case; nobody may write to them.
    """
    batches = case.batches(format)
    facts = [RowFacts(batch.x, format, batch.labels) for batch in batches]
    return batches, facts, checksum(batches)


class Offence(Exception):  # noqa: N818 - not an error of ours
    """What a subject did instead of its part, as `outcome` and `message` of a record."""

    def __init__(self, outcome: str, message: str) -> None:  # noqa: D107
        super().__init__(message)
        self.outcome, self.message = outcome, message


KEPT = Offence("measured", "")


def _call(
    subject: Subject, operation: str, batches: Sequence[Batch]
) -> tuple[list[FloatArray], tuple[str, ...], Offence]:
    """Outputs, floating-point flags raised, and what the subject did instead of its part."""
    outputs: list[FloatArray] = []
    flags: set[str] = set()
    offence = KEPT
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            np.errstate(all="call", call=lambda kind, _: flags.add(kind)),
        ):
            for batch in batches:
                outputs.append(_checked_call(subject, operation, batch))
    except Offence as found:
        offence = found
    except FOREIGN as error:  # whatever foreign code raises is a finding
        offence = Offence("raised", described(error))
    return outputs if offence is KEPT else [], tuple(sorted(flags)), offence


def _checked_call(subject: Subject, operation: str, batch: Batch) -> FloatArray:
    x, labels = batch.x.copy(), batch.labels.copy()
    got = np.asarray(subject.functions[operation](*arguments(operation, x, labels)))
    if x.tobytes() != batch.x.tobytes() or labels.tobytes() != batch.labels.tobytes():
        raise Offence("wrote to input", "wrote to its input")
    shape = x.shape if operation in ELEMENTWISE else x.shape[:1]
    if got.shape != shape or got.dtype != x.dtype:
        message = f"returned {got.dtype} of shape {got.shape}, expected {x.dtype} of shape {shape}"
        raise Offence("wrong result", message)
    return got


def _parts(exact: Exact, outputs: Sequence[FloatArray]) -> list[Exact]:
    ends = np.cumsum([got.size for got in outputs])
    return [
        exact[slice(end - got.size, end)] for got, end in zip(outputs, ends.tolist(), strict=True)
    ]


def _sum_defect(outputs: Sequence[FloatArray], total: float | None) -> float | None:
    if total is None:
        return None
    defects = [d for got in outputs if (d := metrics.sum_defect(got, total)) is not None]
    return max(defects, default=None)


def _nonzero(batches: Sequence[Batch], outputs: Sequence[FloatArray], operation: str) -> int:
    """Outputs of softmax and gradient at -inf that are not exactly +0, in rows not special.

    The gradient has -1 at a label there.
    """
    if operation not in metrics.ROW_SUMS:
        return 0
    count = 0
    for batch, output in zip(batches, outputs, strict=True):
        x, got = at_least_fp32(batch.x), at_least_fp32(output)  # ml_dtypes warns of NaN
        masked = np.isneginf(x) & np.isfinite(x.max(axis=1, keepdims=True))
        if operation in LABELLED:
            masked[np.arange(len(masked)), batch.labels] = False
        count += int((masked & ((got != 0) | np.signbit(got))).sum())
    return count


def _by_width(
    batches: Sequence[Batch], compared: Sequence[Errors]
) -> tuple[tuple[int, float | None], ...]:
    """Largest ulp error by K, None where an output failed; for rows of several lengths only."""
    worst: dict[int, float] = {}
    for batch, errors in zip(batches, compared, strict=True):
        width = batch.x.shape[1]
        worst[width] = max(worst.get(width, 0.0), float(errors.ulp.max(initial=0.0)))
    if len(worst) == 1:
        return ()
    return tuple((k, None if math.isinf(ulp) else ulp) for k, ulp in sorted(worst.items()))
