"""policies: what is returned for special rows has a name, and near misses have another."""

from __future__ import annotations

import numpy as np
import pytest

from bench.inputs.kinds import KINDS, SPECIAL, kinds_of
from bench.judge.policies import OTHER, POLICIES, named, published
from bench.subjects.subject import SUBJECTS
from numerics import FORMATS, OPERATIONS
from numerics.formats import Format
from numerics.method import arguments

INF, NAN = np.inf, np.nan
ROWS = (
    [-INF] * 5,
    [INF, 0, 1, 2, 3],
    [0, INF, 1, INF, -INF],
    [NAN, 0, 1, 2, 3],
    [INF, NAN, 0, 1, 2],
)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("format", FORMATS.values(), ids=list(FORMATS))
def test_ours_is_the_published_one(operation: str, format: Format) -> None:
    x = np.array(ROWS, format.dtype)
    labels = np.zeros(len(x), np.intp)
    got = SUBJECTS["stable"].functions[operation](*arguments(operation, x, labels))
    for row, output, kind in zip(x, got, kinds_of(x), strict=True):
        name = KINDS[kind]
        assert named(operation, name, row, 0, output) == published(operation, name)


@pytest.mark.parametrize(("operation", "kind"), list(POLICIES))
def test_every_policy_is_recognised_and_told_from_the_others(operation: str, kind: str) -> None:
    x = np.array({"empty": ROWS[0], "+inf": ROWS[1], "NaN": ROWS[3]}[kind])
    for label in (1, 0):
        for policy in POLICIES[operation, kind]:
            got = np.asarray(policy.outputs(x, label))
            same = [p for p in POLICIES[operation, kind]
                    if np.array_equal(p.outputs(x, label), got, equal_nan=True)]  # fmt: skip
            assert named(operation, kind, x, label, got) == same[0].name
    wrong = np.full_like(np.asarray(POLICIES[operation, kind][0].outputs(x, 0)), 0.123)
    assert named(operation, kind, x, 0, wrong) == OTHER


def test_every_operation_has_a_policy_for_every_kind() -> None:
    assert set(POLICIES) == {(op, kind) for op in OPERATIONS for kind in SPECIAL}
