"""Functions for a verdict to judge, right and wrong ones, in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

PLANTED = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def log_softmax(x):
    return np.log(softmax(x))

def overflows(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

def writes(x):
    x -= x.max(axis=-1, keepdims=True)
    return softmax(x)

def raises(x):
    raise ZeroDivisionError("on purpose")

def raises_on_few(x):
    if x.shape[1] == 5:
        raise ZeroDivisionError("on purpose")
    return softmax(x)

def wrong_dtype(x):
    return softmax(x).astype(np.float64)

def of_its_batch(x):
    return softmax(x) if len(x) == 1 else softmax(x[:, ::-1])[:, ::-1]

def needs_c_order(x):
    if not x.flags.c_contiguous:
        raise ValueError("not contiguous")
    return softmax(x)

def prints(x):
    print("{not json", x.shape)
    return softmax(x)

def no_half(x):
    if x.dtype == np.float16:
        raise TypeError("no fp16")
    return softmax(x)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the planted module."""
    path = tmp_path_factory.mktemp("verdict")
    (path / "planted.py").write_text(PLANTED)
    return path
