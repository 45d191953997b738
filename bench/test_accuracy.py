"""Every output of every case within the subject's own bound. Times nothing."""

from __future__ import annotations

import pytest

from bench.inputs.cases import Case
from bench.inputs.formats import FORMATS
from bench.measure.accuracy import complaints, measure
from bench.runs.records import Record
from bench.subjects.subject import Subject
from bench.truth.exact import Exact


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # naive warns; the record has the flags
def test_within_bound(
    subject: Subject,
    operation: str,
    format_name: str,
    case: Case,
    exact: dict[str, Exact],
    records: list[Record],
) -> None:
    """Measured error at most the bound of `numerics.bounds`, and the policy kept."""
    record = measure(subject, operation, case, FORMATS[format_name], exact)
    records.append(record)
    assert complaints(subject, record) == []
