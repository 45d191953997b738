"""Summaries merge to the same bits in any order, and say what the errors are."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from bench.inputs.cases import Batch
from bench.measure import metrics
from bench.sweep import summary
from bench.sweep.summary import EDGES, Summary, compared, merged, summarize
from bench.truth import certified
from bench.truth.exact import Exact
from numerics import FORMATS, Format
from numerics.formats import FloatArray

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


def outputs(format: Format, rows: int = 400) -> tuple[Batch, FloatArray, Exact]:
    """Softmax with errors of all sizes, and failures of every kind."""
    rng = np.random.default_rng([5, *format.name.encode()])
    x = (rng.normal(size=(rows, 3)) * 2.0 ** rng.integers(-2, 9, (rows, 1))).astype(format.dtype)
    x[:3, 0] = np.nan, np.inf, -np.inf
    batch = Batch(x, np.arange(rows) % 3)
    exact = certified.evaluate("softmax", x, batch.labels, format)
    got = exact.rounded(format).reshape(x.shape).copy()
    bits = got.view(f"u{format.dtype.itemsize}")
    bits[20:300] += rng.choice([0, 0, 1, 2, 5, 300], bits[20:300].shape).astype(bits.dtype)
    got[300, 0], got[301, 1], got[302], got[0, 1] = np.nan, np.inf, 0.0, 1.0
    return batch, got, exact


@FORMAT
def test_errors_are_those_of_metrics(format: Format) -> None:
    _, got, exact = outputs(format)
    found, errors = compared(got, exact, format), metrics.errors(got, exact, format, 3)
    assert (found.ulp == errors.ulp).all()
    assert (np.abs(found.signed) == errors.ulp)[np.isfinite(errors.ulp)].all()
    assert found.misrounded == errors.misrounded.sum()
    kinds = ("nan", "infinity", "lost_to_zero", "missed_special")
    counts = {kind: int(getattr(errors, kind).sum()) for kind in kinds}
    assert found.failures == {kind: count for kind, count in counts.items() if count}
    assert {"nan", "infinity", "missed_special"} <= found.failures.keys()


@FORMAT
def test_the_figures(format: Format) -> None:
    batch, got, exact = outputs(format)
    found, errors = summarize(got, exact, batch, 1000, format, []), compared(got, exact, format)
    finite = np.isfinite(errors.ulp)
    expected = np.bincount(np.searchsorted(EDGES, errors.ulp[finite]), minlength=len(EDGES) + 1)
    assert found.histogram == expected.tolist()
    assert sum(found.histogram) + sum(np.isinf(errors.ulp)) == found.outputs
    biased = finite & (errors.ulp <= summary.BIASED)
    mean = float(sum(map(Fraction, errors.signed[biased].tolist())) / int(biased.sum()))
    assert found.mean_signed_ulp is not None
    assert abs(found.mean_signed_ulp - mean) <= summary.BIAS_UNIT / 2
    order = sorted(range(errors.ulp.size), key=lambda i: (-errors.ulp[i], i))[: summary.KEPT]
    assert [(w.row - 1000) * 3 + w.column for w in found.worst] == order
    assert found.max_ulp == math.inf


def test_edges_belong_to_the_bin_below_them() -> None:
    edges = np.array(EDGES[1:])
    ulp = np.concatenate(
        [[0.0, 5e-324, 1e300], edges, np.nextafter(edges, 0), edges * (1 + 2**-52)]
    )
    expected = np.bincount(np.searchsorted(EDGES, ulp), minlength=len(EDGES) + 1)
    assert summary._histogram(ulp) == expected.tolist()
    assert EDGES[1] == 0.5
    assert EDGES[-1] == 2.0**26


@FORMAT
def test_any_partition_in_any_order_merges_to_the_same(format: Format) -> None:
    batch, got, exact = outputs(format)
    rng = np.random.default_rng(1)
    texts = set()
    for _ in range(20):
        cuts = sorted({0, len(got), *rng.integers(1, len(got), 5).tolist()})
        parts = []
        for a, b in itertools.pairwise(cuts):
            part = Batch(batch.x[a:b], batch.labels[a:b])
            parts.append(summarize(got[a:b], exact[slice(3 * a, 3 * b)], part, a, format, []))
        rng.shuffle(parts)  # type: ignore[arg-type]
        while len(parts) > 1:  # in any tree
            i = int(rng.integers(len(parts) - 1))
            parts[i : i + 2] = [merged(parts[i : i + 2])]
        texts.add(json.dumps(parts[0].as_json(), sort_keys=True))
    assert len(texts) == 1
    assert Summary.from_json(json.loads(texts.pop())).outputs == got.size


def test_known_errors_keep_others_from_being_made_witnesses() -> None:
    format = FORMATS["fp32"]
    batch, got, exact = outputs(format)
    assert len(summarize(got, exact, batch, 0, format, [math.inf] * summary.KEPT).worst) == 0
    assert len(summarize(got, exact, batch, 0, format, [math.inf] * 7).worst) == summary.KEPT


def test_nothing_comes_to_nothing() -> None:
    assert merged([]) == Summary()
    assert merged([Summary(), Summary()]) == Summary()
    assert Summary().mean_signed_ulp is None
