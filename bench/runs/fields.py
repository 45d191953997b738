"""What a value from a file must be before anything is made of it."""

from __future__ import annotations

import sys
from typing import Any

from numerics import ALL_FORMATS, OPERATIONS


def plain(value: object) -> str:
    """Text of a file as it may stand in a table or a figure."""
    return value[:80] if is_text(value) and isinstance(value, str) else "unknown"


def is_text(value: object) -> bool:
    """Printable, of reasonable length, and without the sign that starts a formula in a figure."""
    return isinstance(value, str) and len(value) <= 400 and value.isprintable() and "$" not in value


def is_word(value: object) -> bool:
    """Text that means nothing to Markdown, in a table either."""
    return is_text(value) and not set("|<>&`").intersection(str(value))


def is_count(value: object, least: int = 0) -> bool:
    """A whole number that fp64 can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**53


def is_figure(value: object) -> bool:
    """None, or a finite number that is not negative."""
    return value is None or (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= sys.float_info.max
    )


def is_width(entry: object) -> bool:
    """A row's length, and the largest error at it."""
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and is_count(entry[0], least=1)
        and is_figure(entry[1])
    )


def unknown(cell: dict[str, Any]) -> list[str]:
    """Which of operation and format is none that there is."""
    known = {"operation": OPERATIONS, "format": ALL_FORMATS}
    return [name for name, names in known.items() if str(cell.get(name)) not in names]
