"""What held on which processor, as Markdown and as lines."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.show.markdown import TITLES, figure, markdown, ratio

if TYPE_CHECKING:
    from bench.measure.processors import Beyond, Processor

HEADERS = (
    "processor",
    "emulated by",
    "byte order",
    "Python",
    "NumPy",
    "dispatches on",
    "bits of `exact`",
    "records as claimed",
)


def table(processors: Sequence[Processor]) -> str:
    """One row for each processor, then a line for each record that is not as claimed."""
    rows = [_row(one) for one in processors]
    lines = [f"- {one.name}: {line}" for one in processors for line in _beyond(one)]
    return "\n\n".join([markdown(HEADERS, rows, text=6), *(["\n".join(lines)] if lines else [])])


def lines(one: Processor) -> list[str]:
    """What was found on a processor, to be printed."""
    header = f"{one.name}, NumPy {one.environment['numpy']}: bits of exact {_bits(one)}"
    return [f"{header}, {_claimed(one)} records as claimed", *_beyond(one)]


def _row(one: Processor) -> list[str]:
    environment = one.environment
    return [
        one.name,
        one.emulator or "-",
        environment["byteorder"],
        environment["python"],
        environment["numpy"],
        " ".join(environment["simd_dispatch"]) or "-",
        _bits(one),
        _claimed(one),
    ]


def _bits(one: Processor) -> str:
    if not one.differing:
        return "the same"
    return f"{len(one.differing)} of {one.digests} digests differ"


def _claimed(one: Processor) -> str:
    return f"{one.records - len(one.beyond):,} of {one.records:,}"


def _beyond(one: Processor) -> Iterator[str]:
    """What is not the same, or not as claimed."""
    if one.differing:
        yield f"`exact` differs in {', '.join(one.differing)}"
    yield from map(_line, one.beyond)


def _line(record: Beyond) -> str:
    cell = f'`{record.subject}` {TITLES[record.operation]} {record.format} on "{record.case}"'
    if record.ratio is None or record.ulp is None or record.ratio <= 1:
        return f"{cell}: {html.escape('; '.join(record.complaints), quote=False)}"
    return f"{cell}: {figure(record.ulp)} ulp, {ratio(record.ratio)} times its bound"
