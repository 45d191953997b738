"""Row families: pure functions of a number, without gaps, and exhaustive where they say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.inputs import families
from bench.inputs.families import CHUNK, FamilyError, block_rows, named
from numerics import FORMATS, FP16, FP32, FP64

RANDOM = ("normal:3:2", "ulps:3", "confident:5", "offset:4:1000", "masked:7")


@pytest.mark.parametrize("name", RANDOM)
def test_a_block_does_not_depend_on_what_else_is_asked_for(name: str) -> None:
    family, step = named(name, FP32), block_rows(int(name.split(":")[1]))
    whole = family.block(FP32, step, 2 * step)
    assert (family.block(FP32, step + 100, step + 200) == whole[100:200]).all()
    first, batch = next(family.blocks(FP32, 1, rows=step))
    assert first == step
    assert (batch.x == whole).all()
    assert (batch.labels == np.arange(step, 2 * step) % whole.shape[1]).all()
    assert (family.block(FP32, 0, 50) != whole[:50]).any()
    assert (named(name, FP64).block(FP64, 0, 50) != family.block(FP32, 0, 50)).any()


@pytest.mark.parametrize("name", ["x0", "normal:2:1"])
def test_chunks_have_every_row_once(name: str) -> None:
    family = named(name, FP16)
    starts = [(first, len(batch.x)) for first, batch in family.blocks(FP16, 0)]
    assert starts[0][0] == 0
    assert all(a + n == b for (a, n), (b, _) in pairwise(starts))
    assert sum(starts[-1]) == (2**16 if name == "x0" else CHUNK)


def test_every_number_beside_0() -> None:
    for format, start in ((FP16, 0), (FP32, 0x7F7FFFF0), (FP64, 2**63 - 5)):
        x = named("x0", format).block(format, start, start + 20)
        assert (x[:, 1] == 0).all()
        assert x[:, 0].view(f"u{format.dtype.itemsize}").tolist() == list(range(start, start + 20))
    assert named("x0", FP32).chunks(FP32) == 1024
    assert named("normal:2:1", FP32).chunks(FP32) is None


def test_every_pair_of_finite_numbers_up_to_order(monkeypatch: pytest.MonkeyPatch) -> None:
    family = named("pairs", FP16)
    assert family.size(FP16) == 63_488 * 63_489 // 2
    monkeypatch.setattr(families, "_magnitudes", lambda format: 40)
    pairs = family.block(FP16, 0, 80 * 81 // 2).view(np.uint16).tolist()
    numbers = [*range(40), *range(0x8000, 0x8028)]
    assert len(pairs) == family.size(FP16)
    assert {frozenset(pair) for pair in pairs} == {
        frozenset((a, b)) for a in numbers for b in numbers
    }


@pytest.mark.parametrize("start", [0, 1, 2**31 // 3, 2_015_394_816 - 1000])
def test_the_number_of_a_pair_is_its_place_in_the_triangle(start: int) -> None:
    codes = named("pairs", FP16).block(FP16, start, start + 1000).view(np.uint16).astype(int)
    i, j = (np.where(code < 0x7C00, code, code - 0x8000 + 0x7C00) for code in codes.T)
    assert (i * (i + 1) // 2 + j == np.arange(start, start + 1000)).all()
    assert (j <= i).all()


def test_masked_rows_keep_one_and_confident_rows_have_one_above() -> None:
    for format in FORMATS.values():
        assert np.isfinite(named("masked:4", format).block(format, 0, 5000).max(axis=1)).all()
        x = np.sort(named("confident:4", FP64).block(FP64, 0, 5000), axis=1)
        assert (x[:, -1] - x[:, -2] >= 4.9).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "no such family; there are x0, pairs, normal:K:SCALE"),
        ("normal:5", "expected normal:K:SCALE"),
        ("normal:0:1", "expected normal:K:SCALE"),
        ("normal:5:inf", "expected normal:K:SCALE"),
        ("masked:99999", "expected masked:K"),
        ("x0:3", "expected x0"),
        ("pairs", "of formats of 16 bits, not of fp32"),
    ],
)
def test_other_names_are_refused(name: str, said: str) -> None:
    with pytest.raises(FamilyError, match=f"'{name}': {said}"):
        named(name, FP32)
