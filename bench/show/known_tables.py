"""The largest errors known, each with a word for how it was found. Measures nothing.

*hunted*: searched for (results/worst). *exhaustive*: of every row of a family (results/sweeps).
*sampled*: of so many outputs of a run or of a sweep that is not of all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.hunt import worst_file
from bench.hunt.domains import DOMAINS
from bench.runs.committed import SWEEPS, WORST
from bench.show.markdown import TITLES, figure, markdown
from bench.sweep import sweep_file
from bench.sweep.summary import Summary
from numerics import ALL_FORMATS, METHODS, OPERATIONS

if TYPE_CHECKING:
    from bench.runs.run_file import Run

Key: TypeAlias = tuple[str, str, str]
"""Subject, operation, format."""
Files: TypeAlias = Sequence[Mapping[str, Any]]
"""Contents of sweep files, or of files of worst rows."""
ANY, IN_RANGE = (domain.name for domain in DOMAINS)


@dataclass(frozen=True)
class Known:
    """A largest finite error, and how it was found."""

    ulp: float
    how: str

    def __str__(self) -> str:  # noqa: D105
        return f"{figure(self.ulp)} {self.how}"


def largest(run: Run | None, sweeps: Files, worst: Files) -> dict[Key, Known]:
    """Of any finite logits, by subject, operation and format; of equal errors, the first."""
    sources = [*_hunted(worst, ANY), *_swept(sweeps), *([] if run is None else _sampled(run))]
    return _largest_of(sources)


def in_range(worst: Files) -> dict[Key, Known]:
    """The same of rows that need no shift; these are hunted."""
    return _largest_of(_hunted(worst, IN_RANGE))


def _largest_of(sources: Iterable[tuple[Key, Known]]) -> dict[Key, Known]:
    found: dict[Key, Known] = {}
    for key, known in sources:
        if key not in found or known.ulp > found[key].ulp:
            found[key] = known
    return found


def _hunted(worst: Files, domain: str) -> Iterator[tuple[Key, Known]]:
    for content in worst:
        for cell in content["cells"]:
            key = content["subject"], content["operation"], cell["format"]
            for witness in cell["found"]:
                if witness["domain"] == domain:
                    yield key, Known(witness["ulp"], "hunted")


def _swept(sweeps: Files) -> Iterator[tuple[Key, Known]]:
    for part in (part for content in sweeps for part in content["parts"]):
        for cell in part["cells"]:
            summary = Summary.from_json(cell["summary"])
            errors = [float.fromhex(witness.ulp) for witness in summary.worst]
            finite = [ulp for ulp in errors if ulp < float("inf")]
            sampled = f"sampled of {figure(summary.outputs)}"
            how = f"exhaustive of {part['family']}" if part["exhaustive"] else sampled
            if finite:
                yield (cell["subject"], cell["operation"], part["format"]), Known(max(finite), how)


def _sampled(run: Run) -> Iterator[tuple[Key, Known]]:
    cells = run.accuracy.groupby(["subject", "operation", "format"], sort=False)
    for (subject, operation, format_name), rows in cells:
        measured = rows[rows["max_ulp"].notna()]
        if len(measured):
            key = str(subject), str(operation), str(format_name)
            how = f"sampled of {figure(int(measured['elements'].sum()))}"
            yield key, Known(float(measured["max_ulp"].max()), how)


def committed(folder: Path) -> tuple[Files, Files]:
    """The sweeps and the worst rows of a folder of results.

    SweepError where sweeps share a chunk: its outputs would count twice.
    """
    sweeps = sweep_file.all_of(folder / SWEEPS)
    parts = [(path.name, part) for path, content in sweeps.items() for part in content["parts"]]
    for one, other in combinations(parts, 2):
        sweep_file.check_apart([one], [other])
    return list(sweeps.values()), worst_file.all_of(folder / WORST)


def table(known: Mapping[Key, Known]) -> str:
    """A row for each subject and format, a column for each operation."""
    heads, rows = heads_and_rows(known)
    return markdown(heads, rows, text=2)


def heads_and_rows(known: Mapping[Key, Known]) -> tuple[list[str], list[list[str]]]:
    """The same, as text."""
    named = {subject for subject, _, _ in known}
    shown = [name for name in OPERATIONS if any(operation == name for _, operation, _ in known)]
    subjects = [*(name for name in METHODS if name in named), *sorted(named - METHODS.keys())]
    rows = [
        [
            subject,
            name,
            *(str(known.get((subject, operation, name), "-")) for operation in shown),
        ]
        for subject in subjects
        for name in ALL_FORMATS
        if any((subject, operation, name) in known for operation in shown)
    ]
    return ["method", "format", *(TITLES[operation] for operation in shown)], rows
