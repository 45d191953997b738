"""Bits do not depend on memory order, batch, axis or strides. All else is recorded only."""

from __future__ import annotations

from bench.inputs.formats import FORMATS
from bench.measure.invariance import CHECKS, measure
from bench.runs.records import Invariance
from bench.subjects.subject import Subject


def test_promised_invariances(
    subject: Subject, format_name: str, invariance: list[Invariance]
) -> None:
    """What `numerics.rows` promises for every method: the same rows give the same bits.

    Of any subject: that it takes them in every order.
    """
    measured = measure(subject, FORMATS[format_name])
    invariance.extend(measured)
    promised = {check.name for check in CHECKS if check.promised and subject.ours}
    assert [m for m in measured if m.message or (m.check in promised and m.differing)] == []
