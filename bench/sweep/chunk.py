"""One chunk: its rows, their exact values once for all subjects, and what each subject comes to.

What is here runs in another process, perhaps on another machine: it takes a `Task` and returns what
JSON can say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.inputs import families
from bench.inputs.cases import Batch
from bench.inputs.families import CHUNK
from bench.inputs.formats import FORMATS
from bench.subjects import specs
from bench.subjects.quiet import quiet
from bench.subjects.subject import FOREIGN, Subject, described
from bench.sweep import identity
from bench.sweep.auditing import Auditor
from bench.sweep.summary import Summary, Witness, merged, raised, summarize
from bench.truth import certified
from bench.truth.exact import Exact
from numerics.formats import FloatArray, Format
from numerics.method import ELEMENTWISE, arguments


@dataclass(frozen=True)
class Task:
    """A chunk of a family in a format, for subjects by name and operations."""

    subjects: tuple[str, ...]
    operations: tuple[str, ...]
    family: str
    format: str
    number: int
    chunk_rows: int = CHUNK

    def as_json(self) -> dict[str, Any]:
        """What JSON can say, as it comes back from there."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def run(task: Task) -> dict[str, Any]:
    """What the chunk comes to, and what that was made with."""
    subjects, missing = specs.load(task.subjects)
    if missing:
        raise specs.SpecError("; ".join(missing))
    format = FORMATS[task.format]
    family = families.named(task.family, format)
    audited = Auditor(family, format, task.number, task.chunk_rows)
    cells = {
        (name, operation): _Running(format)
        for name, subject in subjects.items()
        for operation in task.operations
        if subject.offers(operation, task.format)
    }
    for first, batch in family.blocks(format, task.number, task.chunk_rows):
        exact = {
            op: certified.evaluate(op, batch.x, batch.labels, format) for op in task.operations
        }
        found = {
            (name, op): running.add(subjects[name], op, batch, first, exact[op])
            for (name, op), running in cells.items()
        }
        audited.keep(first, batch, exact, [w.row for new in found.values() for w in new])
    summaries = {cell: running.summary() for cell, running in cells.items()}
    audited.confirm([w.row for one in summaries.values() for w in one.worst])
    return {
        "made": identity.made(subjects),
        "task": asdict(task)
        | {"subjects": list(task.subjects), "operations": list(task.operations)},
        "rows": audited.rows,
        "audited": audited.count,
        "near_midpoints": audited.near,
        "cells": [
            {"subject": name, "operation": op, "summary": summaries[name, op].as_json()}
            for name, op in cells
        ],
    }


class _Running:
    """The summary of a subject's operation so far."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.total = Summary()

    def add(
        self, subject: Subject, operation: str, batch: Batch, first: int, exact: Exact
    ) -> list[Witness]:
        """Go on with a block; the witnesses of it that are kept."""
        known = [float.fromhex(witness.ulp) for witness in self.total.worst]
        try:
            got = called(subject, operation, batch)
        except FOREIGN as error:  # whatever foreign code raises is a finding
            block = raised(exact.significand.size, described(error))
        else:
            block = summarize(got, exact, batch, first, self.format, known)
        self.total = merged([self.total, block])
        return block.worst

    def summary(self) -> Summary:
        """Of all blocks."""
        return self.total


def called(subject: Subject, operation: str, batch: Batch) -> FloatArray:
    """What a subject returns for a block; TypeError where that has another shape or dtype."""
    x, labels = batch.x.copy(), batch.labels.copy()
    function: Callable[..., Any] = subject.functions[operation]
    with quiet():
        got = np.asarray(function(*arguments(operation, x, labels)))
    shape = x.shape if operation in ELEMENTWISE else x.shape[:1]
    if got.shape != shape or got.dtype != x.dtype:
        raise TypeError(f"returned {got.dtype} of shape {got.shape}, not {x.dtype} of {shape}")
    return got
