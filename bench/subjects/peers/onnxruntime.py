"""ONNX Runtime: a model of one operator each, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bench.subjects.peers.onnx_model import Attribute, model
from bench.subjects.peers.peer import Peer
from numerics import format_of


def peer() -> Peer:
    """Its operations, imported now."""
    import onnxruntime

    return Peer(
        "onnxruntime",
        onnxruntime.__version__,
        lambda x: x,
        {
            "softmax": _operator("Softmax", lambda axis: {"axis": axis}),
            "log_softmax": _operator("LogSoftmax", lambda axis: {"axis": axis}),
            "log_sum_exp": _operator(
                "ReduceLogSumExp", lambda axis: {"axes": [axis], "keepdims": 0}
            ),
            "cross_entropy": _operator("SoftmaxCrossEntropyLoss", lambda _: {"reduction": "none"}),
        },
        fixed_axis=("cross_entropy",),
    )


def _operator(name: str, attributes: Callable[[int], dict[str, Attribute]]) -> Callable[..., Any]:
    """A model of one operator as a function, with a session for each format, rank and axis."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it logs as an error, it raises too
    labelled = name == "SoftmaxCrossEntropyLoss"

    @cache  # when it is asked for: not every version has every format
    def session(dtype: np.dtype[Any], rank: int, axis: int) -> Any:
        made = model(name, attributes(axis), format_of(dtype).name, labelled, rank)
        return onnxruntime.InferenceSession(made, options, ["CPUExecutionProvider"])

    def run(*arrays: Any, axis: int = -1) -> Any:
        made = session(arrays[0].dtype, arrays[0].ndim, axis)
        (result,) = made.run(None, dict(zip("xy", arrays, strict=False)))
        return result

    return run
