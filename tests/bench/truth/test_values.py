"""values: exact values from wherever they come are mpmath's, whatever rows are asked together."""

from __future__ import annotations

import numpy as np
import pytest

from bench.inputs import probes
from bench.truth import reference
from bench.truth.values import exact_values
from numerics import FORMATS, OPERATIONS
from numerics.formats import Format

SMALL = ("presented, special", "masked blocks", "empty rows", "equal", "confident", "mask left")


@pytest.mark.parametrize("case", SMALL)
@pytest.mark.parametrize("format", FORMATS.values(), ids=list(FORMATS))
def test_values_are_those_of_mpmath(case: str, format: Format) -> None:
    batches = [b for b in probes.named(case).batches(format) if b.x.size < 3000]
    wanted = reference.compute(batches, format)
    for operation in OPERATIONS:
        found = exact_values(operation, batches, format)
        significand = np.concatenate([part.significand for part in found])
        exponent = np.concatenate([part.exponent for part in found])
        fraction = np.concatenate([part.fraction for part in found])
        exact, finite = wanted[operation], np.isfinite(significand)
        np.testing.assert_array_equal(significand, exact.significand)
        np.testing.assert_array_equal(exponent[finite], exact.exponent[finite])
        assert np.abs(fraction - exact.fraction).max() <= 2.0**-19  # both are within 2^-20


def test_rows_of_many_lengths_asked_together_are_those_asked_alone() -> None:
    format = FORMATS["fp32"]
    batches = probes.named("widths").batches(format)[:40]
    for operation in OPERATIONS:
        together = exact_values(operation, batches, format)
        for batch, part in zip(batches, together, strict=True):
            (alone,) = exact_values(operation, [batch], format)
            np.testing.assert_array_equal(part.significand, alone.significand)
