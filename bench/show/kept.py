"""Everything that was measured and is committed, read once for all documents that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.judge import verdict_file
from bench.judge.verdicts import Verdict
from bench.measure import misrounded, race
from bench.measure.misrounded import Found
from bench.measure.race import Raced
from bench.measure.timing import Cell
from bench.runs.committed import MINE, MISROUNDED, RACE, VERDICTS

if TYPE_CHECKING:
    from bench.runs.run_file import Run


@dataclass(frozen=True)
class Committed:
    """Everything that was measured and is kept.

    `counts` by kind of rows, and `exact_times`, with where they were `counted`; `environment` is
    that of the verdicts.
    """

    run: Run
    by_version: Sequence[Run]
    raced: Raced
    counts: dict[str, Found]
    exact_times: list[Cell]
    counted: str
    mine: list[Verdict]
    libraries: list[Verdict]
    environment: dict[str, Any]


def load(root: Path, run: Run, by_version: Sequence[Run]) -> Committed:
    """Read what stands beside the runs; RunFileError where one is missing or no such file."""
    results = root / "results"
    counts, exact_times, counted = misrounded.load(results / MISROUNDED)
    mine, _ = verdict_file.load(results / MINE)
    libraries, environment = verdict_file.load(results / VERDICTS)
    return Committed(
        run=run,
        by_version=by_version,
        raced=race.load(results / RACE),
        counts=counts,
        exact_times=exact_times,
        counted=counted,
        mine=mine,
        libraries=libraries,
        environment=environment,
    )
