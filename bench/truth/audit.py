"""The certified oracle held to mpmath, row by row. A disagreement stops whoever asked for it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.inputs.cases import SEED, Batch
from bench.runs.files import write_whole
from bench.truth.exact import DisagreementError, Exact
from bench.truth.reference import compute
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE
from numerics.rows import Labels

ONE_IN = 100_000
"""Of so many rows one is audited at least."""
SOME, VALUES = 4, 2**14
"""And so many of however few, unless they have more logits than this; then one."""
NEAR = {"fp16": 2.0**-32, "bf16": 2.0**-35, "fp32": 2.0**-19, "fp64": 2.0**-20}
"""Ulps from a midpoint within which `exact` itself needs its later stages, by format."""
KEEP = Path("results", "local", "disagreements")
"""Where a row is kept on which both disagree, below the current folder, unless somebody says."""
AGREED = 2.0**-19
"""Ulps by which two values may differ that are each within 2^-20 ulp of the truth."""

Rows = npt.NDArray[np.intp]


def sample(rows: int, width: int, key: Sequence[int] = ()) -> Rows:
    """Numbers of rows to audit: one in ONE_IN, SOME at least, the same ones for the same key."""
    some = min(SOME, max(1, VALUES // width))
    count = min(rows, max(some, -(-rows // ONE_IN)))
    rng = np.random.default_rng([SEED, rows, *key])
    return np.sort(rng.choice(rows, count, replace=False))


def delicate(exact: Exact, format: Format) -> Rows:
    """Outputs beside a midpoint, where `exact` and the oracle are not done with one stage."""
    return np.flatnonzero(np.abs(exact.fraction) > 0.5 - NEAR[format.name])


def audit(
    x: FloatArray,
    labels: Labels,
    found: Mapping[str, Exact],
    format: Format,
    at: Rows,
    keep: Path = KEEP,
) -> None:
    """Compare what the oracle found for some rows, all operations that it has, with mpmath.

    DisagreementError where both cannot be right; the row is then written into the folder `keep`.
    """
    truth = compute([Batch(x[at], labels[at])], format)
    check(x, labels, found, truth, format, at, keep)


def check(
    x: FloatArray,
    labels: Labels,
    found: Mapping[str, Exact],
    truth: Mapping[str, Exact],
    format: Format,
    at: Rows,
    keep: Path,
) -> None:
    """The same, when mpmath has been asked already: `truth` is that of the rows `at`."""
    for operation in found.keys() & truth.keys():
        width = x.shape[1] if operation in ELEMENTWISE else 1
        outputs = (at[:, np.newaxis] * width + np.arange(width)).ravel()
        wrong = np.flatnonzero(~_agree(_taken(found[operation], outputs), truth[operation]))
        if wrong.size:
            which, column = divmod(int(wrong[0]), width)
            row = int(at[which])
            sides = {
                "oracle": _parts(found[operation], int(outputs[wrong[0]])),
                "mpmath": _parts(truth[operation], int(wrong[0])),
            }
            said = {"operation": operation, "format": format.name, "column": column, **sides}
            _stop(said, x[row], int(labels[row]), keep)


def _agree(a: Exact, b: Exact) -> npt.NDArray[np.bool_]:
    nan = np.isnan(a.significand) & np.isnan(b.significand)
    same = (a.significand == b.significand) & (a.exponent == b.exponent)
    near = np.abs(a.fraction - b.fraction) <= AGREED
    agreed: npt.NDArray[np.bool_] = nan | (same & near)
    return agreed


def _taken(exact: Exact, at: Rows) -> Exact:
    return Exact(exact.significand[at], exact.fraction[at], exact.exponent[at])


def _parts(exact: Exact, at: int) -> list[str | int]:
    significand, fraction = float(exact.significand[at]).hex(), float(exact.fraction[at]).hex()
    return [significand, fraction, int(exact.exponent[at])]


def _stop(said: dict[str, Any], row: FloatArray, label: int, keep: Path) -> None:
    content = said | {"label": label, "x": [float(v).hex() for v in row]}
    number = int(np.frombuffer(row.tobytes()[:8].ljust(8, b"\0"), np.uint64)[0])
    path = keep / f"disagreement-{said['operation']}-{said['format']}-{number:016x}.json"
    with contextlib.suppress(OSError):  # the disagreement matters more
        write_whole(path, json.dumps(content, indent=1) + "\n")
    message = (
        f"{said['operation']} in {said['format']}: the oracle has {said['oracle']}, "
        f"mpmath {said['mpmath']} (significand, fraction, exponent)"
    )
    raise DisagreementError(message, path)
