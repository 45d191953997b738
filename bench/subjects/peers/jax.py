"""JAX: compiled for each shape and axis, in 64 bits too. The gradient is that of `jax.grad`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.inputs.formats import FORMATS
from bench.subjects.arrays import forgetful
from bench.subjects.peers.peer import Peer


def peer() -> Peer:
    """Its operations, imported now."""
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = forgetful(jax.jit(function, static_argnames="axis"), jax.clear_caches)
        return lambda *arrays, axis=-1: jitted(*arrays, axis=axis).block_until_ready()

    def cross_entropy(x: Any, y: Any, axis: int) -> Any:
        logs = jax.nn.log_softmax(x, axis=axis)
        return -jnp.take_along_axis(logs, jnp.expand_dims(y, axis), axis=axis).squeeze(axis)

    def loss(x: Any, y: Any, axis: int) -> Any:
        return cross_entropy(x, y, axis).sum()

    return Peer(
        "jax",
        jax.__version__,
        jnp.asarray,
        {
            "softmax": compiled(lambda x, axis: jax.nn.softmax(x, axis=axis)),
            "log_softmax": compiled(lambda x, axis: jax.nn.log_softmax(x, axis=axis)),
            "log_sum_exp": compiled(lambda x, axis: jax.nn.logsumexp(x, axis=axis)),
            "cross_entropy": compiled(cross_entropy),
            "cross_entropy_gradient": compiled(jax.grad(loss)),
        },
        formats=tuple(FORMATS),
    )
