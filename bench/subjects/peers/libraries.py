"""Other libraries as subjects, on one thread, each imported when it is asked for.

What is timed takes a library's own arrays; `subject` adds the way from and to NumPy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bench.subjects.peers import onnx_model
from bench.subjects.subject import FOREIGN, Subject, described
from numerics import FORMATS, format_of

PEERS = ("scipy", "torch", "jax", "onnxruntime", "sklearn")


class PeerMissingError(Exception):
    """A peer that is not installed, or broken; the message names it."""


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


def load(name: str) -> Peer:
    """Import a peer; PeerMissingError where it is not installed, or cannot be imported.

    >>> load("numpy")
    Traceback (most recent call last):
    ...
    bench.subjects.peers.libraries.PeerMissingError: numpy: no such peer; there are scipy, torch, jax, onnxruntime, sklearn
    """  # noqa: E501 - a doctest cannot be wrapped
    if name not in PEERS:
        raise PeerMissingError(f"{name}: no such peer; there are {', '.join(PEERS)}")
    if importlib.util.find_spec(name) is None:
        raise PeerMissingError(f"{name}: not installed (pip install '.[peers]')")
    makers = {"scipy": _scipy, "torch": _torch, "jax": _jax}
    makers |= {"onnxruntime": _onnxruntime, "sklearn": _sklearn}
    try:
        return makers[name]()
    except FOREIGN as error:
        raise PeerMissingError(f"{name}: cannot be imported: {described(error)}") from None


def _scipy() -> Peer:
    import scipy
    from scipy import special

    return Peer(
        "scipy",
        scipy.__version__,
        lambda x: x,
        {
            "softmax": lambda x: special.softmax(x, axis=-1),
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "log_sum_exp": lambda x: special.logsumexp(x, axis=-1),
        },
    )


def _torch() -> Peer:
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    return Peer(
        "torch",
        torch.__version__,
        lambda x: torch.from_numpy(np.ascontiguousarray(x)),  # no negative strides
        {
            "softmax": lambda x: torch.softmax(x, -1),
            "log_softmax": lambda x: torch.log_softmax(x, -1),
            "log_sum_exp": lambda x: torch.logsumexp(x, -1),
            "cross_entropy": lambda x, y: functional.cross_entropy(x, y, reduction="none"),
        },
    )


def _jax() -> Peer:
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = jax.jit(function)
        return lambda *arrays: jitted(*arrays).block_until_ready()

    def cross_entropy(x: Any, y: Any) -> Any:
        picked = jnp.take_along_axis(jax.nn.log_softmax(x, axis=-1), y[:, None], axis=-1)
        return -picked[:, 0]

    return Peer(
        "jax",
        jax.__version__,
        jnp.asarray,
        {
            "softmax": compiled(lambda x: jax.nn.softmax(x, axis=-1)),
            "log_softmax": compiled(lambda x: jax.nn.log_softmax(x, axis=-1)),
            "log_sum_exp": compiled(lambda x: jax.nn.logsumexp(x, axis=-1)),
            "cross_entropy": compiled(cross_entropy),
        },
    )


def _onnxruntime() -> Peer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it logs as an error, it raises too

    def compiled(operator: str, **attributes: onnx_model.Attribute) -> Callable[..., Any]:
        @cache  # by format, and when it is asked for: not every version has every one
        def session(dtype: np.dtype[Any]) -> Any:
            labelled = operator == "SoftmaxCrossEntropyLoss"
            model = onnx_model.model(operator, attributes, format_of(dtype).name, labelled)
            return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])

        def run(*arrays: Any) -> Any:
            (result,) = session(arrays[0].dtype).run(None, dict(zip("xy", arrays, strict=False)))
            return result

        return run

    return Peer(
        "onnxruntime",
        onnxruntime.__version__,
        lambda x: x,
        {
            "softmax": compiled("Softmax", axis=-1),
            "log_softmax": compiled("LogSoftmax", axis=-1),
            "log_sum_exp": compiled("ReduceLogSumExp", axes=[-1], keepdims=0),
            "cross_entropy": compiled("SoftmaxCrossEntropyLoss", reduction="none"),
        },
    )


def _sklearn() -> Peer:
    import sklearn
    from sklearn.utils import extmath

    return Peer(
        "sklearn",
        sklearn.__version__,
        lambda x: x,
        {"softmax": lambda x: extmath.softmax(x, copy=True)},
        ("fp32", "fp64"),
    )
