"""A sweep as text: what each subject came to, and with which word its largest error is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.sweep.summary import Summary


def table(content: Mapping[str, Any]) -> str:
    """A row for each part, operation and subject."""
    from tabulate import tabulate

    rows = [
        [_where(part), _operation(cell["operation"]), cell["subject"], *_figures(cell["summary"])]
        for part in content["parts"]
        for cell in part["cells"]
    ]
    headers = ["rows", "operation", "subject", "largest ulp", "misrounded", "mean signed", "failed"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=_ALIGNED)


_ALIGNED = ("left", "left", "left", "right", "right", "right", "right")


def _operation(name: str) -> str:
    return name.replace("_", "-")


def _where(part: Mapping[str, Any]) -> str:
    first, end = part["chunks"]
    word = "exhaustive" if part["exhaustive"] else f"chunks {first}:{end}"
    return f"{part['family']} {part['format']}, {part['rows']:,} rows ({word})"


def _figures(found: Mapping[str, Any]) -> Sequence[str]:
    summary = Summary.from_json(dict(found))
    bias, failures = summary.mean_signed_ulp, sum(summary.failures.values())
    return (
        "-" if summary.max_ulp is None else f"{summary.max_ulp:.5g}",
        f"{summary.misrounded:,} of {summary.outputs:,}",
        "-" if bias is None else f"{bias:+.2g}",
        f"{failures:,}",
    )
