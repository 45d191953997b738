"""SciPy: on NumPy's arrays. The gradient is made of its softmax."""

from __future__ import annotations

from typing import Any

from bench.subjects.peers.peer import Peer, less_one


def peer() -> Peer:
    """Its operations, imported now."""
    import scipy
    from scipy import special

    def softmax(x: Any) -> Any:
        return special.softmax(x, axis=-1)

    return Peer(
        "scipy",
        scipy.__version__,
        lambda x: x,
        {
            "softmax": softmax,
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "log_sum_exp": lambda x: special.logsumexp(x, axis=-1),
            "cross_entropy_gradient": less_one(softmax),
        },
    )
