"""Do the bits of a result depend on how the same rows are passed? Measured, check by check."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bench.inputs.cases import SEED
from bench.runs.records import Invariance
from bench.subjects.subject import FOREIGN, Subject, described
from numerics.formats import FloatArray, Format
from numerics.method import LABELLED

SHAPES = ((32, 5), (32, 100), (8, 1000))
Function: TypeAlias = Callable[..., Any]
Pair: TypeAlias = tuple[Any, Any]


@dataclass(frozen=True)
class Check:
    """Two ways to ask for the same numbers. `promised`: our methods must give the same bits."""

    name: str
    promised: bool
    both: Callable[[Function, FloatArray], Pair]


def _alone(f: Function, x: FloatArray) -> Pair:
    return np.concatenate([f(row[np.newaxis]) for row in x]), f(x)


def _moved_axis(f: Function, x: FloatArray) -> Pair:
    got, plain = f(np.ascontiguousarray(x.T), axis=0), f(x)
    return (got.T if got.ndim == 2 else got), plain


def _strided(f: Function, x: FloatArray) -> Pair:
    wide = np.zeros((x.shape[0], 2 * x.shape[1]), x.dtype)
    wide[:, ::2] = x
    return f(wide[:, ::2]), f(x)


def _padded(f: Function, x: FloatArray) -> Pair:
    padding = np.full((x.shape[0], 7), -np.inf, x.dtype)
    got, plain = f(np.concatenate([x, padding], axis=1)), f(x)
    return (got[:, : x.shape[1]] if got.ndim == 2 else got), plain


def _permuted(f: Function, x: FloatArray) -> Pair:
    order = np.random.default_rng(SEED).permutation(x.shape[1])
    got, plain = f(x[:, order]), f(x)
    return got, (plain[:, order] if plain.ndim == 2 else plain)


CHECKS = (
    Check("same call twice", True, lambda f, x: (f(x), f(x))),
    Check("F order", True, lambda f, x: (f(np.asfortranarray(x)), f(x))),
    Check("row alone", True, _alone),
    Check("moved axis", True, _moved_axis),
    Check("strided", True, _strided),
    Check("reversed strides", True, lambda f, x: (f(x[::-1, ::-1].copy()[::-1, ::-1]), f(x))),
    Check("-inf padding", False, _padded),
    Check("permuted row", False, _permuted),
)


def _of_likeliest(labelled: Function) -> Function:
    """Cross-entropy or gradient of the largest logit, a label that moves with the row's entries."""
    return lambda x, axis=-1: (
        labelled(x, x.argmax(axis=axis))
        if axis == -1
        else labelled(x, x.argmax(axis=axis), axis=axis)
    )


def measure(subject: Subject, format: Format) -> list[Invariance]:
    """Every check, on normal logits of scale 5 and three lengths of row."""
    rng = np.random.default_rng(SEED)
    arrays = [rng.normal(scale=5.0, size=shape).astype(format.dtype) for shape in SHAPES]
    offered = [
        _of_likeliest(f) if name in LABELLED else f
        for name, f in subject.functions.items()
        if subject.offers(name, format.name)
    ]
    over_axis = all(subject.over_axis(name) for name in subject.functions)
    checks = [check for check in CHECKS if over_axis or check.name != "moved axis"]
    return [_measure(subject, format, check, offered, arrays) for check in checks]


def _measure(
    subject: Subject,
    format: Format,
    check: Check,
    functions: list[Function],
    arrays: list[FloatArray],
) -> Invariance:
    outputs = differing = 0
    message = ""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        for f in functions:
            try:
                for x in arrays:
                    passed = x.copy()
                    got, plain = _bits(check.both(f, passed), format)
                    if passed.tobytes() != x.tobytes():
                        raise ValueError("wrote to its input")
                    outputs += plain.size
                    differing += int((got != plain).sum())
            except FOREIGN as error:
                message = described(error)
    return Invariance(subject.name, format.name, check.name, outputs, differing, message)


def _bits(pair: Pair, format: Format) -> Pair:
    """Both outputs as unsigned integers; ValueError where they are no match."""
    got, plain = (np.ascontiguousarray(output) for output in pair)
    if got.shape != plain.shape or not got.dtype == plain.dtype == format.dtype:
        raise ValueError(f"returned {got.dtype} {got.shape} and {plain.dtype} {plain.shape}")
    bits = np.dtype(f"u{format.dtype.itemsize}")
    return got.view(bits), plain.view(bits)
