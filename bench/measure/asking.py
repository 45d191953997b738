"""Asking a subject for rows, and what may come back instead of an answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measure.accuracy import Offence
from bench.subjects.subject import FOREIGN, Subject, described
from numerics.formats import FloatArray
from numerics.method import ELEMENTWISE, LABELLED
from numerics.rows import Labels

REFUSALS = (TypeError, ValueError, NotImplementedError, RuntimeError, BufferError)
"""What a subject may say of input that it does not take."""


class Ask:
    """One operation of a subject: calls it, and holds shape, dtype and the input to the contract.

    Labels are passed on where the operation has some. Results are copied, so that no buffer of the
    subject's own spoils them later; `live` returns what was returned.
    """

    def __init__(self, subject: Subject, operation: str) -> None:  # noqa: D107
        self.function = subject.functions[operation]
        self.labelled = operation in LABELLED
        self.elementwise = operation in ELEMENTWISE

    def __call__(self, x: npt.NDArray[Any], labels: Any, axis: int | None = None) -> FloatArray:
        """A result in native byte order, in memory of its own."""
        got = self.live(x, labels, axis)
        return np.array(got, got.dtype.newbyteorder("="), order="C")

    def live(self, x: npt.NDArray[Any], labels: Any, axis: int | None = None) -> FloatArray:
        """What the subject returned; Offence for another shape, dtype, or a changed input."""
        before, labels_before = x.copy(), np.copy(labels)
        keywords = {} if axis is None else {"axis": axis}
        got = np.asarray(self.function(*((x, labels) if self.labelled else (x,)), **keywords))
        if got.size and np.may_share_memory(got, x):
            raise Offence("aliases its input", "returned memory of its input")
        if x.tobytes() != before.tobytes() or not np.array_equal(labels, labels_before):
            raise Offence("wrote to input", "wrote to its input")
        shape = x.shape if self.elementwise else np.delete(x.shape, -1 if axis is None else axis)
        dtype = x.dtype.newbyteorder("=")
        if got.shape != tuple(shape) or got.dtype.newbyteorder("=") != dtype:
            expected = f"expected {dtype} of shape {tuple(int(n) for n in shape)}"
            message = f"returned {got.dtype} of shape {got.shape}, {expected}"
            raise Offence("wrong result", message)
        return got

    def back(self, got: FloatArray, axes: Sequence[int]) -> FloatArray:
        """A result over the first axes of an array as rows: the axes moved where they were."""
        return got.transpose(axes) if self.elementwise else got


@dataclass(frozen=True)
class Answer:
    """What came back for the rows of one batch, or what the subject did instead of its part.

    `outputs` has a row (or a number) for each entry of `index`, which names the row of the batch.
    `flags` are floating-point flags and warnings.
    """

    outputs: FloatArray | None
    index: npt.NDArray[np.intp] | None = None
    outcome: str = "measured"
    message: str = ""
    flags: tuple[str, ...] = ()


@contextmanager
def listening() -> Iterator[set[str]]:
    """What NumPy's flags and Python's warnings say meanwhile."""
    said: set[str] = set()
    with (
        warnings.catch_warnings(record=True, action="always") as warned,
        np.errstate(all="call", call=lambda kind, _: said.add(kind)),
    ):
        yield said
    said.discard("underflow")  # nobody is told of it
    said.update(f"{one.category.__name__}: {str(one.message)[:80]}" for one in warned)


def answer(ask: Any, x: FloatArray, labels: Labels, may_refuse: bool) -> Answer:
    """`ask(x, labels)` -> (outputs, index), or why there are none."""
    said: set[str] = set()
    try:
        with listening() as said:
            outputs, index = ask(x, labels)
    except Offence as found:
        return Answer(None, None, found.outcome, str(found))
    except FOREIGN as error:
        refused = may_refuse and isinstance(error, REFUSALS) and str(error)
        return Answer(None, None, "refused" if refused else "raised", described(error))
    return Answer(outputs, index, flags=tuple(sorted(said)))
