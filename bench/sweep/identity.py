"""What a chunk was made with: code, versions, processor. Only equal ones are merged."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numerics
from bench.runs.environment import environment
from bench.subjects.subject import Subject

ROOMS = ("inputs", "subjects", "truth", "measure", "sweep")
"""Rooms of bench that a chunk depends on."""


def made(subjects: Mapping[str, Subject]) -> dict[str, Any]:
    """What the figures of these subjects may depend on; no path in it, and no time."""
    return environment_of(subjects) | {"code": code()}


def environment_of(subjects: Mapping[str, Subject]) -> dict[str, Any]:
    """The same without our own code."""
    versions = {name: subject.version for name, subject in subjects.items() if subject.version}
    return environment() | {"subjects": versions}


@functools.cache
def code() -> str:
    """sha256 of the source of `numerics` and of those rooms."""
    folders = [Path(numerics.__file__).parent]
    folders += [Path(__file__).parents[1] / room for room in ROOMS]
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{folder.name}/{path.relative_to(folder)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def difference(mine: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first thing that differs, in words; empty where nothing does.

    >>> difference({"numpy": "2.4.6"}, {"numpy": "2.3.1"})
    'numpy 2.3.1, not 2.4.6'
    """
    for name in sorted(mine.keys() | other.keys()):
        if mine.get(name) != other.get(name):
            return f"{name} {other.get(name)}, not {mine.get(name)}"
    return ""
