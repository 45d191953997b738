"""report: run files -> CSV, Markdown and figures in a folder.

The committed folder fills README.md too. Everything is made before anything is written.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from bench.runs import gather, run_file
from bench.runs.committed import MINE, MISROUNDED, RACE, REFERENCE, VERDICTS, VERSIONS
from bench.runs.files import replace_between_markers, write_all
from bench.runs.run_file import Run
from bench.runs.track import Track
from numerics import FORMATS

Sections: TypeAlias = dict[str, dict[str, str]]
"""What stands between markers, by document and marker."""


def write(
    files: Sequence[Path], output: Path, committed: Path, alone: bool, track: Track
) -> list[str]:
    """Write the report and return lines that say what was found and where to look."""
    from bench.show import plots, tables, versions

    into_committed = output.resolve() == committed.resolve()
    shown = _runs(files, committed, alone or into_committed)
    count = sum(len(plots.kinds(name)) for name in plots.figures(shown))
    made: dict[str, bytes] = dict(track(plots.all_figures(shown), count))
    made["accuracy.csv.gz"] = gzip.compress(csv_table(shown, "accuracy"), mtime=0)
    made["throughput.csv"] = csv_table(shown, "throughput")
    made["tables.md"] = tables.page(shown).encode()
    documents: dict[Path, bytes] = {}
    if into_committed:
        by_version = versions.load([committed / VERSIONS])
        made |= track(*versions.made(by_version))
        for path, text in filled(committed.parent, shown[-1], by_version).items():
            documents[path] = text.encode()
    write_all({output / name: content for name, content in made.items()} | documents)
    return [*_findings(shown[-1]), "", f"Tables: {output / 'tables.md'}", f"Plots:  {output}/*.svg"]


def _runs(files: Sequence[Path], committed: Path, alone: bool) -> list[Run]:
    """The runs to draw."""
    reference = committed / REFERENCE
    if not files:
        return [run_file.load(reference)]
    shown = gather.load_all(files)
    if not alone and len(shown) == 1 and reference.exists():
        shown = [run_file.load(reference, label="reference"), *shown]
    return gather.told_apart(shown)


def filled(root: Path, run: Run, by_version: Sequence[Run]) -> dict[Path, str]:
    """The documents that show the committed runs, with their tables between their markers."""
    shown: dict[str, dict[str, str]] = {}
    for part in (_of_run(run, by_version), _raced(root), _counted(root), _verdicts(root)):
        for name, sections in part.items():
            shown.setdefault(name, {}).update(sections)
    documents = {}
    for name, sections in shown.items():
        document = (root / name).read_text(encoding="utf-8")
        for marker, table in sections.items():
            document = replace_between_markers(document, marker, table)
        documents[root / name] = document
    return documents


def _of_run(run: Run, by_version: Sequence[Run]) -> Sections:
    from bench.show import misrounded_tables, tables, version_tables

    return {
        "README.md": {
            "headline": f"{tables.headline(run)}\n\n*{tables.provenance(run)}*",
            "misrounded": misrounded_tables.misrounded_of(run),
            "invariances": tables.invariances(run),
            "versions": version_tables.summary(by_version),
        },
        "docs/methods.md": {
            "methods": tables.methods(run),
            "errors": tables.errors_by_method(run),
            "exhaustive": tables.exhaustive(run),
            "provenance": f"*{tables.provenance(run)}*",
        },
    }


def _raced(root: Path) -> Sections:
    from bench.measure import race
    from bench.show import race_tables

    if not (root / "results" / RACE).exists():
        return {}
    raced = race.load(root / "results" / RACE)
    return {
        "README.md": {"race": f"{race_tables.softmax(raced.cells)}\n\n*{raced.versions}*"},
        "docs/fast.md": {
            "logarithms": race_tables.logarithms(raced.cells),
            "steps": race_tables.steps(raced.steps),
            "calls": race_tables.calls(raced.calls),
            "sampled": race_tables.sampled(raced.sampled),
        },
    }


def _counted(root: Path) -> Sections:
    from bench.measure import misrounded
    from bench.show import misrounded_tables

    if not (root / "results" / MISROUNDED).exists():
        return {}
    found, times, made = misrounded.load(root / "results" / MISROUNDED)
    return {
        "docs/exact.md": {
            "counts": f"{misrounded_tables.counts_table(found['fresh'])}\n\n*{made}*",
            "directed": misrounded_tables.counts_table(found["directed"]),
            "times": misrounded_tables.times_table(times),
        }
    }


def _verdicts(root: Path) -> Sections:
    """A function of one's own with its verdict as it is printed, and the table of libraries."""
    from bench.judge import verdict_file
    from bench.show import verdict_tables

    mine, _ = verdict_file.load(root / "results" / MINE)
    shown = "\n\n".join([*map(verdict_tables.conclusion, mine), verdict_tables.plain(mine)])
    code = (root / "docs" / "mine.py").read_text(encoding="utf-8").strip()
    peers, environment = verdict_file.load(root / "results" / VERDICTS)
    versions = [f"NumPy {environment['numpy']}", *(f"{v.subject} {v.version}" for v in peers)]
    left_out = [f"no time for {', '.join(v.left_out)} ({v.subject})" for v in peers if v.left_out]
    sections = {
        "mine": f"```python\n{code}\n```",
        "verdict of mine": f"```\n{shown}\n```",
        "verdicts": "\n\n".join(
            [
                verdict_tables.summary(peers),
                "\n".join(f"- {verdict_tables.conclusion(one)}" for one in peers),
                f"*{', '.join(versions)}; {'; '.join(left_out) or 'all cases'}*",
            ]
        ),
    }
    return {"README.md": sections}


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

    accuracy = run.accuracy
    ordinary = accuracy[accuracy["family"] == "random"]
    worst = ordinary.groupby(["subject", "operation", "format"])["max_ulp"].max()
    lines = [
        f"{run.label} on {run.cpu}, effort {run.effort}.",
        "Largest ulp error on ordinary rows, in fp16 / fp32 / fp64; failures and outputs beyond "
        "the method's bound, in all cases:",
    ]
    for subject in accuracy["subject"].unique():
        mine = accuracy[accuracy["subject"] == subject]
        errors = [
            f"{title} "
            + " / ".join(
                figure(worst.get((subject, operation, name), math.nan)) for name in FORMATS
            )
            for operation, title in list(TITLES.items())[:2]
        ]
        lines.append(
            f"  {subject}: {', '.join(errors)}; {int(mine['failures'].sum()):,} failures in "
            f"{int(mine['elements'].sum()):,} outputs; {int(mine['claim_broken'].sum())} beyond"
        )
    return lines
