"""PyTorch: on one thread. The gradient is that of autograd, as in training."""

from __future__ import annotations

from typing import Any

from bench.inputs.formats import FORMATS
from bench.subjects.arrays import of_torch, torch_tensor
from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)

    def cross_entropy(x: Any, y: Any, axis: int = -1) -> Any:
        """Over axis 1, as PyTorch has it; the axis is moved there."""
        classes = torch.movedim(x, axis, 1) if x.ndim > 1 else x
        return functional.cross_entropy(classes, y.long(), reduction="none")

    def gradient(x: Any, y: Any, axis: int = -1) -> Any:
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(cross_entropy(leaf, y, axis).sum(), leaf)[0]

    return Peer(
        "torch",
        torch.__version__,
        torch_tensor,
        {
            "softmax": lambda x, axis=-1: torch.softmax(x, axis),
            "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
            "log_sum_exp": lambda x, axis=-1: torch.logsumexp(x, axis),
            "cross_entropy": cross_entropy,
            "cross_entropy_gradient": gradient,
        },
        formats=tuple(FORMATS),
        to_numpy=of_torch,
    )
