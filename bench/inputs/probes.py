"""The cases that a verdict asks beside those of the suite: where reported defects live.

Each stands for a kind of defect; shared lengths and places are in `probe_rows`.
"""

from __future__ import annotations

from bench.inputs import probe_rows, telling
from bench.inputs.cases import CASES, EFFORTS, Case

PRESENTED, PRESENTED_SPECIAL = "presented", "presented, special"
PRESENTED_LONG = "presented, long"
IN_MANY_WAYS = (PRESENTED, PRESENTED_SPECIAL, PRESENTED_LONG)
"""The cases whose rows are passed in other ways, too."""

PROBES: tuple[Case, ...] = (
    Case(PRESENTED, "probe", "passed in many ways",
         probe_rows.presented(1, 2, 3, 5, 16, 100, 1000)),
    Case(PRESENTED_SPECIAL, "probe", "passed in many ways, special rows among them",
         probe_rows.presented_special(4, 16, 130)),
    Case(PRESENTED_LONG, "probe", "a vocabulary over any axis (pytorch#34728)",
         probe_rows.presented_long),
    Case("two logits", "probe", "both ways through all gaps (tt-metal#56381, pytorch#31856)",
         probe_rows.two_logits),
    Case("three logits with a gap", "probe", "thresholds in rows of three",
         probe_rows.three_with_a_gap),
    Case("places of the largest", "probe",
         "a running maximum that moves between blocks (TileOPs#239), ties",
         probe_rows.places_of_the_largest),
    Case("every place", "probe", "the largest logit, its ties and a mask, at every place",
         probe_rows.every_place),
    Case("special at every place", "probe", "NaN, +inf and a number among -inf, at every place",
         probe_rows.special_at_every_place),
    Case("masked blocks", "probe", "wholly masked blocks at any place of a row",
         probe_rows.masked_blocks),
    Case("places of special logits", "probe",
         "a maximum that drops NaN in long rows (numpy#13400), +inf (openvino#35897)",
         probe_rows.places_of_special_logits),
    Case("empty rows", "probe", "the policy for -inf alone, at every length",
         probe_rows.empty_rows),
    Case("offsets", "probe", "ever further from 0", probe_rows.offsets),
    Case("widths", "probe", "every remainder of vector widths (pytorch#147284)", probe_rows.widths),
    Case("lengths", "probe", "around powers of two, K = 50 257, 100 003",
         probe_rows.lengths(*probe_rows.LONG, *probe_rows.VOCABULARIES)),
    Case("equal lengths", "probe", "sums that stall, at the same lengths",
         probe_rows.equal_lengths(*probe_rows.LONG, *probe_rows.VOCABULARIES)),
    Case("longest", "probe", "2^17 and 2^20 logits", probe_rows.lengths(*probe_rows.LONGEST)),
    Case("equal longest", "probe", "sums of 2^20 equal terms",
         probe_rows.equal_lengths(2**17, 2**20)),
)  # fmt: skip
"""The verdict's own cases; names are those of no case of the suite."""


TELLING = Case("telling", "probe", "formulas round, overflow and lose here in ways of their own",
               telling.formulas)  # fmt: skip
"""Asked to learn a subject's formula, and no more: its errors here count nowhere."""


def asked_at(effort: str) -> list[Case]:
    """All that a verdict asks at an effort, the telling first and the largest last."""
    level = EFFORTS.index(effort)
    cases = [case for case in (*CASES, *PROBES) if EFFORTS.index(case.effort) <= level]
    return sorted(cases, key=_by_urgency)


def named(name: str) -> Case:
    """A case of the suite or of a verdict; KeyError where there is none.

    >>> named("two logits").family
    'probe'
    """
    return {case.name: case for case in (*CASES, *PROBES, TELLING)}[name]


_MANY_SHAPES = ("widths", "widths 1 to 64", "widths 65 to 257", "widths 258 to 1025")
_LARGE = ("lengths", "equal lengths", "longest", "equal longest")


def _by_urgency(case: Case) -> tuple[bool, bool, bool]:
    return (
        case.name in _MANY_SHAPES or case.name in _LARGE,
        case.name in _MANY_SHAPES,
        case.name not in IN_MANY_WAYS,
    )
