"""Subjects: anything that computes some of the four operations. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numerics import METHODS, OPERATIONS, Method
from numerics.facts import Bound


@dataclass(frozen=True)
class Subject:
    """A name, a function for each operation that is offered, and the bounds it claims.

    Functions take an array of shape (rows, K), and `cross_entropy` labels as its second argument;
    they work over the last axis, and over any with `takes_axis`. `keeps_policy`: claims the
    published policy for special rows. `ours`: has to refuse labels out of range, and to give the
    same bits however the same rows are passed.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    formats: tuple[str, ...]
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    keeps_policy: bool = False
    takes_axis: bool = True
    ours: bool = False

    def offers(self, operation: str, format_name: str) -> bool:
        """Whether there is anything to measure."""
        return operation in self.functions and format_name in self.formats


def of_method(method: Method) -> Subject:
    """One of our own methods as a subject."""
    functions = {operation: getattr(method, operation) for operation in OPERATIONS}
    claims = {**method.bounds, **method.promises}
    return Subject(method.name, functions, method.formats, claims, method.keeps_policy, ours=True)


SUBJECTS: dict[str, Subject] = {name: of_method(method) for name, method in METHODS.items()}
"""Our methods, in the order of the table."""
