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
            "softmax": lambda x: special.softmax(x, axis=-1),
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "log_sum_exp": lambda x: special.logsumexp(x, axis=-1),
        },
    )
