"""How many results are not the nearest number, and what that costs, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.measure import race
from bench.measure.misrounded import Found
from bench.measure.timing import Cell
from bench.show.markdown import TITLES, figure, markdown
from numerics import ALL_FORMATS, FORMATS, METHODS, OPERATIONS

if TYPE_CHECKING:
    from bench.runs.run_file import Run


def misrounded_of(run: Run) -> str:
    """`misrounded`, for `exact` and the other libraries in a run."""
    kept = run.accuracy[~run.accuracy["subject"].isin(METHODS.keys() - {"exact"})]
    keys = ["subject", "operation", "format"]
    summed = kept.groupby(keys, sort=False)[["misrounded", "elements"]].sum()
    counts = {at: (int(wrong), int(outputs)) for at, wrong, outputs in summed.itertuples()}
    return misrounded(counts, OPERATIONS[:2])


def misrounded(counts: Mapping[tuple[str, ...], tuple[int, int]], operations: Sequence[str]) -> str:
    """How many outputs are not the nearest number, of all, by subject, operation and format."""
    subjects = list(dict.fromkeys(subject for subject, _, _ in counts))
    asked = {name for _, _, name in counts}
    rows = []
    for operation in operations:
        for name in (name for name in ALL_FORMATS if name in FORMATS or name in asked):
            found = [counts.get((subject, operation, name)) for subject in subjects]
            shown = [f"{of[0]:,} of {of[1]:,}" if of else "not offered" for of in found]
            rows.append([TITLES[operation], name, *shown])
    return markdown(["operation", "format", *subjects], rows, text=2)


def counts_table(found: Found) -> str:
    """Misrounded outputs of all, by operation and format."""
    counts = {
        tuple(key.split()): (found.misrounded[key], outputs)
        for key, outputs in found.outputs.items()
    }
    counted = {operation for _, operation, _ in counts}
    return misrounded(counts, [name for name in OPERATIONS if name in counted])


def times_table(cells: Sequence[Cell]) -> str:
    """Time of `exact` over SciPy's by K, with the geometric mean, and ns per element."""
    rows = []
    for operation in OPERATIONS[:2]:
        for name in FORMATS:
            mine = [c for c in cells if c.operation == operation and c.format == name]
            ratios = [cell.ratio("exact", "scipy") for cell in mine]
            shown = [
                f"{figure(ratio)} ({figure(cell.ns_per_element('exact'))} ns)"
                for ratio, cell in zip(ratios, mine, strict=True)
            ]
            mean = figure(statistics.geometric_mean(ratios))
            rows.append([TITLES[operation], name, f"**{mean}**", *shown])
    lengths = [f"K = {columns:,}" for columns in race.COLUMNS]
    return markdown(["operation", "format", "geometric mean", *lengths], rows, text=2)
