from __future__ import annotations

import numpy as np
import pytest

from bench.inputs.cases import CASES, EFFORTS, Case, at_effort, checksum
from numerics import FORMATS

# Block C of the lab, to the letter.
LAB = [
    ("small magnitudes", np.array([0.1, 0.2, 0.3, 0.4, 0.5])),
    ("mixed magnitudes", np.array([-3.0, 0.0, 1.0, 2.0, 5.0])),
    ("large positive", np.array([1.0, 92.0, 3.0, 0.0, 2.0])),
    ("large negative", np.array([-100.0, -200.0, -300.0, -400.0, -500.0])),
    ("all identical", np.array([5.0, 5.0, 5.0, 5.0, 5.0])),
    ("masked entry", np.array([1.0, -np.inf, 3.0, 0.0, 2.0])),
    ("single element", np.array([42.0])),
    ("verb vocabulary", np.zeros(600)),
]


def test_the_lab_comes_first_to_the_letter() -> None:
    for case, (name, x) in zip(CASES, LAB, strict=False):
        (batch,) = case.batches(FORMATS["fp64"])
        assert case.name == name
        assert case.family == "lab"
        assert (batch.x == x).all()
        assert batch.x.shape == (1, x.size)
        assert batch.labels.tolist() == [1]


def test_names_are_unique_and_every_case_has_a_reason() -> None:
    assert len({case.slug for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.reason
        assert case.family in {"lab", "special", "adversarial", "random", "exhaustive"}
        assert case.effort in EFFORTS


def test_efforts_grow() -> None:
    sizes = [len(at_effort(effort)) for effort in EFFORTS]
    assert sizes == sorted(set(sizes))
    assert len(at_effort("full")) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)
def test_batches_are_reproducible_rounded_and_labelled(case: Case) -> None:
    for format in FORMATS.values():
        first, second = case.batches(format), case.batches(format)
        assert checksum(first) == checksum(second)
        if format.name not in case.formats:
            continue
        for batch in first:
            assert batch.x.dtype == format.dtype
            assert batch.x.ndim == 2
            assert batch.labels.shape == batch.x.shape[:1]
            assert batch.labels_in_range or case.name == "single element"


def test_a_stream_is_keyed_by_the_name_of_its_case_alone() -> None:
    def draw(name: str) -> str:
        case = Case(name, "random", "", lambda format, rng: [rng.normal(size=4)])
        return checksum(case.batches(FORMATS["fp64"]))

    assert draw("one") == draw("one") != draw("another")


def test_formats_see_the_same_numbers_rounded() -> None:
    case = next(case for case in CASES if case.name == "normal 5")
    wide, narrow = (case.batches(FORMATS[name])[0].x for name in ("fp64", "fp16"))
    assert (wide.astype(np.float16) == narrow).all()


def test_every_width_is_there() -> None:
    widths = [
        batch.x.shape[1]
        for case in CASES
        if case.name.startswith("widths")
        for batch in case.batches(FORMATS["fp32"])
    ]
    assert widths == list(range(1, 1026))


def test_checksum_sees_bits_labels_and_shape() -> None:
    (batch,) = CASES[0].batches(FORMATS["fp32"])
    digest = checksum([batch])
    other = CASES[0].batches(FORMATS["fp32"])[0]
    other.x[0, 0] = np.nextafter(other.x[0, 0], np.float32(1))
    assert checksum([other]) != digest
    other = CASES[0].batches(FORMATS["fp32"])[0]
    other.labels[0] = 0
    assert checksum([other]) != digest
