"""The certified oracle against independent ones, on rows that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.inputs.cases import Batch, at_effort
from bench.truth import audit, certified, places, reference
from bench.truth.exact import NARROW, DisagreementError, Exact
from numerics import ELEMENTWISE, FORMATS, FP32, FP64, OPERATIONS, Format
from numerics.exact.rounding import lowest_unit
from numerics.exact.stages import STAGES
from numerics.exact.values import Enclosure
from numerics.formats import FloatArray
from tests.strategies import finite_rows, formats

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


def oracle(x: FloatArray, labels: np.ndarray, format: Format) -> dict[str, Exact]:
    return {op: certified.evaluate(op, x, labels, format) for op in OPERATIONS}


def agree(x: FloatArray, format: Format, tmp_path: Path) -> int:
    """Hold every row to mpmath; how many outputs there are."""
    labels = np.arange(len(x)) % x.shape[1]
    found = oracle(x, labels, format)
    audit.audit(x, labels, found, format, np.arange(len(x)), tmp_path)
    return sum(exact.significand.size for exact in found.values())


def _rows(format: Format) -> Iterator[FloatArray]:
    """Rows of all kinds, from a stream that no other test uses."""
    rng = np.random.default_rng([16, *format.name.encode()])
    integer = f"u{format.dtype.itemsize}"
    for length in (1, 2, 2, 3, 5, 41, 70):
        shape = (max(2, 60 // length), length)
        for scale in (2.0**-40, 2.0**-9, 1.0, 20.0, 2.0**11):
            yield rng.normal(scale=scale, size=shape)
        yield rng.integers(0, 2 ** (8 * format.dtype.itemsize), shape, dtype=integer).view(
            format.dtype
        )
        confident = rng.normal(size=shape)
        confident[:, 0] += rng.uniform(5, 1200, len(confident))
        yield confident
        yield np.round(rng.normal(size=shape) * 2.0 ** rng.integers(0, 11))
        masked = rng.normal(size=shape)
        masked[rng.random(shape) < 0.5] = -np.inf
        yield masked
        yield -np.log(length) + rng.normal(size=shape) * 2.0 ** rng.uniform(-60, -3)


@FORMAT
def test_agrees_with_mpmath_on_rows_of_all_kinds(format: Format, tmp_path: Path) -> None:
    with np.errstate(over="ignore"):
        outputs = [agree(x.astype(format.dtype), format, tmp_path) for x in _rows(format)]
    assert sum(outputs) > 10_000


@FORMAT
def test_agrees_with_mpmath_on_the_cases(format: Format, tmp_path: Path) -> None:
    for case in at_effort("quick"):
        for batch in case.batches(format) if format.name in case.formats else ():
            if batch.x.size <= 64:
                agree(batch.x, format, tmp_path)


@settings(max_examples=100)
@given(data=st.data(), format=formats)
def test_agrees_with_mpmath_on_any_finite_row(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, format: Format
) -> None:
    agree(data.draw(finite_rows(format)), format, tmp_path_factory.mktemp("kept"))


@pytest.mark.parametrize("first", range(len(STAGES) + 1))
def test_every_stage_gives_the_same_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: int
) -> None:
    rng = np.random.default_rng(first)
    x = np.concatenate([rng.normal(size=(20, 3)), [[0, 0, 0], [0, -800, -np.inf], [9, 0, 64]]])
    monkeypatch.setattr(certified, "stages_of", lambda format: STAGES[first:])
    agree(x.astype(np.float32), FP32, tmp_path)


def _exact(interval: tuple[Fraction, Fraction], format: Format) -> tuple[int, int] | None:
    ends = {certified._place(end, format)[0] for end in interval}
    return ends.pop() if len(ends) == 1 else None


@FORMAT
def test_an_enclosure_is_sure_only_if_all_of_it_is_at_one_place(format: Format) -> None:
    rng = np.random.default_rng(3)
    count, hidden = 4000, 2.0 ** (format.precision - 1)
    whole = rng.choice([hidden, hidden + 1, 2 * hidden - 1, hidden / 2, 3.0, 1.0], count)
    high = whole + rng.choice([-0.5, -0.25, 0, 0.25, 0.5], count)
    low = np.ldexp(rng.choice([-1.0, 0.0, 1.0], count) * high, -rng.integers(54, 90, count))
    error = np.ldexp(rng.choice([0.0, 1.0], count), -rng.integers(18, 90, count))
    unit = rng.choice([lowest_unit(format), lowest_unit(format) + 1, 0, -3], count)
    sign = rng.choice([-1.0, 1.0], count)
    found = places.places(Enclosure(sign * high, sign * low, error, exponent=unit), format)
    sure, at_power = (found.knowledge == k for k in (places.SURE, places.AT_POWER))
    for i in range(count):
        middle = Fraction(high[i]) + Fraction(low[i])
        scale, slack = Fraction(2) ** int(unit[i]), Fraction(error[i])
        expected = _exact(((middle - slack) * scale, (middle + slack) * scale), format)
        if sure[i]:
            assert expected == (sign[i] * found.significand[i], found.exponent[i])
            place = (middle * scale) / Fraction(2) ** int(found.exponent[i])
            fraction = place - Fraction(sign[i] * found.significand[i])
            assert abs(fraction - Fraction(sign[i] * found.fraction[i])) <= Fraction(2) ** -50
            assert slack * scale <= Fraction(NARROW) * Fraction(2) ** int(found.exponent[i])
        elif expected and slack * scale < Fraction(2) ** (int(found.exponent[i]) - 24):
            # Refused for nothing only beside a power of two, or within a rounding of a midpoint.
            around = 2 * slack * scale + Fraction(2) ** (int(found.exponent[i]) - 50)
            ends = middle * scale - around, middle * scale + around
            assert at_power[i] or _exact(ends, format) is None or slack == 0
    assert sure.sum() > count / 2


def test_an_error_that_is_claimed_too_small_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    given_places = places.places

    def shifted(found: Enclosure, format: Format) -> places.Places:
        high = found.high * (1 + 2.0**-40)
        return given_places(Enclosure(high, found.low, found.error, found.lower), format)

    monkeypatch.setattr(certified, "places", shifted)
    with pytest.raises(DisagreementError, match="the oracle has") as caught:
        agree(x, FP32, tmp_path)
    kept = json.loads(caught.value.row.read_text(encoding="utf-8"))
    assert [float.fromhex(v) for v in kept["x"]] in x.astype(float).tolist()
    assert kept["oracle"] != kept["mpmath"]


def test_the_sample_is_some_of_few_and_one_in_100_000_of_many() -> None:
    assert audit.sample(3, 5).tolist() == [0, 1, 2]
    assert audit.sample(50, 5).size == audit.SOME
    assert audit.sample(2**22, 5).size == 42
    assert audit.sample(2, 50_257).size == 1
    assert audit.sample(2**22, 5, [1]).tolist() != audit.sample(2**22, 5, [2]).tolist()
    assert audit.sample(2**22, 5, [1]).tolist() == audit.sample(2**22, 5, [1]).tolist()


def test_infinities_of_finite_logits_are_numbers_beyond_the_largest(tmp_path: Path) -> None:
    big = FP64.largest
    agree(np.array([[big, -big, 0.0], [big, big, big], [-big, -big, big]]), FP64, tmp_path)


def test_ties_with_something_far_away_are_below_a_power_of_two(tmp_path: Path) -> None:
    far = [[0.0, 0.0, -1e9, -np.inf], [5.0, 5.0, 5.0, 5.0], [3.0, -700.0, 3.0, -1e300]]
    x = np.array([*far, [1e-300, 0.0, -1e9, -np.inf], [0.0, 0.0, 0.0, -800.0]])
    agree(x, FP64, tmp_path)
    assert certified.evaluate("softmax", x[:1], np.zeros(1, np.intp), FP64).exponent[0] == -54


@FORMAT
def test_the_gradient_beside_a_power_of_two_with_every_label(
    format: Format, tmp_path: Path
) -> None:
    """Next to -1, to -1/2 from both sides, and to 0: where a stage cannot see, algebra does."""
    tiny, far = format.smallest_subnormal, -60.0
    rows = [
        [0.0, 0.0, -np.inf],
        [0.0, tiny, -np.inf],
        [0.0, 0.0, 4 * far],
        [0.0, tiny, 4 * far],
        [0.0, 4 * far, 5 * far],
        [0.0, 0.0, 0.0],
        [3.0, -np.inf, -np.inf],
        [0.0, format.unit_roundoff, far],
        [far, 0.0, -np.inf],
    ]
    x = np.repeat(np.array(rows).astype(format.dtype), 3, axis=0)
    assert agree(x, format, tmp_path) == len(x) * (3 * len(ELEMENTWISE) + 2)
    found = certified.evaluate("cross_entropy_gradient", x, np.arange(len(x)) % 3, format)
    value = np.ldexp(found.significand + found.fraction, found.exponent).reshape(-1, 3, 3)
    assert (value[0, [0, 1], [0, 1]] == -0.5).all()
    assert value[0, 2, 2] == -1
    # Below 1 an ulp is half of what it is above: -1 + tiny stands among those.
    label = found.exponent.reshape(-1, 3, 3)[4, [1, 2], [1, 2]]
    assert (label == -format.precision).all()


def test_refuses_a_processor_that_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certified, "flushes_subnormal", lambda: True)
    with pytest.raises(certified.FlushedError):
        certified.evaluate("softmax", np.zeros((1, 2)), np.zeros(1, np.intp), FP64)


def test_the_reference_knows_on_which_side_of_a_power_of_two_it_is() -> None:
    x = np.array([[0.0, -1000.0], [1e-300, 0.0]])
    (exact,) = (reference.compute([Batch(x, np.zeros(2, np.intp))], FP64)["softmax"],)
    assert exact.exponent.tolist()[0] == -53
    assert exact.exponent.tolist()[2:] == [-53, -54]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_estimates_are_exact_where_they_say_so(operation: str, format: Format) -> None:
    rng = np.random.default_rng(12)
    with np.errstate(over="ignore"):
        x = (rng.normal(size=(400, 3)) * 2.0 ** rng.uniform(-6, 10, (400, 1))).astype(format.dtype)
    labels = rng.integers(0, 3, len(x))
    exact = certified.evaluate(operation, x, labels, format)
    found, sure = certified.estimate(operation, x, labels, format)
    assert sure.mean() > 0.9
    at = np.flatnonzero(sure.ravel())
    for name in ("significand", "fraction", "exponent"):
        np.testing.assert_array_equal(getattr(found, name)[at], getattr(exact, name)[at])
