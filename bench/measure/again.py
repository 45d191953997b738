"""A verdict's witness, shown again: the same rows presented to the same function."""

from __future__ import annotations

from typing import Any

from bench.inputs.formats import FORMATS
from bench.inputs.probes import named
from bench.measure.accuracy import Offence
from bench.measure.presentations import PLAIN, Presented
from bench.subjects import specs


def shown(
    subject: str,
    operation: str,
    format_name: str,
    case: str,
    batch: int = 0,
    presentation: str = PLAIN.name,
) -> Any:
    """The outputs of one batch of a case.

    >>> shown("stable", "softmax", "fp32", "[0, -40]")
    array([[1.000000e+00, 4.248354e-18]], dtype=float32)
    """
    subjects, missing = specs.load([subject])
    if missing:
        raise specs.SpecError(missing[0])
    (one,) = subjects.values()
    rows = named(case).batches(FORMATS[format_name])[batch]
    (answer,) = Presented(operation, presentation, [rows])(one)
    if answer.outputs is None:
        raise Offence(answer.outcome, answer.message)
    return answer.outputs
