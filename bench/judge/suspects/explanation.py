"""What is known of the formula behind outputs. Holds it; finds and prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Habit:
    """What is done beside a formula, and the share of the outputs that tell it where it shows."""

    name: str
    share: float
    telling: int


@dataclass(frozen=True)
class Explanation:
    """The formula that outputs follow; none has the name "".

    `share`: of the `telling` outputs, where the formula differs from the exact value or from other
    formulas, those that lie where it says. `next_name` follows with `next_share` of the same ones;
    without a formula, it is the nearest of all. `alike`: formulas that no row told apart from it.
    `cure`: what helps, a key of `bench.judge.suspects.cures`. `nearest`: the share of all outputs
    asked here that are the numbers nearest to the exact values.
    """

    name: str = ""
    share: float | None = None
    telling: int = 0
    next_name: str = ""
    next_share: float | None = None
    alike: list[str] = field(default_factory=list)
    habits: list[Habit] = field(default_factory=list)
    cure: str = ""
    nearest: float | None = None
