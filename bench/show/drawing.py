"""From runs to picture files: what is wanted of each figure, drawn in all cores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import matplotlib as mpl

from bench.runs.run_file import shared
from bench.show.processes import begun as processes_begun
from bench.show.rendering import rendered
from bench.show.style import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.runs.run_file import Run

MANY = 10_000
"""Records, over all figures, from which other processes are worth their beginning."""
COLUMNS = (
    *("subject", "operation", "format", "case", "family", "outcome", "elements", "max_ulp"),
    *("nan_failures", "infinity_failures", "lost_to_zero", "missed_special"),
    *("survival", "max_ulp_by_width", "claim_claimed", "claim_ulp", "claim_bound_ulp"),
)
"""What is drawn of the errors of a run, and is worth handing to another process."""


@dataclass(frozen=True)
class Job:
    """A figure to draw, in any process: the kinds of files it is wanted as, and its source."""

    name: str
    draw: Callable[[], Figure]
    kinds: Sequence[str]
    source: str
    records: int


def drawable(runs: Sequence[Run], *more: str) -> list[Run]:
    """Runs cut to the inputs that all of them have, without the columns that no figure shows."""
    runs = shared(runs) if len(runs) > 1 else runs
    unseen = ["raw_seconds", "fastest_seconds"]
    return [
        replace(
            run,
            environment={},
            accuracy=run.accuracy[[*COLUMNS, *more]],
            throughput=run.throughput.drop(columns=unseen, errors="ignore"),
            invariance=run.invariance[:0],
        )
        for run in runs
    ]


def source(runs: Sequence[Run]) -> str:
    """Names the run files that a figure shows; its metadata say so, for a check of freshness."""
    return hashlib.sha256("".join(run.sha256 for run in runs).encode()).hexdigest()


HEAVY = (
    "error-against-time",
    "error-against-k",
    "time-against-k",
    "survival",
    "versions-error",
    "versions-time",
    "versions-bits",
)
"""Figures whose lines make an SVG of 100 to 200 KB: committed as PNG alone."""


def kinds(name: str, svg: bool = True, committed: bool = False) -> tuple[str, ...]:
    """How a figure is written: the points of the bounds make an SVG of half a megabyte."""
    png_alone = name == "errors-against-bounds" or (committed and name in HEAVY)
    return ("svg", "png") if svg and not png_alone else ("png",)


def jobs(
    runs: Sequence[Run],
    figures: Mapping[str, Callable[[], Figure]],
    svg: bool = True,
    committed: bool = False,
) -> list[Job]:
    """What there is to draw: PNG, and SVG where that is wanted."""
    of, records = f"runs {source(runs)}", sum(len(run.accuracy) for run in runs)
    return [
        Job(name, draw, kinds(name, svg, committed), of, records) for name, draw in figures.items()
    ]


def drawn(wanted: Sequence[Job], processes: int | None = None) -> Iterator[dict[str, bytes]]:
    """Name and content of the files of each figure, from all cores where there is much to draw."""
    with begun(wanted, processes) as pictures:
        yield from pictures


def begun(
    wanted: Sequence[Job], processes: int | None = None
) -> AbstractContextManager[Iterator[dict[str, bytes]]]:
    """As `drawn`; other processes draw while this one does something else."""
    if processes is None and sum(job.records for job in wanted) < MANY:
        processes = 1
    return processes_begun(files, wanted, processes)


def files(job: Job) -> dict[str, bytes]:
    """Draw one figure."""
    with mpl.rc_context(STYLE):
        content = rendered(job.draw(), job.source, job.kinds)
    return {f"{job.name}.{kind}": content[kind] for kind in job.kinds}
