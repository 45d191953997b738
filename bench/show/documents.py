"""README and docs: which table of the committed results stands between which markers of which.

Each table is made in the module of its kind; what is not here is written by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from bench.judge import schema
from bench.runs.files import replace_between_markers
from bench.show.kept import Committed

Sections: TypeAlias = dict[str, dict[str, str]]
"""What stands between markers, by document and marker."""


def filled(root: Path, kept: Committed) -> dict[Path, str]:
    """The documents that show committed results, with their tables; the schema of verdicts."""
    shown: Sections = {}
    for part in (
        _front(kept),
        _of_run(kept),
        _raced(kept),
        _counted(kept),
        _faded(kept),
        _swept(kept),
        _judged(kept),
    ):
        for name, sections in part.items():
            shown.setdefault(name, {}).update(sections)
    documents = {}
    for name, sections in shown.items():
        document = (root / name).read_text(encoding="utf-8")
        for marker, table in sections.items():
            document = replace_between_markers(document, marker, table)
        documents[root / name] = document
    return {**documents, root / schema.NAME: schema.text()}


def _front(kept: Committed) -> Sections:
    """README: the verdict on docs/mine.py as it is printed, and the findings."""
    from bench.show import findings, verdict_tables

    said = [*map(verdict_tables.in_lines, kept.mine), verdict_tables.plain(kept.mine)]
    printed = "\n\n".join(said)
    return {
        "README.md": {
            "verdict of mine": f"```\n{printed}\n```",
            "findings": findings.as_list(kept),
        }
    }


def _of_run(kept: Committed) -> Sections:
    from bench.show import choice_tables, misrounded_tables, tables, version_tables

    made = f"*{tables.provenance(kept.run)}*"
    return {
        "docs/methods.md": {
            "provenance": made,
            **{
                marker: f"{table(kept.run)}\n\n*effort {kept.run.effort}*"
                for marker, table in {
                    "choices": choice_tables.table,
                    "headline": tables.headline,
                    "misrounded": misrounded_tables.misrounded_of,
                    "invariances": tables.invariances,
                    "methods": tables.methods,
                    "errors": tables.errors_by_method,
                    "exhaustive": tables.exhaustive,
                }.items()
            },
        },
        "docs/bf16.md": {
            "times": f"{tables.times_in(kept.run, 'bf16', 'fp16')}\n\n*effort {kept.run.effort}*"
        },
        "docs/numpy-versions.md": {"versions": version_tables.summary(kept.by_version)},
    }


def _raced(kept: Committed) -> Sections:
    from bench.show import race_tables

    raced = kept.raced
    return {
        "docs/race.md": {"race": f"{race_tables.softmax(raced.cells)}\n\n*{raced.versions}*"},
        "docs/fast.md": {
            "logarithms": race_tables.logarithms(raced.cells),
            "steps": race_tables.steps(raced.steps),
            "calls": f"{race_tables.calls(kept.calls)}\n\n*{kept.called}*",
            "before": race_tables.before(kept.since),
            "parts": race_tables.parts(kept.made_of),
            "sampled": race_tables.sampled(raced.sampled),
        },
    }


def _counted(kept: Committed) -> Sections:
    from bench.show import misrounded_tables, processor_tables

    fresh = misrounded_tables.counts_table(kept.counts["fresh"])
    return {
        "docs/exact.md": {
            "counts": f"{fresh}\n\n*{kept.counted}*",
            "directed": misrounded_tables.counts_table(kept.counts["directed"]),
            "times": misrounded_tables.times_table(kept.exact_times),
            "processors": processor_tables.table(kept.processors),
            **kept.claims,
        }
    }


def _faded(kept: Committed) -> Sections:
    from bench.show import confidence_plot

    return {
        "docs/gradient.md": {
            "faded": f"{confidence_plot.table(kept.faded)}\n\n*{kept.faded_on}*",
        }
    }


def _swept(kept: Committed) -> Sections:
    from bench.show import known_tables, sweep_tables, worst_tables

    known = known_tables.largest(kept.run, kept.sweeps, kept.worst)
    return {
        "docs/sweep.md": {
            "swept": sweep_tables.document(kept.sweeps),
            "hunted": worst_tables.document(kept.worst),
        },
        "docs/methods.md": {
            "known": known_tables.table(known),
            "in range": known_tables.table(known_tables.in_range(kept.worst)),
        },
    }


def _suspected(kept: Committed) -> str:
    from bench.show import suspects_tables

    parts = [suspects_tables.table(kept.suspects), suspects_tables.summary(kept.suspects)]
    return "\n\n".join([*parts, f"*{kept.suspected_on}*"])


def _judged(kept: Committed) -> Sections:
    """The libraries: a table, a sentence each, and what was measured of them."""
    from bench.show import verdict_tables

    versions = [f"NumPy {kept.environment['numpy']}"]
    versions += [f"{one.subject} {one.version}" for one in kept.libraries]
    made = f"{', '.join(versions)}; effort {kept.libraries[0].effort}"
    said = "\n".join(f"- {verdict_tables.conclusion(one)}" for one in kept.libraries)
    table = verdict_tables.summary(kept.libraries)
    parts = [verdict_tables.beside(kept.libraries, kept.run), table, f"*{made}*", said]
    sections = {
        "verdicts": "\n\n".join(filter(None, parts)),
        "policies": verdict_tables.policy_table(kept.libraries),
        "layouts": verdict_tables.layout_table(kept.libraries),
        "suspects": _suspected(kept),
    }
    return {"docs/verdict.md": sections}
