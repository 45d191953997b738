"""report: run files -> CSV, Markdown and figures in a folder.

The committed folder fills README.md and docs/ too. Everything is made before anything is written.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.runs import gather, run_file
from bench.runs.committed import REFERENCE, VERSIONS
from bench.runs.files import write_all
from bench.runs.run_file import Run
from bench.runs.track import Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Wanted:
    """What a report is to show, beyond tables and PNG: see `python -m bench report --help`."""

    alone: bool = False
    svg: bool = False
    maps: bool = False
    labels: Sequence[str] = ()


def write(
    files: Sequence[Path], output: Path, committed: Path, wanted: Wanted, track: Track
) -> list[str]:
    """Write the report and return lines that say what was found and where to look."""
    from bench.show import documents, drawing, kept, versions

    into_committed = output.resolve() == committed.resolve()
    shown = _runs(files, committed, wanted.labels, wanted.alone or into_committed)
    jobs = drawing.jobs(
        shown, _figures(shown, wanted.maps), wanted.svg or into_committed, into_committed
    )
    with drawing.begun(jobs) as drawn:
        made = _tables(shown)
        for pictures in track(drawn, len(jobs)):
            made |= pictures
    texts: dict[Path, bytes] = {}
    if into_committed:
        by_version = versions.load([committed / VERSIONS])
        for some in track(*versions.made(by_version, committed=True)):
            made |= some
        found = kept.load(committed.parent, shown[-1], by_version)
        for path, text in documents.filled(committed.parent, found).items():
            texts[path] = text.encode()
    write_all({output / name: content for name, content in made.items()} | texts)
    places = [f"Tables: {output / 'tables.md'}", f"Plots:  {output}/*.png"]
    return [*_findings(shown[-1]), "", *places]


def _figures(shown: Sequence[Run], maps: bool) -> Mapping[str, Callable[[], Figure]]:
    from bench.show import heat_maps, plots

    return plots.figures(shown) | (heat_maps.figures(shown) if maps else {})


def _tables(shown: Sequence[Run]) -> dict[str, bytes]:
    from bench.show import tables

    return {
        "accuracy.csv.gz": gzip.compress(csv_table(shown, "accuracy"), mtime=0),
        "throughput.csv": csv_table(shown, "throughput"),
        "tables.md": tables.page(shown).encode(),
    }


def _runs(files: Sequence[Path], committed: Path, labels: Sequence[str], alone: bool) -> list[Run]:
    """The runs to draw, the one that was asked for last."""
    reference = committed / REFERENCE
    if not files:
        return [run_file.load(reference)]
    shown = gather.load_all(files, labels)
    if not alone and len(shown) == 1 and reference.exists():
        beside = run_file.load(reference)
        shown = [replace(beside, label=f"{beside.label} (reference)"), *shown]
    return gather.told_apart(shown)


def csv_table(shown: Sequence[Run], name: str) -> bytes:
    """The `accuracy` or `throughput` tables of runs, one below the other."""
    import pandas as pd

    parts = [getattr(run, name).assign(run=run.label) for run in shown]
    table = pd.concat([part for part in parts if len(part)] or parts)
    # To read and to plot: four digits. All digits, checksums and witnesses are in the run file.
    hidden = ["survival", "max_ulp_by_width", "worst", "flags", "input_sha256", "output_sha256"]
    hidden += ["raw_seconds", "fastest_seconds"]
    table = table.drop(columns=hidden, errors="ignore")
    columns = ["run", *table.columns.drop("run")]
    text: str = table[columns].to_csv(index=False, float_format="%.4g")
    return text.encode()


def _findings(run: Run) -> list[str]:
    from bench.show.markdown import TITLES, figure

    accuracy, formats = run.accuracy, run_file.formats([run])
    ordinary = accuracy[accuracy["family"] == "random"]
    worst = ordinary.groupby(["subject", "operation", "format"])["max_ulp"].max()
    lines = [
        f"{run.label} on {run.cpu}, effort {run.effort}.",
        f"Largest ulp error on ordinary rows, in {' / '.join(formats)}; failures and outputs "
        "beyond the method's bound, in all cases:",
    ]
    for subject in accuracy["subject"].unique():
        mine = accuracy[accuracy["subject"] == subject]
        errors = [
            f"{title} "
            + " / ".join(
                figure(worst.get((subject, operation, name), math.nan)) for name in formats
            )
            for operation, title in list(TITLES.items())[:2]
        ]
        lines.append(
            f"  {subject}: {', '.join(errors)}; {int(mine['failures'].sum()):,} failures in "
            f"{int(mine['elements'].sum()):,} outputs; "
            f"{int(mine['claim_broken'].sum())} beyond its bound"
        )
    return lines
