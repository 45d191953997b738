"""Verdicts of files of schema 1, which held no presentations, policies, contract or paces.

What they lack is not measured, and a verdict says so. Their special rows were counted by case;
those counts are left behind.
"""

from __future__ import annotations

from typing import Any

from bench.inputs.kinds import ORDINARY
from bench.judge.verdicts import PLAIN, Cell, Speed, Tally, Verdict, Way, Witness


def verdict(one: dict[str, Any]) -> Verdict:
    """A verdict as far as its file goes."""
    return Verdict(
        one["subject"],
        one["version"],
        "quick",
        [_cell(cell, one["left_out"]) for cell in one["cells"]],
        speed=[Speed(**speed) for speed in one["speed"]],
    )


def _cell(cell: dict[str, Any], left_out: list[str]) -> Cell:
    place = cell["operation"], cell["format"], cell["offered"], cell["messages"]
    if not cell["offered"]:
        return Cell(*place)
    worst, failed = (Witness(**cell[n]) if cell[n] else None for n in ("worst", "failed"))
    tally = Tally(
        cell["elements"], cell["misrounded"], cell["max_ulp"], cell["failures"],
        worst=worst, failed=failed,
    )  # fmt: skip
    return Cell(
        *place,
        ways=[Way(PLAIN, cell["elements"], tallies={ORDINARY: tally})],
        ordinary_ulp=cell["ordinary_ulp"],
        confident_ulp=cell["confident_ulp"],
        unmeasured=left_out,
    )
