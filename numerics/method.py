"""`operation` makes a public function of a formula; `Method` is a row of `numerics.METHODS`.

    @operation("softmax")
    def stable_softmax(x: Rows) -> Rows:
        \"\"\"exp(x_i - m) / sum_j exp(x_j - m) with m the largest entry. ...\"\"\"
        exponentials: Rows = np.exp(x - row_max(x))
        return exponentials / row_sum(exponentials)

The body is what a method does with an array of shape (rows, K). All else is added here: any axis,
dtype and order, labels, errors, special rows, and what `help` says of them. To add an operation is
a row in `KINDS`, its policy in `rows.POLICIES`, and its name among those of its kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Literal, Protocol, TypeAlias, overload

import numpy.typing as npt

from numerics import rows
from numerics.formats import ALL_FORMATS, FP64, FloatArray, Format
from numerics.rows import ALL, POLICIES, Axis, Formula


class Elementwise(Protocol):
    """Softmax and log-softmax: a row of results for each row."""

    def __call__(self, x: npt.ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
        """A scalar for an array without axes."""
        ...


class Reduction(Protocol):
    """Log-sum-exp: a number for each row."""

    def __call__(self, x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
        """A scalar if no axis is left."""
        ...


class Labelled(Protocol):
    """Cross-entropy: a number for each row and its label; its gradient: a row of results."""

    def __call__(self, x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
        """A scalar if no axis is left."""
        ...


class OfFormula(Protocol):
    """What `operation` adds to a function."""

    formula: Formula
    """What it does with rows, and no more."""


class ElementwiseOfFormula(Elementwise, OfFormula, Protocol):
    """Softmax or log-softmax, made of a formula."""


class ReductionOfFormula(Reduction, OfFormula, Protocol):
    """Log-sum-exp, made of a formula."""


class LabelledOfFormula(Labelled, OfFormula, Protocol):
    """Cross-entropy or its gradient, made of a formula."""


# --- What there is around a formula --------------------------------------------------------------


def _elementwise(formula: Formula, offered: Sequence[Format]) -> Elementwise:
    def public(x: npt.ArrayLike, /, *, axis: Axis = -1) -> Any:
        return rows.elementwise(formula, x, axis, offered)

    return public


def _reduction(formula: Formula, offered: Sequence[Format]) -> Reduction:
    def public(x: npt.ArrayLike, /, *, axis: Axis = -1, keepdims: bool = False) -> Any:
        return rows.reduction(formula, x, axis, keepdims, offered)

    return public


def _labelled(formula: Formula, offered: Sequence[Format]) -> Labelled:
    def public(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
        return rows.labelled(formula, x, y, axis, offered)

    return public


def _labelled_elementwise(formula: Formula, offered: Sequence[Format]) -> Labelled:
    def public(x: npt.ArrayLike, y: npt.ArrayLike, /, *, axis: int = -1) -> Any:
        return rows.labelled(formula, x, y, axis, offered, reduces=False)

    return public


@dataclass(frozen=True)
class Kind:
    """How an operation is called, and what its users are told of special rows.

    `labelled`: it takes labels. `reduces`: it returns a number for each row, not a row.
    """

    around: Callable[[Formula, Sequence[Format]], Callable[..., Any]]
    labelled: bool
    reduces: bool
    special: str


LIKE_X = "Shape and (native) dtype of `x`; of a number without axes a NumPy scalar."
LIKE_BATCH = (
    "Shape of `x` without `axis`, and its (native) dtype; a NumPy scalar if no axis is left."
)
KINDS = {
    "softmax": Kind(
        _elementwise,
        labelled=False,
        reduces=False,
        special="Rows with NaN or +inf give NaN, a row of -inf gives 1/K, a single -inf exactly 0.",
    ),
    "log_softmax": Kind(
        _elementwise,
        labelled=False,
        reduces=False,
        special=(
            "Rows with NaN or +inf give NaN, a row of -inf gives -log K, a single -inf gives -inf."
        ),
    ),
    "log_sum_exp": Kind(
        _reduction,
        labelled=False,
        reduces=True,
        special="A NaN gives NaN, +inf gives +inf, a row of -inf gives -inf.",
    ),
    "cross_entropy": Kind(
        _labelled,
        labelled=True,
        reduces=True,
        special=(
            "A label on -inf gives +inf, rows with NaN or +inf give NaN, a row of -inf gives log K."
        ),
    ),
    "cross_entropy_gradient": Kind(
        _labelled_elementwise,
        labelled=True,
        reduces=False,
        special="As softmax, less 1 at the label: a label on -inf gives exactly -1.",
    ),
}
OPERATIONS = tuple(KINDS)
ELEMENTWISE = tuple(name for name, kind in KINDS.items() if not kind.reduces)
"""The operations that return a number for each logit."""
LABELLED = tuple(name for name, kind in KINDS.items() if kind.labelled)
"""The operations that take labels."""


def arguments(operation: str, x: Any, labels: Any) -> tuple[Any, ...]:
    """What an operation is called with: labels only if it takes them.

    >>> arguments("softmax", [0.0], 0), arguments("cross_entropy", [0.0], 0)
    (([0.0],), ([0.0], 0))
    """
    return (x, labels) if operation in LABELLED else (x,)


ElementwiseName: TypeAlias = Literal["softmax", "log_softmax"]
ReductionName: TypeAlias = Literal["log_sum_exp"]
LabelledName: TypeAlias = Literal["cross_entropy", "cross_entropy_gradient"]


@overload
def operation(
    name: ElementwiseName, *, formats: Sequence[Format] = ..., guarded: bool = ...
) -> Callable[[Formula], ElementwiseOfFormula]: ...
@overload
def operation(
    name: ReductionName, *, formats: Sequence[Format] = ..., guarded: bool = ...
) -> Callable[[Formula], ReductionOfFormula]: ...
@overload
def operation(
    name: LabelledName, *, formats: Sequence[Format] = ..., guarded: bool = ...
) -> Callable[[Formula], LabelledOfFormula]: ...
def operation(
    name: str, *, formats: Sequence[Format] = ALL, guarded: bool = True
) -> Callable[[Formula], Callable[..., Any]]:
    """Decorator: a formula on rows as a public function, under the same name.

    Parameters
    ----------
    name :
        One of `OPERATIONS`.
    formats :
        Those that the formula can do; any other raises TypeError.
    guarded :
        Whether floating-point warnings are kept in and special rows get what the policy says. False
        for a formula that sees to them itself, or does not.
    """

    def decorate(formula: Formula) -> Callable[..., Any]:
        kind = KINDS[name]
        public = kind.around(rows.guarded(formula, POLICIES[name]) if guarded else formula, formats)
        signature = inspect.signature(public)
        update_wrapper(public, formula, assigned=("__module__", "__name__", "__qualname__"))
        # The source that is shown is the formula's; the signature is what a caller sees.
        public.__signature__ = signature  # type: ignore[attr-defined]
        public.formula = formula  # type: ignore[attr-defined]
        public.__doc__ = _documented(formula, kind, formats, guarded)
        return public

    return decorate


def _documented(formula: Formula, kind: Kind, formats: Sequence[Format], guarded: bool) -> str:
    """The formula's docstring, with what holds for all methods before its example."""
    text, mark, example = (inspect.getdoc(formula) or "").partition(">>>")
    names = " or ".join(", ".join(one.dtype_name for one in formats).rsplit(", ", 1))
    integers = "; integers and booleans are computed in float64" if FP64 in formats else ""
    parameters = [f"x : array_like\n    {names}, in any memory or byte order{integers}."]
    if kind.labelled:
        parameters.append("y : array_like of ints\n    Labels 0 .. K-1, one for each row.")
        parameters.append("axis : int\n    What makes up a row.")
    else:
        several = (
            "axis : int, tuple of ints, or None\n    What makes up a row; None: the whole array."
        )
        parameters.append(several)
    if kind.reduces and not kind.labelled:
        parameters.append("keepdims : bool\n    Leave `axis` in the result, with length 1.")
    notes = [kind.special] if guarded else []
    notes += [f"Bound: `bounds.{formula.__name__}`.", "Errors and all else: docs/contracts.md."]
    return "\n\n".join(
        [
            text.rstrip(),
            "Parameters\n----------\n" + "\n".join(parameters),
            f"Returns\n-------\n{LIKE_BATCH if kind.reduces else LIKE_X}",
            "Notes\n-----\n" + "\n".join(notes),
            mark + example,
        ]
    )


# --- Methods -------------------------------------------------------------------------------------

Operations: TypeAlias = tuple[Elementwise, Elementwise, Reduction, Labelled, Labelled]
"""In the order of `OPERATIONS`."""


@dataclass(frozen=True)
class Method:
    """Name, one-line summary, source and the operations.

    `formats` names the formats that the method offers; any other raises TypeError. `keeps_policy`:
    special rows as published, and no floating-point warning. `correctly_rounded`: every output is
    the number nearest to the exact value.
    """

    name: str
    summary: str
    source: str
    operations: Operations
    formats: tuple[str, ...] = field(default=tuple(ALL_FORMATS))
    keeps_policy: bool = True
    correctly_rounded: bool = False

    @property
    def softmax(self) -> Elementwise:
        """(x, /, *, axis=-1)."""
        return self.operations[0]

    @property
    def log_softmax(self) -> Elementwise:
        """(x, /, *, axis=-1)."""
        return self.operations[1]

    @property
    def log_sum_exp(self) -> Reduction:
        """(x, /, *, axis=-1, keepdims=False)."""
        return self.operations[2]

    @property
    def cross_entropy(self) -> Labelled:
        """(x, y, /, *, axis=-1)."""
        return self.operations[3]

    @property
    def cross_entropy_gradient(self) -> Labelled:
        """(x, y, /, *, axis=-1)."""
        return self.operations[4]
