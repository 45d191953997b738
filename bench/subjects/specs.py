"""Subjects by name: a peer, one of our methods, or any callable as `module:function`."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.inputs.formats import FORMATS
from bench.subjects import arrays
from bench.subjects.arrays import Arrays
from bench.subjects.peers import libraries
from bench.subjects.peers.peer import PeerMissingError
from bench.subjects.quiet import quiet
from bench.subjects.subject import FOREIGN, SUBJECTS, Subject, described, printable
from numerics import LABELLED, OPERATIONS
from numerics.method import arguments

Function = Callable[..., Any]
HELP = (
    f"a library ({', '.join(libraries.PEERS)}), one of our methods, or any callable as "
    "MODULE:FUNCTION or FILE.py:FUNCTION. The function's name is its operation "
    f"({', '.join(OPERATIONS)}), unless one follows: mypkg.ops:my_lse=log_sum_exp. Functions of "
    "one module are one subject; a second one for the same operation is a subject of its own. Each "
    f"is called with a NumPy array of shape (rows, K), {' and '.join(LABELLED)} with labels of "
    "shape (rows,) too, and works over the last axis; it gets axis=-1 or dim=-1 if it has such a "
    f"parameter. Functions of {', '.join(arrays.LIBRARIES)} get arrays of theirs, and any function "
    "those of one that is named: mypkg.ops:softmax@torch, or @torch:cuda"
)
ALIASES = {"logsumexp": "log_sum_exp", "reduce_logsumexp": "log_sum_exp"}
"""Operations under the names that libraries have for them."""


class SpecError(ValueError):
    """A subject that cannot be had; the message is one line that names it."""


@dataclass(frozen=True)
class Spec:
    """The parts of `module:function=operation@arrays`; `text` is what was given."""

    text: str
    module: str
    function: str
    operation: str
    arrays: str = ""


def parsed(text: str) -> Spec:
    """Take a spec apart; SpecError where it is none.

    >>> parsed("mypkg.ops:my_lse=log_sum_exp").operation
    'log_sum_exp'
    >>> parsed("mypkg.ops:logsumexp@torch:cuda").operation
    'log_sum_exp'
    >>> parsed("mypkg.ops:soft")
    Traceback (most recent call last):
    ...
    bench.subjects.specs.SpecError: 'mypkg.ops:soft': soft is not one of softmax, log_softmax, \
log_sum_exp, cross_entropy, cross_entropy_gradient; say which it is: mypkg.ops:soft=softmax
    """
    named, at, library = text.rpartition("@")
    if not at or library.partition(":")[0] not in arrays.LIBRARIES:
        named, library = text, ""
    module, _, rest = named.rpartition(":")
    function, equals, operation = rest.partition("=")
    if not module or not function:
        raise SpecError(
            f"{text!r}: expected one of {', '.join((*libraries.PEERS, *SUBJECTS))}, "
            "MODULE:FUNCTION or FILE.py:FUNCTION"
        )
    operation = operation if equals else function.rpartition(".")[2]
    operation = ALIASES.get(operation, operation)
    if operation not in OPERATIONS:
        raise SpecError(
            f"{text!r}: {operation or 'nothing'} is not one of {', '.join(OPERATIONS)}; "
            f"say which it is: {module}:{function}=softmax"
        )
    return Spec(text, module, function, operation, library)


def load(texts: Sequence[str], ask: bool = True) -> tuple[dict[str, Subject], list[str]]:
    """Subjects by name, in the order given, and a line for each peer that is not installed.

    SpecError for anything else that cannot be had. `ask`: which formats they refuse.
    """
    found: dict[str, Subject | dict[str, tuple[Spec, Function]]] = {}
    missing = []
    for text in dict.fromkeys(texts):
        try:
            if text in SUBJECTS:
                found[text] = SUBJECTS[text]
            elif text in libraries.PEERS:
                found[text] = libraries.load(text).subject()
            else:
                spec = parsed(text)
                _group_of(spec, found)[spec.operation] = spec, resolved(spec)
        except PeerMissingError as error:
            missing.append(str(error))
    subjects = {
        name: one if isinstance(one, Subject) else subject(name, one, ask)
        for name, one in found.items()
    }
    return subjects, missing


def groups(texts: Sequence[str]) -> dict[str, list[str]]:
    """Which specs are one subject, by its name, in the order given. Imports nothing."""
    found: dict[str, Any] = {}
    for text in dict.fromkeys(texts):
        if text in SUBJECTS or text in libraries.PEERS:
            found[text] = {"": text}
        else:
            spec = parsed(text)
            _group_of(spec, found)[spec.operation] = spec, None
    return {
        name: [one if isinstance(one, str) else one[0].text for one in group.values()]
        for name, group in found.items()
    }


def function(text: str, operation: str) -> Function:
    """One operation of the subject that a spec, a peer or a method names.

    >>> function("stable", "log_sum_exp")([[0.0, 0.0]])
    array([0.69314718])
    """
    subjects, missing = load([text])
    if missing:
        raise SpecError(missing[0])
    return next(iter(subjects.values())).functions[operation]


def _group_of(spec: Spec, found: dict[str, Any]) -> dict[str, tuple[Spec, Any]]:
    """The functions of the subject that a spec belongs to: its module, if there is room."""
    name = Path(spec.module).stem if spec.module.endswith(".py") else spec.module
    name = printable(name, 80)
    ours_or_peer = name in SUBJECTS or name in libraries.PEERS
    others = {} if ours_or_peer else found.get(name, {})
    elsewhere = any(other.module != spec.module for other, _ in others.values())
    if ours_or_peer or elsewhere or spec.operation in others:
        name = printable(
            spec.text.partition("=")[0] if elsewhere else f"{name}:{spec.function}", 80
        )
    group: dict[str, tuple[Spec, Any]] = found.setdefault(name, {})
    return group


def resolved(spec: Spec) -> Function:
    """Import what a spec names; the current folder is importable, as with `python -m`."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a module prints is no result of ours
            module = _imported(spec.module)
    except FOREIGN as error:
        message = f"{spec.text!r}: cannot import {spec.module}: {described(error)}"
        raise SpecError(message) from None
    try:
        function: Any = functools.reduce(getattr, spec.function.split("."), module)
    except FOREIGN:
        raise SpecError(f"{spec.text!r}: {spec.module} has no {spec.function}") from None
    if callable(function):
        found: Function = function
        return found
    kind = type(function).__name__
    raise SpecError(f"{spec.text!r}: {spec.function} is of type {kind}, not callable")


def _imported(name: str) -> Any:
    if not name.endswith(".py"):
        _make_importable(Path.cwd())
        return _module(name)
    return _from_file(Path(name).resolve())


def _module(name: str) -> Any:
    """A module, or what is called so in one: tensorflow.nn is no module of its own."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package, _, rest = name.partition(".")
        if not rest or error.name == package:
            raise
        try:
            return functools.reduce(getattr, rest.split("."), importlib.import_module(package))
        except AttributeError:
            raise error from None


@functools.cache  # a file is run once, however many functions are taken from it
def _from_file(path: Path) -> Any:
    _make_importable(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"not a Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # a dataclass, for one, looks for its module there
    spec.loader.exec_module(module)
    return module


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def subject(name: str, functions: Mapping[str, tuple[Spec, Function]], ask: bool = True) -> Subject:
    """Functions of one's own, by operation, as a subject."""
    theirs = {operation: _arrays_of(spec) for operation, (spec, _) in functions.items()}
    keywords = {op: _axis_keyword(f, theirs[op]) for op, (_, f) in functions.items()}
    on_numpy = {
        operation: _over_axis(f, keywords[operation], theirs[operation])
        for operation, (_, f) in functions.items()
    }
    package = next(iter(functions.values()))[0].module.partition(".")[0]
    return Subject(
        name,
        on_numpy,
        tuple(FORMATS),
        takes_axis=any(keywords.values()),
        fixed_axis=tuple(operation for operation, keyword in keywords.items() if not keyword),
        keepdims=tuple(op for op, (_, f) in functions.items() if "keepdims" in _parameters(f)),
        origins={operation: spec.text for operation, (spec, _) in functions.items()},
        version=str(getattr(sys.modules.get(package), "__version__", ""))[:40],
        refused=_refused(on_numpy, theirs) if ask else {},
    )


def of_function(function: Function, operation: str, arrays: str = "") -> Subject:
    """A function that is here already, as a subject under its own name; SpecError."""
    module = getattr(function, "__module__", None) or "__main__"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    short = getattr(function, "__name__", "")
    if short and getattr(sys.modules.get(module), short, None) is function:
        name = short  # a built-in function's longer name may be one that nobody finds
    text = f"{module}:{name}={operation}{f'@{arrays}' * bool(arrays)}"
    spec = Spec(text, module, name, operation, arrays)
    return subject(printable(f"{module}.{name}", 80), {operation: (spec, function)})


def _arrays_of(spec: Spec) -> Arrays | None:
    """What a function is given instead of NumPy's arrays."""
    try:
        return arrays.named(spec.arrays) if spec.arrays else arrays.of_module(spec.module)
    except FOREIGN as error:  # the library's own, about a device
        raise SpecError(f"{spec.text!r}: {described(error)}") from None


def _axis_keyword(function: Function, theirs: Arrays | None) -> str:
    """`axis` or `dim`, where the function has such a parameter; else nothing."""
    parameters = _parameters(function)
    if theirs and not parameters:
        return theirs.axis
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = (n for n in ("axis", "dim") if n in parameters and parameters[n].kind in by_name)
    return next(named, "")


def _parameters(function: Function) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except FOREIGN:  # built-in functions may have no signature
        return {}


def _over_axis(function: Function, keyword: str, theirs: Arrays | None) -> Function:
    """The function on NumPy's arrays, with an axis if it has one under any name."""
    reduction = _parameters(function).get("reduction")
    if reduction is not None and isinstance(reduction.default, str):
        function = functools.partial(function, reduction="none")  # a loss for each row, no mean
    called = function if theirs is None else theirs.compiled(function)

    def on_numpy(*given: Any, **options: Any) -> Any:
        if theirs is None:
            return np.asarray(called(*given, **options))
        return theirs.to_numpy(called(*map(theirs.to_native, given), **options))

    if not keyword:
        return on_numpy
    return lambda *given, axis=-1, **options: on_numpy(*given, **{keyword: axis}, **options)


def _refused(
    functions: Mapping[str, Function], theirs: Mapping[str, Arrays | None]
) -> dict[tuple[str, str], str]:
    """The formats that an operation refuses with a TypeError, on one small row.

    One that refuses all of them is broken instead of choosy, and is measured to say so.
    """
    refused: dict[tuple[str, str], str] = {}
    for operation, function in functions.items():
        reasons = {n: _refusal(function, operation, n, theirs[operation]) for n in FORMATS}
        if not all(reasons.values()):
            refused |= {(operation, name): reason for name, reason in reasons.items() if reason}
    return refused


def _refusal(function: Function, operation: str, format_name: str, theirs: Arrays | None) -> str:
    x, labels = np.array([[0.0, 1.0]], FORMATS[format_name].dtype), np.zeros(1, np.intp)
    try:
        with quiet():
            if theirs and (narrowed := theirs.narrowed(x)):
                return narrowed
            function(*arguments(operation, x, labels))
    except (TypeError, NotImplementedError) as error:
        return described(error)
    except FOREIGN:
        return ""  # it comes again when it is measured
    return ""
