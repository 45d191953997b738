"""SciPy: on NumPy's arrays. The gradient is made of its softmax."""

from __future__ import annotations

from bench.subjects.peers.peer import Peer, less_one


def peer() -> Peer:
    """Its operations, imported now."""
    import scipy
    from scipy import special

    return Peer(
        "scipy",
        scipy.__version__,
        lambda x: x,
        {
            "softmax": special.softmax,
            "log_softmax": special.log_softmax,
            "log_sum_exp": special.logsumexp,
            "cross_entropy_gradient": less_one(special.softmax),
        },
        keepdims=("log_sum_exp",),
    )
