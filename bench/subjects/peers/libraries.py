"""The libraries there are, each imported when it is asked for. One is added as a page and a row."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from bench.subjects.peers import jax, onnxruntime, scipy, sklearn, torch
from bench.subjects.peers.peer import Peer, PeerMissingError
from bench.subjects.subject import FOREIGN, described

LIBRARIES: dict[str, Callable[[], Peer]] = {
    "scipy": scipy.peer,
    "torch": torch.peer,
    "jax": jax.peer,
    "onnxruntime": onnxruntime.peer,
    "sklearn": sklearn.peer,
}
PEERS = tuple(LIBRARIES)


def load(name: str) -> Peer:
    """Import a peer; PeerMissingError where it is not installed, or cannot be imported.

    >>> load("numpy")
    Traceback (most recent call last):
    ...
    bench.subjects.peers.peer.PeerMissingError: numpy: no such peer; there are scipy, torch, jax, \
onnxruntime, sklearn
    """
    if name not in LIBRARIES:
        raise PeerMissingError(f"{name}: no such peer; there are {', '.join(PEERS)}")
    if importlib.util.find_spec(name) is None:
        raise PeerMissingError(f"{name}: not installed (pip install '.[peers]')")
    try:
        return LIBRARIES[name]()
    except FOREIGN as error:
        raise PeerMissingError(f"{name}: cannot be imported: {described(error)}") from None
