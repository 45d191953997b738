"""bf16 in the harness: measured where it is asked for by name, and said how to get it elsewhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs import cases, families
from bench.inputs.formats import FORMATS, PACKAGE, USUAL
from bench.judge.verdict import Scope
from bench.measure import confidence
from bench.measure.accuracy import complaints, measure
from bench.measure.contract import another_value
from bench.subjects.subject import SUBJECTS
from bench.truth.reference import compute
from numerics import BF16, OPERATIONS

needs_package = pytest.mark.skipif(BF16.name not in FORMATS, reason=f"needs {PACKAGE}")


def test_nobody_is_asked_about_it_unasked() -> None:
    assert BF16.name not in USUAL
    assert Scope().formats == USUAL


@pytest.mark.parametrize(
    "asked",
    [
        ["verdict", "scipy", "--formats", "fp32,bf16"],
        ["sweep", "exact", "--format", "bf16", "--family", "x0", "-o", "none.json"],
        ["hunt", "fast", "--operation", "softmax", "--format", "bf16"],
        ["misrounded", "--formats", "bf16"],
    ],
    ids=lambda asked: asked[0],
)
def test_who_has_no_ml_dtypes_is_told_how_to_get_it(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == PACKAGE else there(name)
    )
    assert main(asked) == 2
    assert f"needs {PACKAGE}: pip install '.[bf16]'" in capsys.readouterr().err


def test_without_ml_dtypes_there_are_the_formats_of_numpy() -> None:
    code = (
        "import importlib.util as u; there = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {PACKAGE!r} else there(name, *a)\n"
        "import bench.inputs.formats as f, bench.api, bench.measure.misrounded, sys\n"
        f"print(*f.FORMATS, {PACKAGE!r} in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*USUAL, "False"]


def test_what_is_known_of_bf16_is_read_without_ml_dtypes() -> None:
    """By reports and pages: the sweeps and hunts that are committed."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib.util as u; there = u.find_spec\n"
            f"u.find_spec = lambda name, *a: None if name == {PACKAGE!r} else there(name, *a)\n"
            "import sys; from bench.show import known_tables\n"
            "from bench.runs.committed import ROOT\n"
            "files = known_tables.committed(ROOT / 'results')\n"
            f"print('bf16' in str(files), {PACKAGE!r} in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["True", "False"]


@needs_package
@pytest.mark.parametrize("name", ["masked entry", "label likeliest", "log-sum-exp near 0"])
def test_every_method_is_within_its_bound(name: str) -> None:
    case = cases.named(name)
    exact = compute(case.batches(BF16), BF16)
    for subject in SUBJECTS.values():
        for operation in OPERATIONS:
            if subject.offers(operation, BF16.name):
                record = measure(subject, operation, case, BF16, exact)
                assert complaints(subject, record) == []
                if subject.name == "exact":
                    assert record.summary is not None
                    assert record.summary.misrounded == 0


@needs_package
def test_what_is_left_of_the_gradient_is_measured_in_it() -> None:
    """Of p_y - 1 in bf16 `naive` has no digit from a gap of 10 on, and `exact` has all."""
    found = [one for of in confidence.measure([SUBJECTS["naive"], SUBJECTS["exact"]]) for one in of]
    assert list(dict.fromkeys(one.format for one in found)) == list(FORMATS)
    naive, exact = (one for one in found if one.format == BF16.name)
    assert naive.at(10.0) == 1
    assert max(exact.errors) < BF16.unit_roundoff


@needs_package
def test_a_planted_fault_is_seen() -> None:
    """One place up: an ulp, where a correctly rounded result is off by half of one at most."""
    case = cases.named("masked entry")
    exact = compute(case.batches(BF16)[:1], BF16)
    subject = SUBJECTS["exact"]

    def one_up(x: Any) -> Any:
        return np.nextafter(subject.functions["softmax"](x), BF16.dtype.type(np.inf))

    from dataclasses import replace

    planted = replace(subject, functions={"softmax": one_up})
    record = measure(planted, "softmax", case, BF16, exact)
    assert complaints(planted, record) != []


@needs_package
def test_families_of_all_numbers_have_those_of_bf16() -> None:
    every = families.named("x0", BF16)
    assert every.size(BF16) == 2**16
    x = every.block(BF16, 0, 2**16)
    assert x.dtype == BF16.dtype
    assert len(set(x[:, 0].view(np.uint16).tolist())) == 2**16
    assert families.named("pairs", BF16).size(BF16) == 65_280 * 65_281 // 2


@needs_package
def test_half_of_its_digits_are_four() -> None:
    one = np.ones(1, BF16.dtype)
    assert not another_value(one, one * BF16.dtype.type(1.0625))
    assert another_value(one, one * BF16.dtype.type(1.1))


@needs_package
def test_pytorch_gets_its_own_numbers_by_their_bits() -> None:
    torch = pytest.importorskip("torch")
    from bench.subjects.arrays import of_torch, torch_tensor

    every = np.arange(2**16, dtype=np.uint16).view(BF16.dtype).reshape(256, 256)
    for x in (every, every.T, every[:, ::-1], every[::2, ::3]):
        tensor = torch_tensor(x)
        assert tensor.dtype == torch.bfloat16
        assert of_torch(tensor).dtype == BF16.dtype
        assert of_torch(tensor).tobytes() == x.tobytes()
