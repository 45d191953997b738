"""Everything that was measured and is committed, read once for all documents that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.judge import verdict_file
from bench.judge.suspects import rates
from bench.judge.suspects.rates import Rate
from bench.judge.verdicts import Verdict
from bench.measure import calls, confidence, misrounded, processors, race
from bench.measure.calls import Called
from bench.measure.confidence import Faded
from bench.measure.misrounded import Found
from bench.measure.processors import Processor
from bench.measure.race import Raced, Table
from bench.measure.timing import Cell
from bench.runs.committed import (
    CALLS,
    CLAIMS,
    GRADIENT,
    MINE,
    MISROUNDED,
    PROCESSORS,
    RACE,
    SUSPECTS,
    VERDICTS,
)
from bench.show import claims_tables, known_tables

if TYPE_CHECKING:
    from bench.runs.run_file import Run


@dataclass(frozen=True)
class Committed:
    """Everything that was measured and is kept.

    `counts` by kind of rows, and `exact_times`, with where they were `counted`; `claims` of the
    stages of `exact`, a table each; `faded`: what is left of gradients, with where that was
    `faded_on`; `suspects`: formulas that were told, with where they were `suspected_on`;
    `environment` is that of the verdicts; `calls` on few numbers, `made_of` parts, `since` an older
    version, with where they were `called`.
    """

    run: Run
    by_version: Sequence[Run]
    raced: Raced
    calls: list[Called]
    since: list[Cell]
    made_of: Table
    called: str
    counts: dict[str, Found]
    exact_times: list[Cell]
    counted: str
    claims: dict[str, str]
    faded: list[Faded]
    faded_on: str
    suspects: list[Rate]
    suspected_on: str
    processors: list[Processor]
    sweeps: known_tables.Files
    worst: known_tables.Files
    mine: list[Verdict]
    libraries: list[Verdict]
    environment: dict[str, Any]


def load(root: Path, run: Run, by_version: Sequence[Run]) -> Committed:
    """Read what stands beside the runs; RunFileError where one is missing or no such file."""
    results = root / "results"
    counts, exact_times, counted = misrounded.load(results / MISROUNDED)
    on_few, since, made_of, called = calls.load(results / CALLS)
    faded, faded_on = confidence.load(results / GRADIENT)
    suspects, suspected_on = rates.load(results / SUSPECTS)
    sweeps, worst = known_tables.committed(results)
    mine, _ = verdict_file.load(results / MINE)
    libraries, environment = verdict_file.load(results / VERDICTS)
    return Committed(
        run=run,
        by_version=by_version,
        raced=race.load(results / RACE),
        calls=on_few,
        since=since,
        made_of=made_of,
        called=called,
        counts=counts,
        exact_times=exact_times,
        counted=counted,
        processors=processors.load(results / PROCESSORS),
        claims=claims_tables.load(results / CLAIMS),
        faded=faded,
        faded_on=faded_on,
        suspects=suspects,
        suspected_on=suspected_on,
        sweeps=sweeps,
        worst=worst,
        mine=mine,
        libraries=libraries,
        environment=environment,
    )
