"""JAX: compiled for each shape, in 64 bits too. The gradient is that of `jax.grad`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = jax.jit(function)
        return lambda *arrays: jitted(*arrays).block_until_ready()

    def cross_entropy(x: Any, y: Any) -> Any:
        picked = jnp.take_along_axis(jax.nn.log_softmax(x, axis=-1), y[:, None], axis=-1)
        return -picked[:, 0]

    return Peer(
        "jax",
        jax.__version__,
        jnp.asarray,
        {
            "softmax": compiled(lambda x: jax.nn.softmax(x, axis=-1)),
            "log_softmax": compiled(lambda x: jax.nn.log_softmax(x, axis=-1)),
            "log_sum_exp": compiled(lambda x: jax.nn.logsumexp(x, axis=-1)),
            "cross_entropy": compiled(cross_entropy),
            "cross_entropy_gradient": compiled(jax.grad(lambda x, y: cross_entropy(x, y).sum())),
        },
    )
