"""scikit-learn: which has softmax alone, over the last of two axes, and no fp16."""

from __future__ import annotations

from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
    import sklearn
    from sklearn.utils import extmath

    return Peer(
        "sklearn",
        sklearn.__version__,
        lambda x: x,
        {"softmax": lambda x, axis=-1: extmath.softmax(x, copy=True)},
        ("fp32", "fp64"),
        fixed_axis=("softmax",),
    )
