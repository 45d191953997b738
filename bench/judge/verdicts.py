"""What a verdict holds: everything known of one subject, cell by cell. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.inputs.kinds import SPECIAL
from bench.judge.suspects.explanation import Explanation
from bench.measure.contract import Found
from bench.measure.slow_paths import Pace
from bench.measure.sums import Sums
from bench.measure.tally import Tally, Witness, added, merged

COLUMNS = (5, 64, 600, 4096)
PLAIN = "plain"


@dataclass(frozen=True)
class Way:
    """What came of one presentation, all its batches together.

    `tallies` by kind of row: of all rows where it is "plain", else of those with other bits than
    plain, which are `changed` of `outputs`. `policies` counts special rows by kind and policy.
    `outcomes` counts batches that gave no result, by what happened ("refused" is no defect), and
    `messages` says what. `flags`: floating-point flags and warnings, each with its first place.
    """

    presentation: str
    outputs: int = 0
    changed: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    policies: dict[str, dict[str, int]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)


def together(presentation: str, ways: Iterable[Way]) -> Way:
    """Ways of one presentation as one."""
    ways = list(ways)
    kinds = dict.fromkeys(kind for way in ways for kind in way.tallies)
    special = dict.fromkeys(kind for way in ways for kind in way.policies)
    policies: dict[str, dict[str, int]] = {kind: {} for kind in special}
    outcomes: dict[str, int] = {}
    for way in ways:
        outcomes = added(outcomes, way.outcomes)
        for kind, counts in way.policies.items():
            policies[kind] = added(policies[kind], counts)
    return Way(
        presentation,
        sum(way.outputs for way in ways),
        sum(way.changed for way in ways),
        {kind: merged(w.tallies[kind] for w in ways if kind in w.tallies) for kind in kinds},
        policies,
        outcomes,
        list(dict.fromkeys(message for way in ways for message in way.messages))[:4],
        {flag: where for way in ways[::-1] for flag, where in way.flags.items()},
    )


@dataclass(frozen=True)
class Cell:
    """What is known of an operation in a format.

    `ways`: by presentation, the plain one first. `ordinary_ulp` is over the random cases alone,
    `confident_ulp` over confident rows. `unmeasured` names what was not asked, `messages` holds
    why the cell is not offered. `inputs` is a checksum of all rows that were passed. `formula` is
    what its outputs follow, if that was asked for; `sums` what random rows of softmax add up to.
    """

    operation: str
    format: str
    offered: bool
    messages: list[str] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    ordinary_ulp: float | None = None
    confident_ulp: float | None = None
    unmeasured: list[str] = field(default_factory=list)
    inputs: str = ""
    formula: Explanation | None = None
    sums: Sums | None = None

    @property
    def plain(self) -> Way:
        """All cases, passed plainly."""
        return next((way for way in self.ways if way.presentation == PLAIN), Way(PLAIN))

    @property
    def all_rows(self) -> Tally:
        """Rows that have a value, however they were passed."""
        return merged(tally for way in self.ways for tally in way.tallies.values())

    @property
    def plain_rows(self) -> Tally:
        """Rows that have a value, passed plainly."""
        return merged(self.plain.tallies.values())

    @property
    def max_ulp(self) -> float | None:
        """The largest error of any row, however it was passed."""
        return self.all_rows.max_ulp

    @property
    def failures(self) -> dict[str, int]:
        """Outputs, and batches without any, that are failures, by kind."""
        found = self.all_rows.failures
        for way in self.ways:
            found = added(found, {k: n for k, n in way.outcomes.items() if k != "refused"})
        return found

    @property
    def policies(self) -> dict[str, dict[str, int]]:
        """Special rows by kind and policy, however they were passed."""
        return together("", self.ways).policies

    @property
    def special_kinds(self) -> tuple[str, ...]:
        """The kinds of rows that have a policy."""
        return SPECIAL


@dataclass(frozen=True)
class Speed:
    """Median ns per element on normal logits of K = `columns`, and over our methods' times.

    `seconds`: of each round, for so many `rows`.
    """

    operation: str
    format: str
    columns: int
    ns_per_element: float
    over_stable: float
    over_fast: float
    rows: int = 1
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Death:
    """A call that ended the subject's process, or never ended."""

    operation: str
    format: str
    call: str
    how: str


@dataclass(frozen=True)
class Verdict:
    """All about one subject. `origins`: how each operation is asked for on the command line."""

    subject: str
    version: str
    effort: str
    cells: list[Cell]
    contract: list[Found] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    speed: list[Speed] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def offered(self) -> list[Cell]:
        """The cells that were asked."""
        return [cell for cell in self.cells if cell.offered]

    def time_ratio(self, operation: str, format_name: str, to: str) -> float | None:
        """Geometric mean over K of the time over that of "stable" or "fast"; None if not timed."""
        ratios = [
            speed.over_stable if to == "stable" else speed.over_fast
            for speed in self.speed
            if (speed.operation, speed.format) == (operation, format_name)
        ]
        return statistics.geometric_mean(ratios) if ratios else None


__all__ = ["COLUMNS", "PLAIN", "Cell", "Death", "Speed", "Tally", "Verdict", "Way", "Witness"]
