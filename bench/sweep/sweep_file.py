"""The file of a sweep: what was asked, what it was made with, what it came to. No time is in it.

A sweep is made of parts: a range of chunks of one family in one format, for some subjects and
operations. Parts of the same kind that touch are one part; whoever merges files or chunks is told
by name of a gap, of an overlap, and of what was made by other code or versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any, TypeAlias

from bench.inputs import families
from bench.runs import run_file
from bench.runs.files import RunFileError, write_packed
from bench.sweep import identity
from bench.sweep.summary import Summary, merged
from numerics.formats import ALL_FORMATS

SCHEMA = 1
ENDS = (".json", ".json.xz")
Named: TypeAlias = tuple[str, Mapping[str, Any]]
"""A part, and where it comes from."""


class SweepError(ValueError):
    """Chunks or files that do not belong together; the message is one line that names them."""


def part_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A part that is one chunk, as `chunk.run` gives it."""
    task = found["task"]
    return {
        "family": task["family"],
        "format": task["format"],
        "chunks": [task["number"], task["number"] + 1],
        "chunk_rows": task["chunk_rows"],
        "exhaustive": False,
        "rows": found["rows"],
        "audited_rows": found["audited"],
        "near_midpoints": found["near_midpoints"],
        "cells": found["cells"],
    }


def combined(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Parts by name, of the same kind merged; SweepError for a gap or an overlap.

    Parts with other subjects or operations stay beside each other, unless they have a cell in
    common and chunks, too.
    """
    kinds: dict[tuple[Any, ...], list[Named]] = {}
    for name, part in parts:
        kinds.setdefault(_kind(part), []).append((name, part))
    for one, other in combinations(kinds, 2):
        check_apart(kinds[one], kinds[other])
    return [_joined(kinds[kind]) for kind in sorted(kinds)]


def check_apart(some: Sequence[Named], others: Sequence[Named]) -> None:
    """SweepError where a cell of the same chunk is in two parts."""
    for (name, one), (other_name, other) in product(some, others):
        common = _names(one) & _names(other)
        first = max(one["chunks"][0], other["chunks"][0])
        end = min(one["chunks"][1], other["chunks"][1])
        alike = all(one[key] == other[key] for key in ("family", "format"))
        if alike and common and first < end:
            operation, subject = min(common)
            raise SweepError(
                f"{name} and {other_name}: an overlap, chunks {first}:{end} of "
                f"{one['family']} for {operation} of {subject}"
            )


def _names(part: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(cell["operation"], cell["subject"]) for cell in part["cells"]}


def _kind(part: Mapping[str, Any]) -> tuple[Any, ...]:
    cells = tuple(sorted(_names(part)))
    return part["family"], part["format"], part["chunk_rows"], cells


def _joined(parts: Sequence[Named]) -> dict[str, Any]:
    ordered = sorted(parts, key=lambda named: named[1]["chunks"])
    for (name, part), (next_name, following) in pairwise(ordered):
        end, start = part["chunks"][1], following["chunks"][0]
        if start != end:
            what = "a gap" if start > end else "an overlap"
            between = f"{min(start, end)}:{max(start, end)}"
            raise SweepError(
                f"{name} and {next_name}: {what}, chunks {between} of {part['family']}"
            )
    every = [part for _, part in ordered]
    chunks = [every[0]["chunks"][0], every[-1]["chunks"][1]]
    near = {
        operation: [sum(part["near_midpoints"][operation][i] for part in every) for i in (0, 1)]
        for operation in sorted(every[0]["near_midpoints"])
    }
    return {
        **every[0],
        "chunks": chunks,
        "exhaustive": _is_all(every[0], chunks),
        "rows": sum(part["rows"] for part in every),
        "audited_rows": sum(part["audited_rows"] for part in every),
        "near_midpoints": near,
        "cells": _cells(every),
    }


def _is_all(part: Mapping[str, Any], chunks: Sequence[int]) -> bool:
    format = ALL_FORMATS[part["format"]]
    return list(chunks) == [
        0,
        families.named(part["family"], format).chunks(format, part["chunk_rows"]),
    ]


def _cells(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    summaries: dict[tuple[str, str], list[Summary]] = {}
    for part in parts:
        for cell in part["cells"]:
            summary = Summary.from_json(cell["summary"])
            summaries.setdefault((cell["operation"], cell["subject"]), []).append(summary)
    return [
        {"operation": operation, "subject": subject, "summary": merged(found).as_json()}
        for (operation, subject), found in sorted(summaries.items())
    ]


# --- Files ---------------------------------------------------------------------------------------


def content(made: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a sweep file holds."""
    return {"schema": SCHEMA, "made": dict(made), "parts": list(parts)}


def write(path: Path, what: Mapping[str, Any]) -> None:
    """Write a file whole, packed if its name ends in .xz; the same content has the same bytes."""
    write_packed(path, json.dumps(what, indent=1, sort_keys=True, allow_nan=False) + "\n")


def load(path: Path) -> dict[str, Any]:
    """A sweep file; SweepError for anything else."""
    try:
        found: dict[str, Any] = json.loads(run_file.read(path))
        if found["schema"] != SCHEMA:
            raise ValueError("another schema")
        for part in found["parts"]:
            _joined([(path.name, part)])
    except (RunFileError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SweepError(
            f"{path}: not a file that `python -m bench sweep` wrote ({error})"
        ) from None
    return found


def all_of(folder: Path) -> dict[Path, dict[str, Any]]:
    """The sweep files of a folder."""
    return {path: load(path) for ends in ENDS for path in sorted(folder.glob(f"*{ends}"))}


def merged_files(paths: Sequence[Path]) -> dict[str, Any]:
    """Several files as one; SweepError where they do not belong together."""
    files = [(path, load(path)) for path in paths]
    first, made = files[0][0], files[0][1]["made"]
    versions: dict[str, Any] = {}
    for path, found in files:
        # Other subjects are welcome, but not other versions of the same ones.
        versions = found["made"]["subjects"] | versions
        mine = {name: versions[name] for name in found["made"]["subjects"]}
        expected = made | {"subjects": mine}
        if differs := identity.difference(expected, found["made"]):
            raise SweepError(f"{path}: made with {differs}, as {first} was")
    return content(
        made | {"subjects": dict(sorted(versions.items()))},
        combined((str(path), part) for path, found in files for part in found["parts"]),
    )
