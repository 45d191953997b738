"""What a planted defect is, and what the functions are written with: `exact`, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics import METHODS

Function = Callable[..., Any]
OPERATION = {"softmax": "softmax", "log_softmax": "log_softmax", "log_sum_exp": "log_sum_exp"}


@dataclass(frozen=True)
class Planted:
    """A defective function and the line of the verdict that must name it.

    `stands_for` is the public report, or the kind of which no report is known; `defect` says in
    words what is wrong; `named` is a regular expression for a line of the verdict, and `found_by`
    the step of a verdict that comes to it.
    """

    function: Function
    operation: str
    stands_for: str
    defect: str
    named: str
    formats: tuple[str, ...] = ("fp32",)
    found_by: str = ""

    @property
    def name(self) -> str:
        return self.function.__name__


def exact(operation: str) -> Function:
    """The correctly rounded function that defects are planted on."""
    found: Function = getattr(METHODS["exact"], operation)
    return found


SOFTMAX, LOG_SOFTMAX = exact("softmax"), exact("log_softmax")
LOG_SUM_EXP, CROSS_ENTROPY = exact("log_sum_exp"), exact("cross_entropy")
GRADIENT = exact("cross_entropy_gradient")


def on_rows(defective: Callable[[Any], Any]) -> Function:
    """A function of rows (rows, K) as one of any array and axis, right in everything else."""

    def function(x: Any, axis: int = -1) -> Any:
        array = np.asarray(x)
        array = array.astype(array.dtype.newbyteorder("=") if array.dtype.kind == "f" else "f8")
        moved = np.moveaxis(array, axis, -1)
        out = defective(np.ascontiguousarray(moved.reshape(-1, moved.shape[-1])))
        if out.ndim == 1:
            return out.reshape(moved.shape[:-1])[()]
        return np.moveaxis(out.reshape(moved.shape), -1, axis)

    function.__name__ = defective.__name__
    return function


def on_labelled_rows(defective: Callable[[Any, Any], Any]) -> Function:
    """The same for cross-entropy and its gradient; labels out of range are refused."""

    def function(x: Any, y: Any, axis: int = -1) -> Any:
        CROSS_ENTROPY(x, y, axis=axis)
        array, labels = np.asarray(x), np.asarray(y)
        array = array.astype(array.dtype.newbyteorder("=") if array.dtype.kind == "f" else "f8")
        moved = np.moveaxis(array, axis, -1)
        rows = np.ascontiguousarray(moved.reshape(-1, moved.shape[-1]))
        flat = np.broadcast_to(labels, moved.shape[:-1]).reshape(-1)
        out = defective(rows, flat)
        if out.ndim == 1:
            return out.reshape(moved.shape[:-1])[()]
        return np.moveaxis(out.reshape(moved.shape), -1, axis)

    function.__name__ = defective.__name__
    return function
