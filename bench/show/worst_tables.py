"""The worst rows known as text: how large, how far below the bound, how long it was searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.hunt.domains import DOMAINS
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


def document(contents: Sequence[Mapping[str, Any]]) -> str:
    """A row for each subject, operation and format: the largest error of each kind of rows."""
    rows = [
        [content["subject"], TITLES[content["operation"]], cell["format"], *_cell(cell)]
        for content in contents
        for cell in content["cells"]
        if cell["goal"] == "ulp"
    ]
    heads = [f"{domain.name}: ulp (/ bound, K)" for domain in DOMAINS]
    shown = markdown(
        ["method", "operation", "format", *heads, "rounds", "rows tried"], rows, text=3
    )
    left_out = {text: None for one in contents for c in one["cells"] for text in c["not_searched"]}
    return "\n".join([shown, "", "Not searched:", "", *(f"- {text}" for text in left_out)])


def _cell(cell: Mapping[str, Any]) -> list[str]:
    said = []
    for domain in DOMAINS:
        found = [one for one in cell["found"] if one["domain"] == domain.name]
        worst = max(found, key=lambda one: float(one["ulp"]), default=None)
        if worst is None:
            said.append("-")
            continue
        length = sum(count for _, count in worst["row"])
        near = "-" if worst["ratio"] is None else ratio(worst["ratio"])
        said.append(f"{figure(worst['ulp'])} ({near}, {length})")
    searched = cell["searched"]
    return [*said, str(searched["rounds"]), figure(searched["rows"])]


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
