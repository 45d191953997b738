"""sweep: millions of rows against the certified oracle, in chunks, on one machine or many."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.inputs import families
from bench.runs.files import check_writable
from bench.subjects import specs
from numerics import ALL_FORMATS, OPERATIONS


def add(commands: Any) -> None:
    """The grammar."""
    swept = commands.add_parser(
        "sweep",
        help="judge subjects on millions of rows, in chunks, in all cores or on a Dask cluster",
        description="Rows of a family in chunks of 2^22, judged by the certified oracle, which "
        "mpmath audits. Finished chunks lie in FILE.json.chunks: a killed run goes on from "
        "there. The file is the same for every number of workers; how long it took is printed.",
    )
    swept.add_argument("subjects", nargs="*", metavar="SUBJECT", help=specs.HELP)
    swept.add_argument(
        "--operation",
        nargs="+",
        choices=OPERATIONS,
        default=list(OPERATIONS),
        metavar="OP",
        help=f"default: {' '.join(OPERATIONS)}",
    )
    swept.add_argument(
        "--format",
        nargs="+",
        choices=ALL_FORMATS,
        default=["fp32"],
        metavar="F",
        help="default: fp32",
    )
    swept.add_argument(
        "--family", nargs="+", metavar="NAME", help=f"any of {', '.join(families.SHAPES.values())}"
    )
    swept.add_argument(
        "--chunks", type=_chunks, metavar="A:B", help="from chunk A to before B (default: all)"
    )
    swept.add_argument("--workers", type=int, metavar="N", help="processes (default: all cores)")
    swept.add_argument("--dask", metavar="ADDRESS", help="run on this Dask cluster instead")
    swept.add_argument(
        "--merge",
        nargs="+",
        type=Path,
        metavar="FILE.json",
        help="make one file of these",
    )
    swept.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="compressed if it ends in .json.xz",
    )


def _chunks(text: str) -> tuple[int, int]:
    first, colon, end = text.partition(":")
    if not (colon and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected A:B with A below B, such as 0:24")
    return int(first), int(end)


def run(options: argparse.Namespace) -> None:
    """Run or merge, write, and print what was found."""
    from bench.show import sweep_tables
    from bench.sweep import sweep_file

    check_writable(options.output)
    content = sweep_file.merged_files(options.merge) if options.merge else _swept(options)
    sweep_file.write(options.output, content)
    print(sweep_tables.table(content))
    print(f"\nwrote {options.output}")


def _swept(options: argparse.Namespace) -> dict[str, Any]:
    from bench.sweep import finished, sweep_file
    from bench.sweep import run as running

    if not (options.subjects and options.family):
        raise sweep_file.SweepError("say which SUBJECT and which --family (or --merge files)")
    subjects, missing = specs.load(options.subjects)
    if missing:
        raise specs.SpecError("; ".join(missing))
    tasks = running.Plan(
        tuple(options.subjects),
        tuple(options.operation),
        tuple(options.family),
        tuple(options.format),
        options.chunks,
    ).tasks()
    folder = finished.folder_of(options.output)
    with _executor(options) as (executor, workers):
        chunks = running.run(tasks, subjects, executor, workers, folder)
        found = dict(_tracked(chunks, len(tasks)))
    return running.content(found, subjects)


@contextlib.contextmanager
def _executor(options: argparse.Namespace) -> Iterator[tuple[Executor, int]]:
    from bench.sweep import run as running

    if options.dask:
        with running.cluster(options.dask) as found:
            yield found
        return
    workers = options.workers or os.cpu_count() or 1
    with running.processes(workers) as executor:
        yield executor, workers


Found = tuple[Any, dict[str, Any]]
"""A task, and what it came to."""


def _tracked(running: Iterable[Found], count: int) -> Iterator[Found]:
    """Show chunks, the rate and the time left; at the end how long it took."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console, start, outputs = Console(stderr=True), time.perf_counter(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("chunks", total=count)
        for one in running:
            outputs += sum(cell["summary"]["outputs"] for cell in one[1]["cells"])
            rate = outputs / (time.perf_counter() - start)
            progress.update(bar, advance=1, description=f"{rate / 1e6:.1f} M outputs/s, chunks")
            yield one
    seconds = time.perf_counter() - start
    console.print(f"{outputs:,} outputs in {count} chunks, in {seconds:.0f} s")


COMMAND = Command("sweep", add, run, "report", ("mpmath", "rich", "tabulate"))
