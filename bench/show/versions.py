"""versions: runs of several NumPy versions -> errors, times and same bits, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.judge import diff
from bench.runs import gather, run_file
from bench.runs.files import write_all
from bench.runs.keep import BITS
from bench.runs.run_file import Run
from bench.show import diff_tables
from bench.show.markdown import TITLES, figure, markdown
from bench.show.tables import provenance, runs_compared
from numerics import FORMATS

if TYPE_CHECKING:
    import pandas as pd

    from bench.show.report import Track

FOLDER = Path("runs") / "versions"
"""The committed runs, inside the committed results folder."""
UPGRADE = ("NumPy 1.26", "NumPy 2.4")
"""Two runs whose diff is written, too, where both are there."""


def write(files: Sequence[Path], output: Path, committed: Path, track: Track) -> str:
    """Write the page and the pictures; returns the table of the page that says most."""
    shown = load(files or [committed / FOLDER])
    content = dict(track(*made(shown)))
    write_all({output / name: data for name, data in content.items()})
    return (
        f"{steps(shown)}\n\nTables:   {output / 'versions.md'}\nPictures: {output}/versions-*.svg"
    )


def made(shown: Sequence[Run]) -> tuple[Iterator[tuple[str, bytes]], int]:
    """Name and content of every file, one by one, and how many there are."""
    from bench.show import plots, version_plots

    draw = version_plots.figures(shown)
    pages = {"versions.md": page(shown).encode()}
    if (pair := ends_of_upgrade(shown)) is not None:
        pages["upgrade.md"] = upgrade(*pair).encode()
    files = chain(pages.items(), plots.all_figures(shown, draw))
    return files, len(pages) + 2 * len(draw)


def load(files: Sequence[Path]) -> list[Run]:
    """At least two runs, told apart."""
    shown = gather.told_apart(gather.load_all(files))
    if len(shown) < 2:
        raise run_file.RunFileError(f"{files[0]}: one run alone cannot be compared")
    return shown


# --- Figures -------------------------------------------------------------------------------------


def identity(shown: Sequence[Run]) -> dict[str, npt.NDArray[np.float64]]:
    """For each subject, run x run: the share of records with the same bits in both."""
    import pandas as pd

    tables = [run.accuracy.set_index(diff.CELL)["output_sha256"] for run in run_file.shared(shown)]
    bits = pd.concat([table.str[:BITS] for table in tables], axis=1, join="inner")
    bits = bits[(bits != "").all(axis=1)]
    found = {}
    for subject, rows in bits.groupby("subject", sort=False):
        of_runs = rows.to_numpy()
        found[str(subject)] = (of_runs[:, :, None] == of_runs[:, None, :]).mean(axis=0)
    return found


def time_ratios(shown: Sequence[Run], by: Sequence[str]) -> pd.DataFrame:
    """Geometric mean of times over those of the first run, a column for each run.

    NaN where a run was made on another machine than the first.
    """
    import pandas as pd

    first = _times(shown[0])
    columns = {}
    for run in shown:
        logs = np.log(_times(run) / first)
        ratios = np.exp(logs.groupby(level=list(by), sort=False).mean())
        columns[run.label] = ratios if run.machine == shown[0].machine else ratios * np.nan
    return pd.DataFrame(columns)


def _times(run: Run) -> Any:
    return run.throughput.set_index(diff.SHAPE)["ns_per_element"]


# --- Tables --------------------------------------------------------------------------------------


def steps(shown: Sequence[Run]) -> str:
    """One row for each run but the first, against the first."""
    rows = []
    for found in diff.against_first(shown):
        error, failures, time, bits = diff_tables.counts(found)
        same = f"{100 * int(bits[4].replace(',', '')) / int(bits[1].replace(',', '')):.3g} %"
        times = time[2:4] if len(found.time) else ["-", "-"]
        median = figure(found.time["ratio"].median())
        rows.append([found.after.label, *error[2:4], *failures[2:4], same, *times, median])
    headers = [f"against {shown[0].label}", "errors worse", "better", "failures worse", "better"]
    headers += ["records with the same bits", "times worse", "better", "median time ratio"]
    return markdown(headers, rows)


def times(shown: Sequence[Run]) -> str:
    """Time over that of the first run, by subject and format."""
    table = time_ratios(shown, ["format", "subject"])
    rows = [
        [name, subject, *map(figure, ratios)]
        for name in FORMATS
        for (format_name, subject), *ratios in table.itertuples(name=None)
        if format_name == name
    ]
    return markdown(["format", "subject", *table.columns], rows, text=2)


def same_bits(shown: Sequence[Run]) -> str:
    """Share of records with the bits of the first run, by subject."""
    rows = [
        [subject, *(f"{100 * share:.3g} %" for share in matrix[0])]
        for subject, matrix in identity(shown).items()
    ]
    return markdown(["subject", *(run.label for run in shown)], rows)


def page(shown: Sequence[Run]) -> str:
    """Every table, as one Markdown document."""
    band = f"A time changed when it is significant and beyond {diff.MIN_EFFECT:g}x"
    parts = [
        "# By NumPy version",
        "Generated by `python -m bench versions`; not edited by hand.",
        "\n".join(f"- {provenance(run)}" for run in shown),
        "## What changed since the first",
        f"Over all cells that both runs have. {band} (`bench/judge/diff.py`).",
        steps(shown),
        f"## Largest ulp error of ordinary rows: {', '.join(TITLES.values())}",
        runs_compared(shown),
        f"## Time, as a ratio to {shown[0].label}",
        "Geometric means over operations and shapes.",
        times(shown) if all(len(run.throughput) for run in shown) else "Not measured in every run.",
        f"## Records with the bits of {shown[0].label}",
        same_bits(shown),
    ]
    return "\n\n".join(parts) + "\n"


def ends_of_upgrade(shown: Sequence[Run]) -> tuple[Run, Run] | None:
    """The runs of UPGRADE, where both are there."""
    found = [next((r for r in shown if r.label.startswith(name)), None) for name in UPGRADE]
    return (found[0], found[1]) if found[0] and found[1] else None


def upgrade(before: Run, after: Run) -> str:
    """Their diff as Markdown."""
    command = (
        "Generated by `python -m bench versions` as by `python -m bench diff --format markdown`"
    )
    pair = diff_tables.as_markdown([diff.diff(before, after)], limit=12)
    return f"# What an upgrade changes\n\n{command}; not edited by hand.\n\n{pair}"


def summary(shown: Sequence[Run]) -> str:
    """What README shows: the steps, where they were measured, and the pictures."""
    first = provenance(shown[0]).removeprefix(f"{shown[0].label}, ")
    pictures = {
        "error": "Largest ulp error of ordinary rows by NumPy version",
        "time": "Time by NumPy version",
        "bits": "Records whose bits differ, version by version",
    }
    shown_as = [f"![{text}](results/versions-{name}.png)" for name, text in pictures.items()]
    return "\n\n".join([steps(shown), f"*{first}*", *shown_as])
