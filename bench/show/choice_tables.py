"""Which method to take for an operation, a format and a length of rows, by what one needs.

Decided from a run: a method counts where no case of the operation and format makes it fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.show.markdown import TITLES, figure, markdown
from numerics import ALL_FORMATS, METHODS, OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

    from bench.runs.run_file import Run

LENGTHS = (5, 600, 50_257)
ONE_ULP = 1.0


@dataclass(frozen=True)
class Candidate:
    """A method for an operation in a format at one K: its largest error of any case, its time."""

    method: str
    max_ulp: float
    ns_per_element: float
    same_bits: bool

    def __str__(self) -> str:  # noqa: D105
        return f"{self.method} {figure(self.ns_per_element)} ns, {figure(self.max_ulp)} ulp"


NEEDS: Mapping[str, Callable[[Candidate], bool]] = {
    "speed": lambda one: True,
    "within 1 ulp": lambda one: one.max_ulp <= ONE_ULP,
    "same bits": lambda one: one.same_bits,
    "the nearest number": lambda one: METHODS[one.method].correctly_rounded,
}
"""What one may need, and which methods have it; of those the fastest is taken."""


@dataclass(frozen=True)
class Choice:
    """The method to take, by need; None where no method has what is needed."""

    operation: str
    format: str
    columns: int
    taken: Mapping[str, Candidate | None]


def choices(run: Run) -> list[Choice]:
    """For each operation, format and K that was timed; a run without times or bits has none."""
    if not len(run.throughput) or not len(run.invariance):
        return []
    found = []
    for operation in OPERATIONS:
        for format_name in ALL_FORMATS:
            for columns in LENGTHS:
                some = _candidates(run, operation, format_name, columns)
                if some:
                    found.append(Choice(operation, format_name, columns, _taken(some)))
    return found


def _taken(some: Sequence[Candidate]) -> dict[str, Candidate | None]:
    return {
        need: min(filter(has, some), key=lambda one: one.ns_per_element, default=None)
        for need, has in NEEDS.items()
    }


def _candidates(run: Run, operation: str, format_name: str, columns: int) -> list[Candidate]:
    accuracy, times = (
        table[(table["operation"] == operation) & (table["format"] == format_name)]
        for table in (run.accuracy, run.throughput)
    )
    bits = run.invariance[run.invariance["format"] == format_name]
    taken = _by_method(times[times["columns"] == columns], "ns_per_element", "median")
    errors, failures = (
        _by_method(accuracy, *of) for of in (("max_ulp", "max"), ("failures", "sum"))
    )
    differing = _by_method(bits, "differing", "sum")
    return [
        Candidate(name, errors[name], taken[name], differing.get(name) == 0)
        for name in METHODS
        if name in errors and name in taken and failures[name] == 0
    ]


def _by_method(table: pd.DataFrame, column: str, how: str) -> dict[str, float]:
    return {
        str(name): float(one) for name, one in table.groupby("subject")[column].agg(how).items()
    }


def heads_and_rows(run: Run) -> tuple[list[str], list[list[str]]]:
    """A row for each operation, format and K; a column for each need."""
    rows = [
        [TITLES[one.operation], one.format, f"{one.columns:,}",
         *(str(one.taken[need] or "none") for need in NEEDS)]
        for one in choices(run)
    ]  # fmt: skip
    return ["operation", "format", "K", *NEEDS], rows


def sortable(run: Run) -> tuple[list[str], list[list[tuple[str, float | str]]]]:
    """The same for a page: each text with what it is sorted by, which is a time for a method."""
    heads, rows = heads_and_rows(run)
    keys = [
        [list(TITLES).index(one.operation), list(ALL_FORMATS).index(one.format), one.columns]
        + [taken.ns_per_element if taken else math.inf for taken in one.taken.values()]
        for one in choices(run)
    ]
    return heads, [
        [(text, "" if key == math.inf else key) for text, key in zip(row, of_row, strict=True)]
        for row, of_row in zip(rows, keys, strict=True)
    ]


def table(run: Run) -> str:
    """The same in Markdown."""
    heads, rows = heads_and_rows(run)
    return markdown(heads, rows, text=2)
