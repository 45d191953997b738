"""What mpmath has to confirm of measurements: the rows that their largest errors are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from bench.inputs.cases import named
from bench.inputs.formats import FORMATS
from bench.runs.records import Record
from bench.truth.audited import Asked
from bench.truth.exact import Exact


def asked(
    records: Iterable[Record], truth: Mapping[tuple[str, str], Mapping[str, Exact]]
) -> list[Asked]:
    """The rows of all witnesses, each once; `truth` is by the names of case and format."""
    rows: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for record in records:
        for witness in (record.worst, record.largest):
            if witness is not None:
                at = witness["batch"], witness["row"]
                rows.setdefault((record.case, record.format), set()).add(at)
    return [_of_case(*key, at, truth[key]) for key, at in rows.items()]


def _of_case(
    case: str, format_name: str, at: Iterable[tuple[int, int]], found: Mapping[str, Exact]
) -> Asked:
    batches = named(case).batches(FORMATS[format_name])
    chosen = [
        np.array(sorted(row for batch, row in at if batch == number), np.intp)
        for number in range(len(batches))
    ]
    return Asked((batches, format_name), chosen, found)
