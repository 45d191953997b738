"""Verdicts as sentences and tables, for a terminal, a pipe and README. Formats; computes maxima."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table

from bench.judge.conditions import changed, counts
from bench.judge.verdicts import COLUMNS, EFFORT, Cell, Verdict, Witness
from bench.runs.records import Invariance
from bench.show.markdown import TITLES, figure, markdown
from bench.show.witness_script import as_python, short_hex
from numerics import FORMATS, LABELLED, OPERATIONS

if TYPE_CHECKING:
    from bench.runs.run_file import Run

Part: TypeAlias = str | Table
OWN = ("stable", "fast")
DEPENDENCE = {
    "same call twice": "earlier calls",
    "F order": "memory order",
    "row alone": "the batch around a row",
    "moved axis": "the place of the axis",
    "strided": "strides",
    "reversed strides": "the direction of strides",
}
"""What bits depend on when a check fails that should change none."""


# --- One sentence --------------------------------------------------------------------------------


def conclusion(verdict: Verdict) -> str:
    """The verdict in one sentence of plain English."""
    return f"{_name(verdict)}: {'; '.join(findings(verdict))}."


def in_lines(verdict: Verdict) -> str:
    """The same, a line for each thing that was found."""
    return "\n".join([f"{_name(verdict)}:", *(f"  {line}" for line in findings(verdict))])


def findings(verdict: Verdict) -> list[str]:
    """What was found, in a few words each."""
    offered = [cell for cell in verdict.cells if cell.offered]
    measured = [cell for cell in offered if cell.max_ulp is not None]
    if not measured:
        reason = next((message for cell in offered for message in cell.messages), "")
        return [f"no verdict, since no call gave a result: {reason or 'nothing is offered'}"]
    said = [*_errors(measured), _failures(offered), _special(offered), _same_bits(verdict)]
    return [*said, *_times(verdict), *_absent(verdict)]


def beside(verdicts: Sequence[Verdict], run: Run) -> str:
    """Why the same error may be larger in a run that has more cases, by the clearest example."""
    if run.effort == EFFORT:
        return ""
    said = (
        f"These are the cases of effort {EFFORT}. The committed run is of effort {run.effort} and "
        "has more cases, so its largest errors are larger in places"
    )
    table = run.accuracy[run.accuracy["family"] == "random"]
    worst = table.groupby(["subject", "operation", "format"])["max_ulp"].max()
    both = [
        (f"{one.subject}'s {TITLES[cell.operation]} in {cell.format}", cell.ordinary_ulp, theirs)
        for one in verdicts
        for cell in one.cells
        if cell.operation == "softmax" and cell.ordinary_ulp
        for theirs in [worst.get((one.subject, cell.operation, cell.format), math.nan)]
        if theirs > cell.ordinary_ulp
    ]
    if not both:
        return f"{said}."
    name, ours, theirs = max(both, key=lambda pair: pair[2] / pair[1])
    return (
        f"{said}: {name} errs by {figure(theirs)} ulp on ordinary rows there, {figure(ours)} here."
    )


def _name(verdict: Verdict) -> str:
    return f"{verdict.subject} {verdict.version}".strip()


def _errors(cells: Sequence[Cell]) -> Iterator[str]:
    lost = [cell for cell in cells if _all_digits_lost(cell)]
    kept = [cell for cell in cells if cell.operation not in {c.operation for c in lost}]
    for operation in dict.fromkeys(cell.operation for cell in kept):
        worst = max((c for c in kept if c.operation == operation), key=lambda c: c.max_ulp or 0.0)
        ulp = figure(_number(worst.max_ulp))
        yield f"{TITLES[operation]} is off by up to {ulp} ulp ({worst.format})"
    if lost:
        yield f"no digit of {_titles(lost)} is right on some rows"


def _all_digits_lost(cell: Cell) -> bool:
    """An error of about the value itself: a quarter of it at least."""
    return _number(cell.max_ulp) >= 2.0 ** (FORMATS[cell.format].precision - 2)


def _titles(cells: Sequence[Cell]) -> str:
    titles = list(dict.fromkeys(TITLES[cell.operation] for cell in cells))
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if titles[1:] else titles)


def _failures(cells: Sequence[Cell]) -> str:
    total: dict[str, int] = {}
    for cell in cells:
        for kind, count in cell.failures.items():
            total[kind] = total.get(kind, 0) + count
    return f"failures: {counts(total)}" if total else "no failures: no NaN, infinity or lost value"


def _special(cells: Sequence[Cell]) -> str:
    missed = sum(cell.special_missed for cell in cells)
    answer = "differ from" if missed else "are as in"
    return f"results for rows with NaN, +inf or only -inf {answer} docs/contracts.md"


def _same_bits(verdict: Verdict) -> str:
    found = list(dict.fromkeys(DEPENDENCE[m.check] for m in changed(verdict)))
    if found:
        return f"the bits of a row depend on {', '.join(found)}"
    return "a row gives the same bits in any memory order, batch and stride"


def _times(verdict: Verdict) -> Iterator[str]:
    for to in OWN:
        ratios = [verdict.time_ratio(c.operation, c.format, to) for c in verdict.cells]
        taken = [ratio for ratio in ratios if ratio is not None]
        if taken:
            ends = dict.fromkeys(figure(end) for end in (min(taken), max(taken)))
            yield f"takes {' to '.join(ends)} times as long as our method `{to}`"


def _absent(verdict: Verdict) -> Iterator[str]:
    if missing := [TITLES[operation] for operation in _not_offered(verdict)]:
        yield f"not offered: {', '.join(missing)}"


# --- Tables --------------------------------------------------------------------------------------


def parts(verdict: Verdict, terminal: bool) -> Iterator[Part]:
    """What there is to print about a subject, in order."""
    style = box.SIMPLE_HEAD if terminal else None
    yield _error_table(verdict, style)
    yield from _notes(verdict)
    if verdict.speed:
        yield _speed_table(verdict, style)
    yield from _bits(verdict, style)
    yield from _witnesses(verdict)


def plain(verdicts: Iterable[Verdict]) -> str:
    """All of it as plain lines, as they are piped."""
    console = Console(file=io.StringIO(), width=400, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        for verdict in verdicts:
            for part in parts(verdict, terminal=False):
                console.print(part, soft_wrap=True)
                if isinstance(part, Table):
                    console.print()
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip()


def _table(title: str, headers: Sequence[str], style: box.Box | None, text: int) -> Table:
    table = Table(box=style, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for place, header in enumerate(headers):
        left = place < text
        table.add_column(header, justify="left" if left else "right", no_wrap=left)
    return table


def _error_table(verdict: Verdict, style: box.Box | None) -> Table:
    headers = ["operation", "format", "ordinary rows", "confident rows", "any row"]
    headers += ["not nearest", "failures", "special missed"]
    title = f"{_name(verdict)}: largest error in ulp, over the cases of effort {EFFORT}"
    table = _table(title, headers, style, text=2)
    missing = _not_offered(verdict)
    for cell in verdict.cells:
        if cell.operation not in missing:
            table.add_row(TITLES[cell.operation], cell.format, *_error_figures(cell))
    return table


def _not_offered(verdict: Verdict) -> list[str]:
    """The operations that are offered in no format."""
    offered = {cell.operation for cell in verdict.cells if cell.offered}
    asked = {cell.operation for cell in verdict.cells}
    return [operation for operation in OPERATIONS if operation in asked - offered]


def _error_figures(cell: Cell) -> list[str]:
    if not cell.offered:
        return ["not offered"]
    ulps = (cell.ordinary_ulp, cell.confident_ulp, cell.max_ulp)
    return [
        *(figure(_number(ulp)) for ulp in ulps),
        f"{100 * cell.misrounded / cell.elements:.2g} %" if cell.elements else "-",
        counts(cell.failures) or "none",
        _missed(cell),
    ]


def _missed(cell: Cell) -> str:
    return f"{cell.special_missed:,} of {cell.special_elements:,}"


def _notes(verdict: Verdict) -> Iterator[str]:
    for cell in verdict.cells:
        for message in cell.messages[:2]:
            doing = "" if cell.offered else "not offered: "
            yield f"{TITLES[cell.operation]} {cell.format}: {doing}{message}"
    if verdict.left_out:
        yield f"No time was left for {', '.join(verdict.left_out)}"


def _speed_table(verdict: Verdict, style: box.Box | None) -> Table:
    lengths = (f"K = {columns}" for columns in COLUMNS)
    headers = ("operation", "format", *lengths, *(f"time / {to}" for to in OWN))
    table = _table("Time in ns per element", headers, style, text=2)
    times = {(s.operation, s.format, s.columns): figure(s.ns_per_element) for s in verdict.speed}
    for cell in verdict.cells:
        pair = cell.operation, cell.format
        ratios = [verdict.time_ratio(*pair, to) for to in OWN]
        if None not in ratios:
            shown = [times.get((*pair, columns), "-") for columns in COLUMNS]
            shown += [figure(_number(ratio)) for ratio in ratios]
            table.add_row(TITLES[cell.operation], cell.format, *shown)
    return table


def _bits(verdict: Verdict, style: box.Box | None) -> Iterator[Part]:
    """The checks that change bits, by format, and a line for those that change none."""
    checks = list(dict.fromkeys(m.check for m in verdict.invariance))
    moved = [c for c in checks if any(_moves(m) for m in verdict.invariance if m.check == c)]
    if moved:
        yield _bits_table(verdict, moved, style)
    if same := [check for check in checks if check not in moved]:
        yield f"No bit changes: {', '.join(same)}"


def _moves(measured: Invariance) -> bool:
    return bool(measured.differing or measured.message)


def _bits_table(verdict: Verdict, checks: Sequence[str], style: box.Box | None) -> Table:
    formats = list(dict.fromkeys(m.format for m in verdict.invariance))
    title = "Outputs whose bits change when the same rows are passed another way"
    table = _table(title, ("check", *formats), style, text=1)
    for check in checks:
        found = {m.format: _share(m) for m in verdict.invariance if m.check == check}
        table.add_row(check, *(found.get(name, "-") for name in formats))
    return table


def _share(measured: Invariance) -> str:
    if measured.message:
        return "raised"
    return f"{100 * measured.differing / measured.outputs:.2g} %" if measured.differing else "none"


def _witnesses(verdict: Verdict) -> Iterator[str]:
    if any(cell.worst for cell in verdict.cells):
        yield "Where, in Python after `import numpy as np, numerics, bench.inputs.cases`:"
    for cell in verdict.cells:
        title = f"{TITLES[cell.operation]} {cell.format}"
        if cell.worst and _number(cell.max_ulp) > 0.5:
            yield from _shown(cell.worst, f"{title}, {figure(_number(cell.max_ulp))} ulp", cell)
        if cell.failed and cell.failed != cell.worst:
            yield from _shown(cell.failed, f"{title}, failure", cell)


def _shown(witness: Witness, title: str, cell: Cell) -> Iterator[str]:
    at = "0" if witness.column is None else f"0, {witness.column}"
    labels = f", np.array([{witness.label}])" if cell.operation in LABELLED else ""
    yield f"{title} in case {witness.case!r}, K = {witness.width}:"
    yield f"    {as_python(vars(witness), witness.case, cell.format)}"
    got = short_hex(witness.got)
    yield f"    {cell.operation}(x{labels})[{at}]  # {got}, exact {witness.exact}"


# --- README --------------------------------------------------------------------------------------


def summary(verdicts: Sequence[Verdict]) -> str:
    """One row for each subject and operation, the three formats side by side."""
    headers = ["", "operation", "ordinary rows", "confident rows", "any row", "failures"]
    headers += ["special missed", *(f"time / {to}" for to in OWN)]
    rows = [
        [verdict.subject, TITLES[operation], *_summary_figures(verdict, operation)]
        for verdict in verdicts
        for operation in dict.fromkeys(cell.operation for cell in verdict.cells)
    ]
    return markdown(headers, rows, text=2)


def _summary_figures(verdict: Verdict, operation: str) -> list[str]:
    cells = [cell for cell in verdict.cells if cell.operation == operation]
    if not any(cell.offered for cell in cells):
        return ["not offered"] + [""] * 6

    def each(value: Callable[[Cell], str]) -> str:
        return " / ".join(value(cell) if cell.offered else "-" for cell in cells)

    return [
        each(lambda cell: figure(_number(cell.ordinary_ulp))),
        each(lambda cell: figure(_number(cell.confident_ulp))),
        each(lambda cell: figure(_number(cell.max_ulp))),
        each(lambda cell: f"{sum(cell.failures.values()):,}"),
        each(lambda cell: f"{cell.special_missed:,}"),
        *(
            each(lambda c, to=to: figure(_number(verdict.time_ratio(operation, c.format, to))))  # type: ignore[misc]
            for to in OWN
        ),
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
