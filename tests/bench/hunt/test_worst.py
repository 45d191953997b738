"""Every committed worst row, replayed: mpmath's value, the error, and what the subject returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.hunt import worst_file
from bench.hunt.domains import DOMAINS
from bench.hunt.numbers import row_of
from bench.inputs.cases import Batch
from bench.inputs.formats import FORMATS
from bench.measure import metrics
from bench.runs.committed import ROOT, WORST
from bench.subjects import specs
from bench.sweep import identity
from bench.sweep.chunk import called
from bench.truth.audit import AGREED
from bench.truth.reference import compute
from numerics import Format

FILES = sorted((ROOT / "results" / WORST).glob("*.json"))
COLUMNS = ("softmax", "log_softmax")


def replayed(operation: str, witness: Mapping[str, Any], format: Format) -> float:
    """The error of what is recorded, by mpmath alone; the row is in the domain that is said."""
    batch = batch_of(witness, format)
    domain = next(one for one in DOMAINS if one.name == witness["domain"])
    assert domain.holds(batch.x, format).all()
    exact = compute([batch], format)[operation]
    at = slice(witness["column"], witness["column"] + 1)
    got = np.array([float.fromhex(witness["got"])], format.dtype)
    return float(metrics.errors(got, exact[at], format, 1).ulp[0])


def batch_of(witness: Mapping[str, Any], format: Format) -> Batch:
    return Batch(row_of(witness["row"], format)[np.newaxis], np.array([witness["label"]]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_committed_worst_rows(path: Path) -> None:
    content = worst_file.load(path)
    subjects, missing = specs.load([content["subject"]])
    for cell in content["cells"]:
        if cell["format"] not in FORMATS:
            continue  # bf16 without ml_dtypes
        format = FORMATS[cell["format"]]
        for witness in cell["found"]:
            error = replayed(content["operation"], witness, format)
            assert abs(error - witness["ulp"]) <= AGREED * max(1.0, error * 2.0**-20)
            assert witness["ratio"] is None or witness["ratio"] <= 1, "a bound is refuted"
        if missing or cell["made"] != identity.environment_of(subjects):
            continue  # its bits are those of another NumPy, processor or library
        for witness in cell["found"]:
            (subject,) = subjects.values()
            got = called(subject, content["operation"], batch_of(witness, format))
            assert float(got.ravel()[witness["column"]]).hex() == witness["got"]


def test_another_row_is_another_error() -> None:
    content = worst_file.load(ROOT / "results" / WORST / "fast-softmax.json")
    cell = next(one for one in content["cells"] if one["format"] == "fp32")
    witness = next(one for one in cell["found"] if len(one["row"]) > 1)
    (text, count), *others = witness["row"]
    moved = np.nextafter(np.float32(float.fromhex(text)), np.float32(np.inf), dtype=np.float32)
    changed = {**witness, "domain": "any", "row": [[float(moved).hex(), count], *others]}
    assert abs(replayed("softmax", changed, FORMATS["fp32"]) - witness["ulp"]) > AGREED
