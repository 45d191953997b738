"""bf16: a format that NumPy learns of from ml_dtypes, which `numerics` never imports."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from numerics import (
    BF16,
    FP32,
    LABELLED,
    METHODS,
    OPERATIONS,
    Method,
    exact_softmax,
    format_of,
    stable,
)
from numerics.exact import decimals, plain, undecided
from numerics.exact.rounding import narrowed, nearest_number
from numerics.facts import ELEMENTARY
from numerics.method import arguments
from tests.strategies import finite_rows
from tests.truth import mismatches

ml_dtypes = pytest.importorskip("ml_dtypes")
OFFERED = [method for method in METHODS.values() if "bf16" in method.formats]
EVERY = np.arange(2**16, dtype=np.uint16).view(BF16.dtype)
with np.errstate(invalid="ignore"):  # of signalling NaN
    WIDE = EVERY.astype(np.float64)  # ml_dtypes warns where it compares any


def test_constants_are_those_of_ml_dtypes() -> None:
    info = ml_dtypes.finfo(ml_dtypes.bfloat16)
    assert format_of(ml_dtypes.bfloat16) == BF16
    assert BF16.bits == info.bits
    assert BF16.largest == float(info.max)
    assert BF16.smallest_normal == float(info.smallest_normal)
    assert BF16.smallest_subnormal == float(info.smallest_subnormal)
    assert 2 * BF16.unit_roundoff == float(info.eps)


def test_nobody_has_to_have_ml_dtypes_and_who_asks_is_told_how_to_get_it() -> None:
    asked = (
        "import sys, numerics; assert 'ml_dtypes' not in sys.modules\n"
        "print(numerics.stable_softmax([1, 1]), numerics.BF16.largest)\n"
        "try: numerics.BF16.dtype\n"
        "except TypeError as error: print(error)\n"
        "import ml_dtypes; print(numerics.BF16.dtype)"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    without, how, then = found.stdout.splitlines()
    assert without.startswith("[0.5 0.5] 3.38")
    assert "pip install 'softmax-numerics[bf16]'" in how
    assert then == "bfloat16"


@pytest.mark.parametrize("method", [METHODS["two_pass"]], ids=["two_pass"])
def test_a_method_that_does_not_offer_it_says_so(method: Method) -> None:
    with pytest.raises(TypeError, match="float16, float32 and float64, not bfloat16"):
        method.softmax(EVERY[:4])


@pytest.mark.parametrize("method", OFFERED, ids=[method.name for method in OFFERED])
def test_order_and_byte_order_change_no_bit(method: Method) -> None:
    x = np.random.default_rng(3).normal(size=(6, 5)).astype(BF16.dtype)
    labels = np.arange(6) % 5
    swapped = x.astype(BF16.dtype.newbyteorder(">" if sys.byteorder == "little" else "<"))
    for operation in OPERATIONS:
        f = getattr(method, operation)
        plain_order = f(*arguments(operation, x, labels))
        assert plain_order.dtype == BF16.dtype
        for same in (np.asfortranarray(x), swapped, np.repeat(x, 2, axis=1)[:, ::2]):
            got = f(*arguments(operation, same, labels))
            assert got.dtype == BF16.dtype
            assert got.tobytes() == plain_order.tobytes()


def test_a_sum_that_bf16_could_not_count() -> None:
    ones = np.zeros((1, 1000), BF16.dtype)
    assert np.exp(ones).sum() == 256
    for method in OFFERED:
        assert float(method.softmax(ones)[0, 0]) == pytest.approx(0.001, rel=3 * 2.0**-8)


def test_fast_has_the_numbers_of_fp32_rounded_once() -> None:
    """So many that one more rounding in fp32 would show."""
    x = np.random.default_rng(4).normal(size=(100_000, 40)).astype(BF16.dtype)
    wide = METHODS["fast"].softmax(x.astype(np.float32))
    assert METHODS["fast"].softmax(x).tobytes() == wide.astype(BF16.dtype).tobytes()


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "exp2", "log2"])
def test_elementary_functions_err_by_no_more_than_the_bounds_assume(name: str) -> None:
    """All numbers of the format, against fp64, which errs by 2^-44 of what is asserted."""
    with np.errstate(all="ignore"):
        got = getattr(np, name)(EVERY).astype(np.float64)
        exact = getattr(np, name)(EVERY.astype(np.float64))
        scale = np.maximum(np.abs(exact), BF16.smallest_normal) * BF16.unit_roundoff
        error = np.abs(got - exact) / scale
    within = np.isfinite(exact) & (np.abs(exact) <= BF16.largest)
    assert error[within].max() <= getattr(ELEMENTARY["bf16"], name) * (1 + 2.0**-40)


# --- exact ---------------------------------------------------------------------------------------


def test_the_table_of_exponentials() -> None:
    x = plain._half_values(BF16)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(x.astype(np.float64), WIDE)
        table = plain._half_table(BF16)
    within = np.flatnonzero(np.abs(x) <= plain.HALF_RANGE)[::37]
    with mp.workprec(120):
        for e, v in zip(table[within], x[within], strict=True):
            exact = mp.exp(mpf(float(v)) - 300)
            assert abs(mpf(float(e)) - exact) <= 1.01 * mpf(2) ** -53 * exact


@pytest.mark.filterwarnings("ignore:overflow")
def test_fp64_is_rounded_once() -> None:
    """To every number from each side of its midpoints: the cast of ml_dtypes goes by fp32."""
    numbers = WIDE[(4 * BF16.smallest_normal <= WIDE) & (BF16.largest >= WIDE)]
    numbers = np.append(numbers, 2.0**128)  # what would be next to the largest
    middles = (numbers[:-1] + numbers[1:]) / 2
    beside = middles * (1 + np.array([[-(2.0**-50)], [2.0**-50]]))
    assert (narrowed(beside[0], BF16).astype(np.float64) == numbers[:-1]).all()
    above = narrowed(beside[1], BF16).astype(np.float64)
    assert (above[:-1] == numbers[1:-1]).all()
    assert np.isposinf(above[-1])
    even = numbers[:-1].astype(np.float32).view(np.uint32) >> 16 & 1 == 0
    tied = narrowed(middles, BF16).astype(np.float64)
    assert (tied[even] == numbers[:-1][even]).all()
    assert (tied[:-1][~even[:-1]] == numbers[1:-1][~even[:-1]]).all()
    with np.errstate(all="ignore"):
        assert (beside[1].astype(BF16.dtype).astype(np.float64) != above).any()
        found, left = nearest_number(-middles, middles * 2.0**-45, BF16)
        assert left.all()
        found, left = nearest_number(beside[1], middles * 2.0**-52, BF16)
    assert not left.any()
    assert found.tobytes() == narrowed(beside[1], BF16).tobytes()


DIRECTED = [
    [0.0, -88.0, -92.5],  # subnormal results, down to the smallest
    [0.0, -92.0, -92.5, -93.0],
    [1.5, -86.5, -87.0, -87.5],
    [3.3895e38, -3.3895e38],  # gaps beyond the largest number
    [3.3895e38, 3.3895e38, 0.0],
    [2.0**-133, 0.0, -(2.0**-133)],  # subnormal logits
    [0.0] * 512,  # a tie of the gradient
    [0.0, float("-inf")],
    [-0.6953125, -0.69140625],  # log-sum-exp near 0
    [400.0, 399.0, -400.0],  # beyond the table
]


@pytest.mark.parametrize("row", DIRECTED, ids=lambda row: str(row[:3]))
def test_rows_where_rounding_is_hard(row: list[float]) -> None:
    assert mismatches(np.array([row]).astype(BF16.dtype), BF16) == []


@settings(max_examples=30, deadline=None)
@given(x=finite_rows(BF16, 4))
def test_exact_is_correctly_rounded(x: np.ndarray) -> None:
    assert mismatches(x, BF16) == []


@settings(max_examples=15, deadline=None)
@given(k=st.integers(-126, 8), numerator=st.integers(128, 255))
def test_beside_midpoints(k: int, numerator: int) -> None:
    """A logit beside one of 0 for a softmax of 2^k m / 128, or as near to its upper midpoint."""
    p = min((numerator + 0.5) / 256 * 2.0**k, 0.4999)
    logit = np.array([np.log(p / (1 - p))]).astype(BF16.dtype)
    around = logit.view(np.uint16) + np.arange(-2, 3).astype(np.uint16)
    x = np.stack([around.view(BF16.dtype), np.zeros(5, BF16.dtype)], axis=1)
    assert mismatches(x, BF16) == []


def test_stages_leave_little_and_the_last_nothing() -> None:
    x = np.random.default_rng(9).normal(scale=20, size=(200, 30)).astype(BF16.dtype)
    for operation in OPERATIONS:
        left = undecided(operation, *arguments(operation, x, np.zeros(200, np.intp)))
        assert list(left) == ["plain", "extended", "double_double"]
        assert left["extended"] == 0


def test_every_47th_row_beside_0() -> None:
    """All of them are asked by `python -m bench sweep`; here against decimals, in their bits."""
    numbers = EVERY[np.isfinite(WIDE)][::47]
    x = np.stack([numbers, np.zeros_like(numbers)], axis=1)
    labels = np.arange(len(x)) % 2
    for operation in OPERATIONS:
        got = getattr(METHODS["exact"], operation)(*arguments(operation, x, labels))
        for i, row in enumerate(x[::20]):
            decided = decimals.Row(row)
            outputs = np.atleast_1d(got[20 * i]).view(np.uint16)
            label = int(labels[20 * i])
            at = range(2) if outputs.size == 2 else [label]
            assert outputs.tolist() == [decided.bits(operation, j, label) for j in at]


def test_a_scalar_is_a_scalar() -> None:
    one = BF16.dtype.type(1.5)
    assert exact_softmax(one, axis=None) == 1
    assert stable.log_sum_exp(np.array([one, one])).dtype == BF16.dtype
    assert "cross_entropy" in LABELLED


@pytest.mark.parametrize("dtype", [np.float16, BF16.dtype], ids=["fp16", "bf16"])
def test_no_number_of_16_bits_is_so_near_to_underflow_that_exp_decides(dtype: np.dtype) -> None:
    """`kernels._no_tail` asks the exponentials; the row's own question is about its logits."""
    x = np.arange(2**16, dtype=np.uint16).view(dtype).astype(np.float32)
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        normal = np.exp(x) >= FP32.smallest_normal
    assert (normal == (x >= FP32.exp_underflow)).all()
    nearest = np.abs(x.astype(np.float64) - FP32.exp_underflow).min()
    assert nearest > 2 * ELEMENTARY["fp32"].exp * FP32.unit_roundoff
