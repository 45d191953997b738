"""Which run files are meant, in which order, and under which names they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.runs import run_file
from bench.runs.fields import plain
from bench.runs.files import RunFileError
from bench.runs.run_file import Run

SUFFIXES = (".json", ".json.gz", ".json.xz")
PLAIN = re.compile(r"[\w.+-]{1,30}", re.ASCII)
"""Names of files that can be shown anywhere."""


def load_all(
    paths: Sequence[Path],
    labels: Sequence[str] = (),
    load: Callable[[Path], Run] = run_file.load,
) -> list[Run]:
    """Runs in the order given; a folder stands for all run files in it, oldest NumPy first.

    Under the names that somebody gave them, one for each, where there are any. `load` reads a file.
    """
    found: list[Run] = []
    for path in paths:
        found += _in_folder(path, load) if path.is_dir() else [load(path)]
    if not labels:
        return found
    if len(labels) != len(found):
        raise RunFileError(f"{len(labels)} labels for {len(found)} runs: give one for each")
    return [replace(run, label=plain(label)) for run, label in zip(found, labels, strict=True)]


def _in_folder(folder: Path, load: Callable[[Path], Run]) -> list[Run]:
    found = [path for path in sorted(folder.iterdir()) if path.name.endswith(SUFFIXES)]
    if not found:
        raise RunFileError(f"{folder}: holds no run file (*.json, *.json.gz, *.json.xz)")
    return sorted(map(load, found), key=_age)


def _age(run: Run) -> tuple[tuple[int, ...], int]:
    """By NumPy's version; of one version, the run with everything switched on first."""
    return version_key(run.environment["numpy"]), len(run.environment.get("simd_disabled") or [])


def version_key(version: str) -> tuple[int, ...]:
    """A sortable form of a version: its leading numbers.

    >>> version_key("1.26.4") < version_key("2.4.0rc1") < version_key("2.10")
    True
    """
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def told_apart(shown: Sequence[Run]) -> list[Run]:
    """Runs of one label get what tells them apart: file, commit or folder, or else a number."""
    labels = [run.label for run in shown]
    return [
        replace(run, label=f"{run.label} ({_apart(run, shown[: i + 1], shown)})")
        if labels.count(run.label) > 1
        else run
        for i, run in enumerate(shown)
    ]


def _apart(run: Run, so_far: Sequence[Run], shown: Sequence[Run]) -> str | int:
    alike = [other for other in shown if other.label == run.label]
    for name in (_stem, _commit, _folder):
        names = list(map(name, alike))
        if len(set(names)) == len(names) and all(map(PLAIN.fullmatch, names)):
            return name(run)
    return sum(other.label == run.label for other in so_far)


def _stem(run: Run) -> str:
    return Path(run.path).name.partition(".json")[0]


def _commit(run: Run) -> str:
    return run.commit


def _folder(run: Run) -> str:
    return Path(run.path).absolute().parent.name
