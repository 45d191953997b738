"""Subjects: anything that computes some of the operations. Measures nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numerics import METHODS, OPERATIONS, Method, bounds
from numerics.facts import Bound

FOREIGN = (Exception, SystemExit)
"""What foreign code may raise, and the run goes on. Ctrl-C is none of it."""


@dataclass(frozen=True)
class Subject:
    """A name, a function for each operation that is offered, and the bounds it claims.

    Functions take an array of shape (rows, K), and those of `LABELLED` labels as second argument;
    they work over the last axis, and over any with `takes_axis`. `keeps_policy`: claims the
    published policy for special rows; `correctly_rounded`: the nearest number, always. `ours`: has
    to refuse labels out of range, and to give the same bits however the same rows are passed.
    `refused`: why it does not offer an operation in a format, by both names. `fixed_axis`: the
    operations that take no axis although others do; `keepdims`: those that take that. `origins`:
    how an operation is asked for on the command line.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    formats: tuple[str, ...]
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    keeps_policy: bool = False
    correctly_rounded: bool = False
    takes_axis: bool = True
    ours: bool = False
    version: str = ""
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    fixed_axis: tuple[str, ...] = ()
    keepdims: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def over_axis(self, operation: str) -> bool:
        """Whether an operation takes an axis."""
        return self.takes_axis and operation not in self.fixed_axis

    def offers(self, operation: str, format_name: str) -> bool:
        """Whether there is anything to measure."""
        return (
            operation in self.functions
            and format_name in self.formats
            and (operation, format_name) not in self.refused
        )


def described(error: BaseException) -> str:
    """An exception as one line that may stand in a table, a figure and a run file.

    >>> described(ValueError("two\\nlines, $5"))
    'ValueError: two lines, ?5'
    """
    # TracebackException's text stands in for a __str__ that raises.
    text = f"{type(error).__name__}: {traceback.TracebackException.from_exception(error)}"
    return printable(text, 300)


def printable(text: str, length: int) -> str:
    """One line of at most so many characters, of which none means anything to whoever shows it."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() and c != "$" else "?" for c in line)[:length]


def of_method(method: Method) -> Subject:
    """One of our own methods as a subject."""
    functions = {operation: getattr(method, operation) for operation in OPERATIONS}
    return Subject(
        method.name,
        functions,
        method.formats,
        bounds.of(method.name),
        method.keeps_policy,
        method.correctly_rounded,
        ours=True,
        keepdims=("log_sum_exp",),
    )


SUBJECTS: dict[str, Subject] = {name: of_method(method) for name, method in METHODS.items()}
"""Our methods, in the order of the table."""
