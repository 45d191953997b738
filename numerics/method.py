"""Method: one way to compute the four operations, as a row of the table `numerics.METHODS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numerics.facts import Bound
from numerics.formats import FORMATS, FloatArray

OPERATIONS = ("softmax", "log_softmax", "log_sum_exp", "cross_entropy")


@dataclass(frozen=True)
class Method:
    """Name, one-line summary, the four operations, their error bounds, and the source.

    `formats` names the formats that the method offers; any other raises TypeError. `bounds` maps
    each operation to a function of `numerics.bounds`, a theorem; `promises` to a smaller one, a
    recorded figure that the harness holds the method to. `keeps_policy`: special rows as
    published, and no floating-point warning. `correctly_rounded`: every output is the number
    nearest to the exact value.
    """

    name: str
    summary: str
    source: str
    softmax: Callable[..., FloatArray]
    log_softmax: Callable[..., FloatArray]
    log_sum_exp: Callable[..., Any]
    cross_entropy: Callable[..., Any]
    bounds: dict[str, Bound]
    promises: dict[str, Bound] = field(default_factory=dict)
    formats: tuple[str, ...] = field(default=tuple(FORMATS))
    keeps_policy: bool = True
    correctly_rounded: bool = False
