"""The tables of a verdict, for a terminal, a pipe and docs. Formats; computes maxima."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table

from bench.inputs.kinds import SPECIAL
from bench.judge.findings import ROWS, counts
from bench.judge.policies import published
from bench.judge.verdicts import COLUMNS, PLAIN, Cell, Verdict, Way
from bench.show.markdown import TITLES, figure, markdown
from bench.show.verdict_words import OWN, conclusion, in_lines, screen
from bench.show.witness_script import pasted
from numerics import OPERATIONS

if TYPE_CHECKING:
    from bench.runs.run_file import Run

Part: TypeAlias = str | Table
__all__ = [
    "beside", "conclusion", "in_lines", "layout_table", "parts", "plain", "policy_table", "summary"
]  # fmt: skip


def parts(verdict: Verdict, terminal: bool, verbose: bool = False) -> Iterator[Part]:
    """What there is to print about a subject, in order."""
    style = box.SIMPLE_HEAD if terminal else None
    yield "\n".join(screen(verdict, verbose))
    yield "\n".join(_witnesses(verdict, verbose))
    if not verbose:
        return
    yield _error_table(verdict, style)
    yield from _notes(verdict)
    yield _presentation_table(verdict, style)
    if verdict.speed:
        yield _speed_table(verdict, style)
    if verdict.paces:
        yield _pace_table(verdict, style)


def plain(verdicts: Iterable[Verdict], verbose: bool = False) -> str:
    """All of it as plain lines, as they are piped."""
    console = Console(file=io.StringIO(), width=400, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        for verdict in verdicts:
            for part in parts(verdict, terminal=False, verbose=verbose):
                console.print(part, soft_wrap=True)
                if isinstance(part, Table):
                    console.print()
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip()


def in_markdown(verdicts: Iterable[Verdict], broken: Sequence[str]) -> str:
    """For the page of a CI job: the sentence, what does not hold, and the screen to unfold."""
    said = []
    for one in verdicts:
        screen_of = f"```\n{in_lines(one)}\n\n{plain([one])}\n```"
        said.append(f"### {conclusion(one)}")
        said.append(f"<details><summary>What was found</summary>\n\n{screen_of}\n\n</details>")
    return "\n\n".join([*said, *(f"- does not hold: {line}" for line in broken)])


def _table(title: str, headers: Sequence[str], style: box.Box | None, text: int) -> Table:
    table = Table(box=style, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for place, header in enumerate(headers):
        left = place < text
        table.add_column(header, justify="left" if left else "right", no_wrap=left)
    return table


def _error_table(verdict: Verdict, style: box.Box | None) -> Table:
    headers = ["operation", "format", "random rows", "confident rows", "passed plainly", "any way"]
    headers += ["not nearest", "failures"]
    table = _table("Largest error in ulp", headers, style, text=2)
    for cell in verdict.cells:
        figures = _error_figures(cell) if cell.offered else ["not offered"]
        table.add_row(TITLES[cell.operation], cell.format, *figures)
    return table


def _error_figures(cell: Cell) -> list[str]:
    rows = cell.plain_rows
    ulps = (cell.ordinary_ulp, cell.confident_ulp, rows.max_ulp, cell.max_ulp)
    return [
        *(figure(_number(ulp)) for ulp in ulps),
        f"{100 * rows.misrounded / rows.outputs:.2g} %" if rows.outputs else "-",
        counts(cell.failures) or "none",
    ]


def _notes(verdict: Verdict) -> Iterator[str]:
    for cell in verdict.cells:
        for message in cell.messages[:2]:
            doing = "" if cell.offered else "not offered: "
            yield f"{TITLES[cell.operation]} {cell.format}: {doing}{message}"


def _presentation_table(verdict: Verdict, style: box.Box | None) -> Table:
    """What each way to pass the same rows changes: errors and failures before bits."""
    cells = verdict.offered
    headers = ["presentation", *(f"{cell.operation} {cell.format}" for cell in cells)]
    table = _table("The same rows, presented in other ways", headers, style, text=1)
    for name in dict.fromkeys(w.presentation for cell in cells for w in cell.ways[1:]):
        table.add_row(name, *(_said(cell, name) for cell in cells))
    return table


def _said(cell: Cell, presentation: str) -> str:
    way = next((way for way in cell.ways if way.presentation == presentation), None)
    if way is None:
        return "-"
    return changes_of(way)


def changes_of(way: Way) -> str:
    """One way in one table cell: failures, refusals, larger errors, and then bits."""
    failures = sum(sum(tally.failures.values()) for tally in way.tallies.values())
    if way.outcomes:
        return counts(way.outcomes)
    if failures:
        return f"{failures:,} failures"
    if not way.changed:
        return "same"
    ulp = max((tally.max_ulp or 0.0 for tally in way.tallies.values()), default=0.0)
    return f"{figure(ulp)} ulp, bits of {100 * way.changed / way.outputs:.2g} %"


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


def _pace_table(verdict: Verdict, style: box.Box | None) -> Table:
    """Time per element over that of ordinary rows, and what it is for `stable`."""
    cells = [cell for cell in verdict.offered if any(_is_of(cell, p) for p in verdict.paces)]
    headers = ["rows", *(f"{cell.operation} {cell.format}" for cell in cells)]
    table = _table("Time per element over ordinary rows (stable)", headers, style, text=1)
    for words in dict.fromkeys(pace.words for pace in verdict.paces):
        shown = []
        for cell in cells:
            mine = [p for p in verdict.paces if p.words == words and _is_of(cell, p)]
            shown += [f"{p.fastest:.2g} ({p.stable_fastest:.2g})" for p in mine] or ["-"]
        table.add_row(words.rsplit(" ", 1)[0], *shown)
    return table


def _is_of(cell: Cell, pace: object) -> bool:
    return (getattr(pace, "operation", ""), getattr(pace, "format", "")) == (
        cell.operation,
        cell.format,
    )


def _witnesses(verdict: Verdict, verbose: bool) -> Iterator[str]:
    """The worst output and the first failure of an operation, as Python to be pasted."""
    for operation in OPERATIONS:
        cells = [cell for cell in verdict.offered if cell.operation == operation]
        if not verbose:
            cells = sorted(cells, key=lambda c: (not c.all_rows.failed, -(c.max_ulp or 0)))[:1]
        for cell in cells:
            rows = cell.all_rows
            shown = rows.failed or rows.worst
            if shown:
                yield f"{operation} {cell.format}, {'a failure' if rows.failed else 'the worst'}:"
                script = pasted(shown, operation, cell.format, verdict.subject, verdict.origins)
                yield "\n".join(f"    {line}" for line in script.splitlines())


# --- Documents -----------------------------------------------------------------------------------


def beside(verdicts: Sequence[Verdict], run: Run) -> str:
    """Why the same error may be larger in a run that has more cases, by the clearest example."""
    effort = verdicts[0].effort
    if run.effort == effort:
        return ""
    said = (
        f"These are the cases of effort {effort}. The committed run is of effort {run.effort} and "
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
    return f"{said}: {name} errs by {figure(theirs)} ulp on random rows there, {figure(ours)} here."


def summary(verdicts: Sequence[Verdict]) -> str:
    """One row for each subject and operation, the three formats side by side."""
    headers = ["", "operation", "random rows", "confident rows", "passed plainly", "any way"]
    headers += ["failures", *(f"time / {to}" for to in OWN)]
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
        each(lambda cell: figure(_number(cell.plain_rows.max_ulp))),
        each(lambda cell: figure(_number(cell.max_ulp))),
        each(lambda cell: f"{sum(cell.failures.values()):,}"),
        *(
            each(lambda c, to=to: figure(_number(verdict.time_ratio(operation, c.format, to))))  # type: ignore[misc]
            for to in OWN
        ),
    ]


def policy_table(verdicts: Sequence[Verdict]) -> str:
    """What each subject returns for special rows, ours first."""
    headers = ["", "operation", *(ROWS[kind] for kind in SPECIAL)]
    rows = [["published", TITLES[op], *(published(op, kind) for kind in SPECIAL)]
            for op in OPERATIONS]  # fmt: skip
    for verdict in verdicts:
        for operation in OPERATIONS:
            cells = [c for c in verdict.offered if c.operation == operation]
            if cells:
                kept = [dict.fromkeys(n for c in cells for n in c.policies.get(kind, {}))
                        for kind in SPECIAL]  # fmt: skip
                rows.append([verdict.subject, TITLES[operation], *(" or ".join(k) for k in kept)])
    return markdown(headers, rows, text=5)


def layout_table(verdicts: Sequence[Verdict], operation: str = "softmax") -> str:
    """What other ways to pass the same rows change, in fp16 / fp32 / fp64."""
    cells = [[c for c in v.cells if c.operation == operation] for v in verdicts]
    ways = dict.fromkeys(
        way.presentation for mine in cells for c in mine for way in c.ways
        if way.presentation != PLAIN
    )  # fmt: skip
    rows = [
        [way, *(" / ".join(_said(c, way) if c.offered else "-" for c in mine) for mine in cells)]
        for way in ways
    ]
    return markdown(["presentation", *(v.subject for v in verdicts)], rows, text=1)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
