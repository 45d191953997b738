"""PyTorch: on one thread. The gradient is that of autograd, as in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)

    def gradient(x: Any, y: Any) -> Any:
        leaf = x.detach().requires_grad_()
        loss = functional.cross_entropy(leaf, y, reduction="sum")
        return torch.autograd.grad(loss, leaf)[0]

    return Peer(
        "torch",
        torch.__version__,
        lambda x: torch.from_numpy(np.ascontiguousarray(x)),  # no negative strides
        {
            "softmax": lambda x: torch.softmax(x, -1),
            "log_softmax": lambda x: torch.log_softmax(x, -1),
            "log_sum_exp": lambda x: torch.logsumexp(x, -1),
            "cross_entropy": lambda x, y: functional.cross_entropy(x, y, reduction="none"),
            "cross_entropy_gradient": gradient,
        },
    )
