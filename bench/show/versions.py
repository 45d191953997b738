"""versions: runs of several NumPy versions -> errors, times and same bits, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from bench.runs import gather
from bench.runs.committed import VERSIONS
from bench.runs.files import RunFileError, write_all
from bench.runs.run_file import Run
from bench.runs.track import Track
from bench.show.version_tables import ends_of_upgrade, page, steps, upgrade


def write(
    files: Sequence[Path],
    output: Path,
    committed: Path,
    track: Track,
    labels: Sequence[str] = (),
) -> str:
    """Write the page and the pictures; returns the table of the page that says most."""
    shown = load(files or [committed / VERSIONS], labels)
    into_committed = output.resolve() == committed.resolve()
    content = [named for some in track(*made(shown, into_committed)) for named in some.items()]
    write_all({output / name: data for name, data in content})
    return (
        f"{steps(shown)}\n\nTables:   {output / 'versions.md'}\nPictures: {output}/versions-*.png"
    )


def made(shown: Sequence[Run], committed: bool) -> tuple[Iterator[dict[str, bytes]], int]:
    """Name and content of every file, some at a time, and how many times."""
    from bench.show import drawing, version_plots

    wanted = drawing.jobs(shown, version_plots.figures(shown), committed=committed)
    pages = {"versions.md": page(shown).encode()}
    if (pair := ends_of_upgrade(shown)) is not None:
        pages["upgrade.md"] = upgrade(*pair).encode()
    return chain([pages], drawing.drawn(wanted)), 1 + len(wanted)


def load(files: Sequence[Path], labels: Sequence[str] = ()) -> list[Run]:
    """At least two runs, told apart."""
    shown = gather.told_apart(gather.load_all(files, labels))
    if len(shown) < 2:
        raise RunFileError(f"{files[0]}: one run alone cannot be compared")
    return shown
