"""presentations: each passes every row and brings it back to its place, for every operation."""

from __future__ import annotations

import numpy as np
import pytest

from bench.inputs.probes import PRESENTED, named
from bench.measure import contract
from bench.measure.presentations import PRESENTATIONS, Presentation, Presented
from bench.subjects.subject import SUBJECTS
from numerics import FORMATS, OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("way", PRESENTATIONS, ids=lambda way: way.name)
def test_what_comes_back_is_the_row_that_it_says(way: Presentation, operation: str) -> None:
    """`stable` gives every row the same bits in every presentation."""
    batches = [b for b in named(PRESENTED).batches(FORMATS["fp32"]) if b.x.shape[1] in (3, 5, 100)]
    batches = [batch for batch in batches if way.takes(*batch.x.shape)]
    plain = Presented(operation, "plain", batches)(SUBJECTS["stable"])
    for one, other in zip(
        Presented(operation, way.name, batches)(SUBJECTS["stable"]), plain, strict=True
    ):
        assert one.outputs is not None, one.message
        assert one.index is not None
        assert other.outputs is not None
        np.testing.assert_array_equal(one.outputs, other.outputs[one.index])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_our_methods_keep_the_contract(operation: str) -> None:
    for name in ("stable", "exact"):
        for probe in contract.of(operation, True):
            found = contract.Probed(operation, "fp64", probe)(SUBJECTS[name])
            assert (found.lines, found.outcome) == ((), "measured"), found
