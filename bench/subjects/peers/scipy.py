"""SciPy: on NumPy's arrays."""

from __future__ import annotations

from bench.subjects.peers.peer import Peer


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
        },
        keepdims=("log_sum_exp",),
    )
