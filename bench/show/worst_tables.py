"""The worst rows known as text: how large, how far below the bound, how long it was searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.show.markdown import TITLES, figure, markdown, ratio

HEADERS = ("operation", "format", "rows", "searched for", "ulp", "error / bound", "K", "rows tried")


def table(contents: Sequence[Mapping[str, Any]]) -> str:
    """A row for each subject, operation, format, kind of rows and goal."""
    rows = [
        [content["subject"], TITLES[content["operation"]], *_row(cell, witness)]
        for content in contents
        for cell in content["cells"]
        for witness in cell["found"]
    ]
    return markdown(["method", *HEADERS], rows, text=5)


def _row(cell: Mapping[str, Any], witness: Mapping[str, Any]) -> list[str]:
    near = witness["ratio"]
    return [
        cell["format"],
        witness["domain"],
        cell["goal"],
        figure(witness["ulp"]),
        "-" if near is None else ratio(near),
        str(sum(count for _, count in witness["row"])),
        figure(cell["searched"]["rows"]),
    ]


def refuted(content: Mapping[str, Any]) -> list[str]:
    """A line for each witness beyond the bound that its subject claims."""
    return [
        f"REFUTED: {content['operation']} of {content['subject']} in {cell['format']} errs by "
        f"{witness['ulp']:.6g} ulp, {witness['ratio']:.6g} times its bound, at output "
        f"{witness['column']} of {witness['row']}"
        for cell in content["cells"]
        for witness in cell["found"]
        if witness["ratio"] is not None and witness["ratio"] > 1
    ]
