"""What is left of p_y - 1, the gradient at the label, as the label gets ever more likely.

Relative errors by subject, format and gap: how far the logit of the label is above all others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.inputs.cases import SEED, Batch
from bench.inputs.formats import FORMATS
from bench.measure import metrics
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.quiet import quiet
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth import certified
from bench.truth.exact import Exact
from numerics import Format

OPERATION = "cross_entropy_gradient"
GAPS = tuple(k / 2 for k in range(1, 91))
"""Up to 45: from 37.4 on, exp of it is below half an ulp of 1 in fp64."""
ROWS, COLUMNS = 64, 10


@dataclass(frozen=True)
class Faded:
    """Largest relative error of p_y - 1 for each gap, of one subject in one format.

    1 where nothing is left of it. Gaps end where p_y - 1 is no longer a normal number.
    """

    subject: str
    format: str
    gaps: list[float]
    errors: list[float]

    @property
    def nothing_from(self) -> float | None:
        """The first gap from which on all of its digits are lost in some row."""
        lost = [gap for gap, error in zip(self.gaps, self.errors, strict=True) if error >= 1]
        return min(lost, default=None)

    def at(self, gap: float) -> float | None:
        """The error at one gap."""
        return dict(zip(self.gaps, self.errors, strict=True)).get(gap)


def subjects(operation: str | None = OPERATION) -> tuple[list[Subject], dict[str, str]]:
    """Our methods and the libraries that are installed, and the versions of those.

    Those that offer an operation; all of them, if none is named.
    """
    found = list(SUBJECTS.values())
    for name in libraries.PEERS:
        try:
            found.append(libraries.load(name).subject())
        except PeerMissingError:
            continue
    offering = [one for one in found if operation is None or operation in one.functions]
    return offering, {one.name: one.version for one in offering if one.version}


def gaps_of(format: Format) -> list[float]:
    """The gaps at which the gradient is a normal number of the format, with as many others."""
    end = -math.log(format.smallest_normal)
    return [gap for gap in GAPS if gap < end]


def rows(format: Format, gap: float) -> Batch:
    """Normal logits; the one of the label is as far above the largest other one as the gap says."""
    rng = np.random.default_rng([SEED, int(2 * gap)])
    x, labels = rng.normal(size=(ROWS, COLUMNS)), np.arange(ROWS) % COLUMNS
    x[np.arange(ROWS), labels] = -np.inf
    x[np.arange(ROWS), labels] = x.max(axis=1) + gap
    return Batch(x.astype(format.dtype), labels)


def measure(found: list[Subject]) -> Iterator[list[Faded]]:
    """Of each format all subjects that offer it."""
    for name, format in FORMATS.items():
        gaps = gaps_of(format)
        batches = [rows(format, gap) for gap in gaps]
        truth = [certified.evaluate(OPERATION, batch.x, batch.labels, format) for batch in batches]
        yield [
            Faded(subject.name, name, gaps, _errors(subject, batches, truth, format))
            for subject in found
            if subject.offers(OPERATION, name)
        ]


def _errors(
    subject: Subject, batches: list[Batch], truth: list[Exact], format: Format
) -> list[float]:
    """At the label alone, in three digits."""
    errors = []
    for batch, exact in zip(batches, truth, strict=True):
        with quiet():
            got = np.asarray(subject.functions[OPERATION](batch.x.copy(), batch.labels.copy()))
        relative = metrics.errors(got, exact, format, COLUMNS).relative.reshape(got.shape)
        errors.append(float(f"{relative[np.arange(ROWS), batch.labels].max():.3g}"))
    return errors


def content(found: list[Faded], versions: Mapping[str, str]) -> dict[str, Any]:
    """What a file holds."""
    return {
        "environment": environment(),
        "versions": dict(versions),
        "rows": ROWS,
        "columns": COLUMNS,
        "faded": [vars(one) for one in found],
    }


def load(path: Path) -> tuple[list[Faded], str]:
    """What a file holds, and where it was found; RunFileError for any other file."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        found = [Faded(**one) for one in file["faded"]]
        _ = [(one.nothing_from, one.at(1.0)) for one in found]
        versions = {"NumPy": file["environment"]["numpy"], **file["versions"]}
        made = ", ".join(f"{name} {version}" for name, version in versions.items())
        return found, f"{made}; {file['rows']} rows of {file['columns']} for each gap"
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise RunFileError(f"{path}: not a file of `bench gradient` ({error})") from None
