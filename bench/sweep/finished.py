"""The folder of finished chunks beside the output: a run that was killed goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.runs.files import write_whole
from bench.sweep import identity
from bench.sweep.chunk import Task
from bench.sweep.sweep_file import SweepError


def folder_of(output: Path) -> Path:
    """Where the chunks of an output lie."""
    return output.with_name(output.name + ".chunks")


def path_of(folder: Path, task: Task) -> Path:
    """The file of a chunk, named by what it is."""
    family = task.family.replace(":", "_")
    return folder / f"{family}-{task.format}-{task.number:06d}.json"


def keep(folder: Path, task: Task, found: Mapping[str, Any]) -> None:
    """Write a chunk whole."""
    write_whole(path_of(folder, task), json.dumps(found, sort_keys=True, allow_nan=False))


def find(
    folder: Path, tasks: Iterable[Task], made: Mapping[str, Any]
) -> dict[Task, dict[str, Any]]:
    """Chunks that are finished already; SweepError for one that is not what its name says.

    A folder may hold chunks that are not asked for: those of another range.
    """
    found = {}
    for task in tasks:
        path = path_of(folder, task)
        if path.exists():
            found[task] = checked(_read(path), task, made, str(path))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"task": content["task"], "made": content["made"]} | content
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SweepError(f"{path}: not a finished chunk ({error}); remove it") from None


def checked(
    found: dict[str, Any], task: Task, made: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """A chunk that is what was asked for; SweepError otherwise."""
    if differs := identity.difference(task.as_json(), found["task"]):
        raise SweepError(f"{name}: a chunk of {differs}; remove it or choose another output")
    if differs := identity.difference(made, found["made"]):
        raise SweepError(f"{name}: made with {differs}; remove it or choose another output")
    return found
