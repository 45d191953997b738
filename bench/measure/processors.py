"""What holds on the processor that runs this: the corpus of `exact`, the bounds of all methods.

Needs NumPy and mpmath alone, and so runs on a processor that is emulated. Each processor has an
entry in results/processors.json, which docs/exact.md shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench.inputs.cases import Case, at_effort
from bench.measure import corpus
from bench.measure.accuracy import complaints, measure
from bench.runs import fields
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.runs.records import Record
from bench.runs.track import Track
from bench.subjects.subject import SUBJECTS, Subject, printable
from bench.truth.exact import Exact
from bench.truth.reference import Cache, Job, compute, lookup, references
from numerics import FORMATS, OPERATIONS, Format

EFFORT = "quick"

Cell: TypeAlias = tuple[Case, Format]
Truth: TypeAlias = dict[str, Exact]
"""Exact values of a cell, by operation."""


@dataclass(frozen=True)
class Beyond:
    """A record that is not what its method claims, and why not.

    `ratio` is the largest error over its bound, at an output with `ulp` error; None where no bound
    is claimed.
    """

    subject: str
    operation: str
    format: str
    case: str
    ulp: float | None
    ratio: float | None
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Processor:
    """What was found on a processor.

    `emulator` is empty on a real one. Of the `digests` of the corpus, `differing` are not those
    that are committed; of the `records`, those in `beyond` are not what the method claims.
    """

    name: str
    emulator: str
    environment: dict[str, Any]
    digests: int
    differing: tuple[str, ...]
    records: int
    beyond: tuple[Beyond, ...]

    @property
    def holds(self) -> bool:
        """Whether all is as it is committed and claimed."""
        return not self.differing and not self.beyond


# --- Measuring -----------------------------------------------------------------------------------


def cells() -> list[Cell]:
    """The cases in their formats."""
    return [
        (case, FORMATS[name])
        for case in at_effort(EFFORT)
        for name in case.formats
        if name in FORMATS
    ]


def truths(wanted: Sequence[Cell], cache: Cache, emulated: bool, track: Track) -> list[Truth]:
    """Exact values of each cell; from the cache where the bits of its inputs are known there."""
    jobs = [(case.batches(format), format.name) for case, format in wanted]
    if emulated:  # no process can be started, and one at a time is slow
        return [_truth(job, cache) for job in track(jobs, len(jobs), "exact values")]
    found = references(jobs, cache, workers=os.cpu_count() or 1)
    by_index = dict(track(found, len(jobs), "exact values"))
    return [by_index[index] for index in range(len(jobs))]


def _truth(job: Job, cache: Cache) -> Truth:
    batches, format_name = job
    return lookup(job, cache) or compute(batches, FORMATS[format_name])


def check(
    name: str, emulator: str, wanted: Sequence[Cell], exact: Sequence[Truth], track: Track
) -> Processor:
    """The processor that runs this."""
    found, expected = corpus.digests(), corpus.committed()
    pairs = zip(wanted, exact, strict=True)
    judged = [
        one
        for (case, format), truth in track(pairs, len(wanted), "checking")
        for one in _judged(case, format, truth)
    ]
    return Processor(
        name,
        emulator,
        environment(),
        digests=len(expected),
        differing=tuple(key for key in expected if found.get(key) != expected[key]),
        records=len(judged),
        beyond=tuple(one for one in judged if one),
    )


def _judged(case: Case, format: Format, exact: Truth) -> Iterator[Beyond | None]:
    """One for each subject and operation: None where the record is as claimed."""
    for subject in SUBJECTS.values():
        for operation in OPERATIONS:
            if subject.offers(operation, format.name):
                yield _beyond(subject, measure(subject, operation, case, format, exact))


def _beyond(subject: Subject, record: Record) -> Beyond | None:
    found = complaints(subject, record)
    if not found:
        return None
    return Beyond(
        record.subject,
        record.operation,
        record.format,
        record.case,
        record.claim.ulp if record.claim else None,
        record.claim.ratio if record.claim else None,
        tuple(printable(text, 300) for text in found),
    )


# --- The file ------------------------------------------------------------------------------------


def content(kept: Sequence[Processor], found: Processor) -> dict[str, Any]:
    """What the file holds: an entry in place of one of the same name, the others as they are.

    Real processors come first, whatever the order in which they were checked.
    """
    entries = {one.name: one for one in kept} | {found.name: found}
    in_order = sorted(entries.values(), key=lambda one: (one.emulator != "", one.name))
    return {"processors": [asdict(one) for one in in_order]}


def load(path: Path) -> list[Processor]:
    """All entries of a file; RunFileError for any other file."""
    try:
        entries = json.loads(path.read_bytes())["processors"]
        found = [_processor(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunFileError(f"{path}: not a file of `bench processor` ({error})") from None
    if len({one.name for one in found}) < len(found):
        raise RunFileError(f"{path}: two entries of one name")
    return found


def _processor(entry: Mapping[str, Any]) -> Processor:
    """An entry of which all that is shown is what it must be; ValueError or TypeError if not."""
    beyond = tuple(
        Beyond(**{**one, "complaints": tuple(one["complaints"])}) for one in entry["beyond"]
    )
    found = Processor(**{**entry, "differing": tuple(entry["differing"]), "beyond": beyond})
    _all(fields.is_word, [found.name, found.emulator, *found.differing, *_shown(found.environment)])
    _all(fields.is_word, [text for one in beyond for text in (one.subject, one.case)])
    _all(fields.is_text, [text for one in beyond for text in one.complaints])
    _all(fields.is_figure, [value for one in beyond for value in (one.ulp, one.ratio)])
    _all(fields.is_count, [found.digests, found.records])
    if len(found.differing) > found.digests or len(beyond) > found.records:
        raise ValueError("more is wrong than was looked at")
    if wrong := [name for one in beyond for name in fields.unknown(asdict(one))]:
        raise ValueError(f"unknown {wrong[0]}")
    return found


def _all(holds: Callable[[object], bool], values: Sequence[object]) -> None:
    for value in values:
        if not holds(value):
            raise ValueError(f"{str(value)[:80]!r} is not what it must be")


def _shown(environment: Mapping[str, Any]) -> list[Any]:
    plain = [environment[name] for name in ("byteorder", "numpy", "python")]
    return [*plain, *environment["simd_dispatch"]]
