"""What another library offers, on arrays of its own, and as a subject on NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.inputs.formats import USUAL
from bench.subjects.subject import Subject


@dataclass(frozen=True)
class Peer:
    """A library's operations over any axis of its own arrays, -1 unasked, and the way to them.

    `fixed_axis` names the operations that take the last alone, `keepdims` those that offer that.
    """

    name: str
    version: str
    to_native: Callable[[Any], Any]
    operations: Mapping[str, Callable[..., Any]]
    formats: tuple[str, ...] = USUAL
    fixed_axis: tuple[str, ...] = ()
    keepdims: tuple[str, ...] = ()
    to_numpy: Callable[[Any], Any] = np.asarray

    def subject(self) -> Subject:
        """The library on NumPy arrays; claims nothing."""
        return Subject(
            self.name,
            {name: self._on_numpy(f) for name, f in self.operations.items()},
            self.formats,
            takes_axis=len(self.fixed_axis) < len(self.operations),
            version=self.version,
            fixed_axis=self.fixed_axis,
            keepdims=self.keepdims,
            origins=dict.fromkeys(self.operations, self.name),
        )

    def _on_numpy(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arrays, axis=-1, **options: self.to_numpy(
            operation(*map(self.to_native, arrays), axis=axis, **options)
        )


def less_one(softmax: Callable[..., Any]) -> Callable[..., Any]:
    """p_i - [i = y] as people write it where a library has softmax alone."""

    def gradient(x: Any, y: Any, axis: int = -1) -> Any:
        along = [1] * x.ndim
        along[axis] = x.shape[axis]
        return softmax(x, axis=axis) - (
            np.arange(x.shape[axis]).reshape(along) == np.expand_dims(y, axis)
        )

    return gradient


class PeerMissingError(Exception):
    """A peer that is not installed, or broken; the message names it."""
