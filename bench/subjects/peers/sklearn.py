"""scikit-learn: which has softmax alone, over the last of two axes, and no fp16.

The gradient is made of it.
"""

from __future__ import annotations

from typing import Any

from bench.subjects.peers.peer import Peer, less_one


def peer() -> Peer:
    """Its operations, imported now."""
    import sklearn
    from sklearn.utils import extmath

    def softmax(x: Any, axis: int = -1) -> Any:
        return extmath.softmax(x, copy=True)

    return Peer(
        "sklearn",
        sklearn.__version__,
        lambda x: x,
        {"softmax": softmax, "cross_entropy_gradient": less_one(softmax)},
        ("fp32", "fp64"),
        fixed_axis=("softmax", "cross_entropy_gradient"),
    )
