"""A sweep as text: what each subject came to, and with which word its largest error is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.sweep.summary import Summary


def table(content: Mapping[str, Any]) -> str:
    """A row for each part, operation and subject."""
    rows = [[_where(part), *row] for part in content["parts"] for row in _rows(part)]
    return _tabulated(rows, ["rows", *HEADERS])


def document(sweeps: Sequence[Mapping[str, Any]]) -> str:
    """A table for each part of all sweeps, with what was audited and what it was made with."""
    said = []
    for content in sweeps:
        for part in content["parts"]:
            said += [f"**{_where(part)}**", _tabulated(_rows(part), HEADERS), _audited(part)]
        said.append(f"*{_versions(content['made'])}*")
    return "\n\n".join(said)


HEADERS = ("operation", "subject", "largest ulp", "misrounded", "mean signed", "failed")


def _tabulated(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    from tabulate import tabulate

    aligned = ["right" if name in HEADERS[2:] else "left" for name in headers]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=aligned)


def _rows(part: Mapping[str, Any]) -> list[list[str]]:
    return [
        [cell["operation"].replace("_", "-"), cell["subject"], *_figures(cell["summary"])]
        for cell in part["cells"]
    ]


def _where(part: Mapping[str, Any]) -> str:
    first, end = part["chunks"]
    word = "exhaustive" if part["exhaustive"] else f"chunks {first}:{end}"
    return f"{part['family']} {part['format']}, {part['rows']:,} rows ({word})"


def _audited(part: Mapping[str, Any]) -> str:
    near = "; ".join(
        f"{operation.replace('_', '-')} {audited:,} of {count:,}"
        for operation, (count, audited) in part["near_midpoints"].items()
    )
    return f"mpmath audited {part['audited_rows']:,} rows; of outputs beside a midpoint: {near}."


def _versions(made: Mapping[str, Any]) -> str:
    subjects = [f"{name} {version}" for name, version in sorted(made["subjects"].items())]
    versions = [f"NumPy {made['numpy']}", *subjects, f"Python {made['python']}", made["system"]]
    return f"{', '.join(versions)}, {(made['simd_dispatch'] or ['no SIMD'])[-1]}"


def _figures(found: Mapping[str, Any]) -> Sequence[str]:
    summary = Summary.from_json(dict(found))
    bias, failures = summary.mean_signed_ulp, sum(summary.failures.values())
    return (
        "-" if summary.max_ulp is None else f"{summary.max_ulp:.5g}",
        f"{summary.misrounded:,} of {summary.outputs:,}",
        "-" if bias is None else f"{bias:+.2g}",
        f"{failures:,}",
    )
