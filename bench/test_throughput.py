"""pytest-benchmark over operation x format x shape x subject. Asserts no accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from bench.inputs.cases import SEED
from bench.inputs.formats import FORMATS
from bench.measure.timing import settle_heap
from bench.subjects.subject import Subject
from numerics.method import arguments

NUMBERS = 2**16
"""In a batch: half a MiB in fp64. `bench race` has larger arrays."""


def test_throughput(
    benchmark: BenchmarkFixture, subject: Subject, operation: str, format_name: str, columns: int
) -> None:
    """Time on about 2^16 normal logits of scale 5; ns per element of the input."""
    dtype = FORMATS[format_name].dtype
    rows = max(1, NUMBERS // columns)
    rng = np.random.default_rng(SEED)
    x = rng.normal(scale=5.0, size=(rows, columns)).astype(dtype)
    labels = rng.integers(0, columns, size=rows)
    given = arguments(operation, x, labels)
    _refuse_to_time_what_writes(subject.functions[operation], given)
    benchmark.group = f"{operation} {format_name} {rows}x{columns}"
    settle_heap()
    with np.errstate(all="ignore"):
        benchmark(subject.functions[operation], *given)
    if benchmark.stats is not None:
        stats = benchmark.stats.stats
        benchmark.extra_info.update(
            subject=subject.name,
            operation=operation,
            format=format_name,
            rows=rows,
            columns=columns,
            ns_per_element=stats.median * 1e9 / x.size,
            iqr_ns_per_element=stats.iqr * 1e9 / x.size,
        )


def _refuse_to_time_what_writes(function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Each round after the first would get other numbers."""
    few = [array[:4].copy() for array in given]
    with np.errstate(all="ignore"):
        function(*few)
    kept = all(a.tobytes() == b[:4].tobytes() for a, b in zip(few, given, strict=True))
    assert kept, "wrote to its input"
