"""PyTorch: on one thread."""

from __future__ import annotations

import numpy as np

from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
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
