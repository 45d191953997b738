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
            "softmax": _operator("Softmax", axis=-1),
            "log_softmax": _operator("LogSoftmax", axis=-1),
            "log_sum_exp": _operator("ReduceLogSumExp", axes=[-1], keepdims=0),
            "cross_entropy": _operator("SoftmaxCrossEntropyLoss", reduction="none"),
        },
    )


def _operator(name: str, **attributes: Attribute) -> Callable[..., Any]:
    """A model of one operator as a function, with a session for each format."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it logs as an error, it raises too
    labelled = name == "SoftmaxCrossEntropyLoss"

    @cache  # when it is asked for: not every version has every format
    def session(dtype: np.dtype[Any]) -> Any:
        made = model(name, attributes, format_of(dtype).name, labelled)
        return onnxruntime.InferenceSession(made, options, ["CPUExecutionProvider"])

    def run(*arrays: Any) -> Any:
        (result,) = session(arrays[0].dtype).run(None, dict(zip("xy", arrays, strict=False)))
        return result

    return run
