"""What a verdict holds: everything known of one subject, cell by cell. Measures nothing."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from bench.runs.records import Invariance

COLUMNS = (5, 64, 600, 4096)
EFFORT = "quick"
"""Of the cases that a verdict is of."""
CASE_SECONDS = 20.0
"""No further case of a subject is begun after so long, unless more is granted."""


@dataclass(frozen=True)
class Witness:
    """An output that shows an error: where it is, and the row itself if it is short, in hex."""

    case: str
    batch: int
    row: int
    column: int | None
    width: int
    label: int
    x: list[str] | None
    got: str
    exact: str


@dataclass(frozen=True)
class Cell:
    """What is known of an operation in a format.

    Errors in ulp, over all rows but special ones; `ordinary_ulp` over the random cases alone,
    `confident_ulp` over confident rows. `failures` counts outputs by kind, and calls that raised
    or gave no usable result; `special_missed` outputs of special rows that are not as the policy
    says. `messages` holds what was raised, or why the cell is not offered.
    """

    operation: str
    format: str
    offered: bool
    messages: list[str] = field(default_factory=list)
    elements: int = 0
    misrounded: int = 0
    ordinary_ulp: float | None = None
    confident_ulp: float | None = None
    max_ulp: float | None = None
    worst: Witness | None = None
    failures: dict[str, int] = field(default_factory=dict)
    failed: Witness | None = None
    special_missed: int = 0
    special_elements: int = 0


@dataclass(frozen=True)
class Speed:
    """Median ns per element on normal logits of K = `columns`, and over our methods' times."""

    operation: str
    format: str
    columns: int
    ns_per_element: float
    over_stable: float
    over_fast: float


@dataclass(frozen=True)
class Verdict:
    """All about one subject. `left_out` names cases for which there was no time."""

    subject: str
    version: str
    cells: list[Cell]
    invariance: list[Invariance]
    speed: list[Speed]
    left_out: list[str]

    def time_ratio(self, operation: str, format_name: str, to: str) -> float | None:
        """Geometric mean over K of the time over that of "stable" or "fast"; None if not timed."""
        ratios = [
            speed.over_stable if to == "stable" else speed.over_fast
            for speed in self.speed
            if (speed.operation, speed.format) == (operation, format_name)
        ]
        return statistics.geometric_mean(ratios) if ratios else None
