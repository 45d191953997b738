"""What is asked of a subject beside the numbers: a probe is a row of a table.

A probe returns what is wrong in one line, or nothing. Rounding is judged elsewhere: here a value is
another one when half of its digits are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.inputs.formats import FORMATS
from bench.inputs.kinds import KINDS, kinds_of
from bench.measure.accuracy import Offence
from bench.measure.asking import REFUSALS, listening
from bench.subjects.subject import FOREIGN, Subject, described
from numerics.formats import BF16, Format
from numerics.method import ELEMENTWISE, LABELLED, OPERATIONS, arguments


@dataclass(frozen=True)
class Asked:
    """Who is asked for what: the subject, one operation and a format."""

    subject: Subject
    operation: str
    format: Format

    def __call__(self, x: Any, labels: Any = None, **keywords: Any) -> Any:
        """What the function returns, as an array, unchecked; warnings and flags dropped."""
        labels = np.zeros(np.shape(x)[:-1], np.intp) if labels is None else labels
        given = arguments(self.operation, x, labels)
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            return np.asarray(self.subject.functions[self.operation](*given, **keywords))

    @property
    def labelled(self) -> bool:
        """Whether the operation has labels."""
        return self.operation in LABELLED

    def rows(self, *rows: Any) -> Any:
        """Rows in the format."""
        return np.array(rows, self.format.dtype)


@dataclass(frozen=True)
class Probe:
    """A question. `once`: in one format, since it has nothing to do with formats."""

    name: str
    ask: Callable[[Asked], Iterator[str]]
    operations: tuple[str, ...] = OPERATIONS
    may_refuse: bool = True
    once: bool = False


def another_value(got: Any, wanted: Any, floor: float = 0.0) -> bool:
    """Whether half of the digits of some number are wrong, or one is none.

    Numbers below `floor` are all alike, and those that the format of `got` cannot hold.

    >>> bool(another_value(np.float32(1.0001), np.float32(1)))
    False
    >>> [bool(another_value(np.float32(1), np.float32(b))) for b in (1.01, np.inf, np.nan)]
    [True, True, True]
    """
    half = 2.0 ** -(min(_precision(got), _precision(wanted)) / 2)
    least = max(floor, _smallest(got))
    a, b = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    with np.errstate(invalid="ignore"):
        close = np.isfinite(b) & (np.abs(a - b) <= np.maximum(half * np.abs(b), least))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return a.shape != b.shape or not bool((close | same).all())


def _smallest(values: Any) -> float:
    dtype = np.asarray(values).dtype
    if dtype.name == BF16.dtype_name:  # of which NumPy has no finfo
        return BF16.smallest_subnormal
    return float(np.finfo(dtype).smallest_subnormal) if dtype.kind == "f" else 0.0


def _precision(values: Any) -> int:
    dtype = np.asarray(values).dtype
    if dtype.name == BF16.dtype_name:
        return BF16.precision
    return np.finfo(dtype).nmant + 1 if dtype.kind == "f" else 53


def _shown(values: Any) -> str:
    return np.array2string(np.asarray(values), precision=6, threshold=6, separator=", ")


# --- Input of other types ------------------------------------------------------------------------


def _as_floats(ask: Asked, x: Any, word: str) -> Iterator[str]:
    """Numbers of another type give what the same floating-point numbers give."""
    wanted = ask(np.asarray(x, np.float64))
    got = ask(x)
    if got.dtype.kind != "f":
        yield f"{word} give {got.dtype}, not floating-point numbers"
    elif another_value(got, wanted.astype(got.dtype)):
        row = _shown(np.asarray(x)[0])
        yield f"{word} {row} gives {_shown(got[0])}, {_shown(wanted[0])} expected"


def _integers(ask: Asked) -> Iterator[str]:
    for dtype in (np.int64, np.int32, np.int16):
        yield from _as_floats(ask, np.array([[20, 30, 1000], [3, 1, -2]], dtype), dtype.__name__)
    for small in (np.int8, np.uint8, np.uint64):
        yield from _as_floats(ask, np.array([[20, 30, 100], [3, 1, 2]], small), small.__name__)


def _booleans(ask: Asked) -> Iterator[str]:
    yield from _as_floats(ask, np.array([[True, False, True], [False, False, False]]), "booleans")


def _lists(ask: Asked) -> Iterator[str]:
    rows = [[1.0, 2.0, 3.5], [0.1, -0.7, 20.25]]
    wanted, got = ask(np.array(rows)), ask(rows)
    if another_value(got, wanted) or got.dtype.itemsize < 4:
        yield f"a list gives {got.dtype} {_shown(got[0])}, {_shown(wanted[0])} expected"


# --- Labels --------------------------------------------------------------------------------------


def _label_types(ask: Asked) -> Iterator[str]:
    for length, picked in ((3, 2), (300, 200), (40_001, 40_000)):
        x = np.linspace(-3, 3, length)[np.newaxis].astype(ask.format.dtype)
        x[0, picked] = 4.0
        wanted = ask(x, np.array([picked], np.intp))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
            if picked <= np.iinfo(name).max:
                yield from _of_type(ask, x, np.array([picked], name), wanted)


def _of_type(ask: Asked, x: Any, labels: Any, wanted: Any) -> Iterator[str]:
    try:
        got = ask(x, labels)
    except REFUSALS:
        return
    if another_value(got, wanted):
        what = f"of type {labels.dtype}: label {labels[0]} of {x.shape[1]}"
        yield f"{what} gives {_shown(got)}, {_shown(wanted)} expected"


def _outside(label: int) -> Callable[[Asked], Iterator[str]]:
    def ask(asked: Asked) -> Iterator[str]:
        try:
            got = asked(asked.rows([1, 2, 3]), np.array([label]))
        except FOREIGN:
            return
        yield f"[[1, 2, 3]] gives {_shown(got)} instead of an error"

    return ask


def _far_outside(asked: Asked) -> Iterator[str]:
    """Labels that another type of integer would take for one of three."""
    for bits in (8, 16, 31, 32, 63):
        for label in (2**bits, 2**bits + 1, 1 - 2**bits, -(2**bits)):
            yield from (f"{label}: {line}" for line in _outside(label)(asked))
    yield from (f"{2**64 - 1}: {line}" for line in _outside(2**64 - 1)(asked))


def _far_label(ask: Asked) -> Iterator[str]:
    length, picked = 40_001, 40_000
    x = np.linspace(-3, 3, length)[np.newaxis].astype(ask.format.dtype)
    wanted = ask(x[:, ::-1].copy(), np.array([0]))
    wanted = wanted[:, ::-1] if ask.operation in ELEMENTWISE else wanted
    got = ask(x, np.array([picked]))
    if another_value(got, wanted):
        yield f"of {length} logits gives {_shown(got)}, {_shown(wanted)} expected"


# --- Shapes and memory ---------------------------------------------------------------------------


def _keepdims(ask: Asked) -> Iterator[str]:
    if ask.operation not in ask.subject.keepdims:
        return
    x = ask.rows([1, 2, 3], [4, 5, 7])
    plain, kept = ask(x), ask(x, keepdims=True)
    if kept.shape != (2, 1):
        yield f"shape (2, 3) gives {kept.shape}, (2, 1) expected"
    elif another_value(kept[:, 0], plain):
        yield "other values than without"


def _rows_of_none(ask: Asked) -> Iterator[str]:
    """Rows of no logits have no answer; a subject may say so or return nothing."""
    try:
        got = ask(np.zeros((3, 0), ask.format.dtype))
    except FOREIGN:
        return
    shape = (3, 0) if ask.operation in ELEMENTWISE else (3,)
    if got.shape != shape:
        yield f"shape (3, 0) gives shape {got.shape}"


def _aliases(ask: Asked) -> Iterator[str]:
    for rows, K in ((3, 5), (1, 4), (3, 1), (1, 1)):
        x = np.arange(rows * K, dtype=ask.format.dtype).reshape(rows, K)
        got, again = ask(x), ask(x)
        if got.size and np.shares_memory(got, x):
            yield f"the result for shape ({rows}, {K}) is the input's memory"
        elif np.shares_memory(got, again):
            yield f"two results for shape ({rows}, {K}) share memory"


# --- Flags and warnings --------------------------------------------------------------------------


def _said(ask: Asked) -> Iterator[tuple[str, set[str]]]:
    """What each kind of rows makes the subject say."""
    inf, nan, far = np.inf, np.nan, 0.9 * ask.format.largest
    inputs = [(0.0, 2.0, -1.0), (far, 0.0, 1.0), (1.0, -inf, 2.0), (-inf, -inf, -inf),
              (inf, 0.0, 1.0), (nan, 0.0, 1.0)]  # fmt: skip
    batches = [ask.rows(row) for row in inputs]
    batches += [np.resize(ask.rows((0.0, 2.0, -1.0)), (1, K)) for K in (1, 600, 1000, 8192)]
    function = ask.subject.functions[ask.operation]
    for x in batches:
        labels = (np.zeros(1, np.intp),) if ask.labelled else ()
        with listening() as said:
            function(x, *labels)
        kind = KINDS[int(kinds_of(x)[0])]
        yield f"{kind} rows of {x.shape[1]}", said


def _flags(ask: Asked) -> Iterator[str]:
    for where, said in _said(ask):
        flags = sorted(flag for flag in said if ":" not in flag)
        if flags:
            yield f"{', '.join(flags)} in {where}"


def _warnings(ask: Asked) -> Iterator[str]:
    for where, said in _said(ask):
        for one in sorted(said):
            if ":" in one:
                yield f"{one} in {where}"


# --- Siblings ------------------------------------------------------------------------------------


def _against_softmax(ask: Asked) -> Iterator[str]:
    if not ask.subject.offers("softmax", ask.format.name):
        return
    x = np.linspace(-8, 0, 24).reshape(4, 6).astype(ask.format.dtype)
    softmax = np.asarray(ask.subject.functions["softmax"](x))
    if another_value(np.exp(ask(x)), softmax):
        yield "exp of it is another value than softmax"


PROBES: tuple[Probe, ...] = (
    Probe("integers", _integers, once=True),
    Probe("booleans", _booleans, once=True),
    Probe("lists", _lists, once=True),
    Probe("labels", _label_types, LABELLED, once=True),
    Probe("label -1", _outside(-1), LABELLED, once=True),
    Probe("label K", _outside(3), LABELLED, once=True),
    Probe("labels far out of range", _far_outside, LABELLED, once=True),
    Probe("label 40,000", _far_label, LABELLED, once=True),
    Probe("keepdims", _keepdims, ("log_sum_exp",), once=True),
    Probe("rows of no logits", _rows_of_none, once=True),
    Probe("aliases", _aliases),
    Probe("flags", _flags),
    Probe("warnings", _warnings),
    Probe("log-softmax against softmax", _against_softmax, ("log_softmax",)),
)
BY_NAME = {probe.name: probe for probe in PROBES}


@dataclass(frozen=True)
class Found:
    """What a probe found: lines, or why the subject refused. `outcome` as of an answer."""

    operation: str
    format: str
    probe: str
    lines: tuple[str, ...] = ()
    outcome: str = "measured"
    message: str = ""


@dataclass(frozen=True)
class Probed:
    """A task: one probe of an operation in a format."""

    operation: str
    format: str
    probe: str

    def __call__(self, subject: Subject) -> Found:
        """What it found."""
        probe = BY_NAME[self.probe]
        where = (self.operation, self.format, self.probe)
        try:
            lines = tuple(probe.ask(Asked(subject, self.operation, FORMATS[self.format])))
        except (*REFUSALS, AttributeError) as error:  # a list has no attribute 'max'
            outcome = "refused" if probe.may_refuse and str(error) else "raised"
            return Found(*where, outcome=outcome, message=described(error))
        except (Offence, *FOREIGN) as error:
            return Found(*where, outcome="raised", message=described(error))
        return Found(*where, lines)


def of(operation: str, first_format: bool) -> list[str]:
    """The probes of an operation, those asked once in the first format alone."""
    return [p.name for p in PROBES if operation in p.operations and (first_format or not p.once)]
