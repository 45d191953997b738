"""What another library offers, on arrays of its own, and as a subject on NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.subjects.subject import Subject
from numerics import FORMATS


@dataclass(frozen=True)
class Peer:
    """A library's operations over the last axis of its own arrays, and the way to them."""

    name: str
    version: str
    to_native: Callable[[Any], Any]
    operations: Mapping[str, Callable[..., Any]]
    formats: tuple[str, ...] = tuple(FORMATS)

    def subject(self) -> Subject:
        """The library on NumPy arrays; claims nothing."""
        return Subject(
            self.name,
            {name: self._on_numpy(f) for name, f in self.operations.items()},
            self.formats,
            takes_axis=False,
            version=self.version,
        )

    def _on_numpy(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arrays: np.asarray(operation(*map(self.to_native, arrays)))


def less_one(softmax: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """p_i - [i = y] as people write it where a library has softmax alone."""
    return lambda x, y: softmax(x) - (np.arange(x.shape[-1]) == y[..., np.newaxis])


class PeerMissingError(Exception):
    """A peer that is not installed, or broken; the message names it."""
