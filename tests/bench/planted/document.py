"""Writes the table of planted defects into docs/verdict.md.

python -m tests.bench.planted.document
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.runs.files import replace_between_markers, write_whole
from bench.show.markdown import TITLES, markdown
from tests.bench.planted.table import PLANTED

PAGE = Path(__file__).parents[3] / "docs" / "verdict.md"
SECTION = "planted"


def table() -> str:
    """A row for each defect: what is wrong, which report it stands for, what the verdict says."""
    rows = [
        [
            TITLES[one.operation],
            one.defect,
            one.stands_for,
            one.found_by,
            f"`{readable(one.named)}`",
        ]
        for one in PLANTED
    ]
    return markdown(["operation", "defect", "report", "found by", "the verdict says"], rows, text=5)


def readable(named: str) -> str:
    """A regular expression as a person would write it.

    >>> readable("70,000 rows: .*lost to zero")
    '70,000 rows: … lost to zero'
    """
    text = named.replace(r"[\d.e+,]+", "N").replace(r"\d+", "N").replace(r"[\d,]+", "N")
    text = re.sub(r" ?\.\* ?", " … ", text).replace("|", " or ")
    return re.sub(r"\\(.)", r"\1", text).strip()


def main() -> None:
    """Write it."""
    text = PAGE.read_text(encoding="utf-8")
    write_whole(PAGE, replace_between_markers(text, SECTION, table()))


if __name__ == "__main__":
    main()
