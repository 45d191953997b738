"""A subject in a process of its own: it may crash, hang or leave, and whoever asks goes on."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Protocol

from bench.subjects import specs
from bench.subjects.quiet import quiet
from bench.subjects.subject import FOREIGN, Subject, described

TIMEOUT = 60.0
"""Seconds that a call may take."""
IMPORT_TIMEOUT = 300.0
"""A large library on a busy machine takes a minute and more."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables that say how many threads a library takes."""
_POLL = 0.05
_GOODBYE = 1.0
Task = Callable[[Subject], Any]


class DiedError(Exception):
    """A subject that took its process with it, or did not answer; the message says how."""


class Home(Protocol):
    """Where a subject lives. `subject` says what it offers."""

    subject: Subject

    def run(self, task: Task) -> Any:
        """What the task makes of the subject; DiedError."""
        ...


class Here:
    """A subject in this process."""

    def __init__(self, subject: Subject) -> None:  # noqa: D107
        self.subject = subject

    def run(self, task: Task) -> Any:
        """What the task makes of the subject."""
        with quiet():
            return task(self.subject)


class Elsewhere:
    """The subject that some specs name, in a process that is started again when it has died."""

    def __init__(self, texts: Sequence[str], timeout: float = TIMEOUT) -> None:  # noqa: D107
        self._texts, self._timeout = list(texts), timeout
        self._process: Any = None
        self._ask = True
        self._start()

    def run(self, task: Task) -> Any:
        """What the task makes of the subject there."""
        if self._process is None:
            self._start_again()
        with contextlib.suppress(OSError):  # it may have died since; there is no answer then
            self._pipe.send(task)
        said, value = self._answer(self._timeout)
        if said == "raised":
            raise DiedError(value)
        return value

    def close(self) -> None:
        """End the process: it may leave by itself, as C writes what it holds only then."""
        if self._process is not None:
            self._pipe.close()
            self._process.join(_GOODBYE)
            self._process.kill()
            self._process.join()
            self._process = None

    def _start_again(self) -> None:
        try:
            self._start()
        except specs.SpecError as error:  # it could be had before
            raise DiedError(str(error)) from None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._clock = context.RawValue(ctypes.c_double, time.monotonic())  # imports may hang, too
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._texts, self._ask, self._clock)
        self._process = context.Process(target=_live, args=arguments)
        with _one_thread():
            self._process.start()
        theirs.close()
        try:
            said, value = self._answer(max(self._timeout, IMPORT_TIMEOUT))
        except DiedError as error:
            if self._ask:  # it may have been the question which formats it takes
                self._ask = False
                self._start()
                return
            raise specs.SpecError(f"{' '.join(self._texts)}: the import {error}") from None
        if said == "missing":
            self.close()
            raise specs.SpecError(value)
        self.subject: Subject = value

    def _answer(self, seconds: float) -> tuple[str, Any]:
        while not self._pipe.poll(_POLL):
            since = self._clock.value
            if since and time.monotonic() - since > seconds:
                self.close()
                raise DiedError(f"no answer within {seconds:g} s")
        try:
            found: tuple[str, Any] = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            self.close()
            raise DiedError(f"ended its process {_how(code)}") from None
        return found


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """What is started meanwhile has libraries of one thread, unless somebody asked for more."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _how(code: int | None) -> str:
    """An exit code in words.

    >>> _how(-11), _how(3)
    ('by SIGSEGV', 'with status 3')
    """
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
        return f"by signal {-code}"
    return f"with status {code}"


def _live(pipe: Connection, texts: Sequence[str], ask: bool, clock: Any) -> None:
    """The other side: load, then one task after another until nobody asks any more."""
    os.dup2(2, 1)  # what it prints is no result
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        subjects, missing = specs.load(texts, ask)
    except specs.SpecError as error:
        subjects, missing = {}, [str(error)]
    if missing:
        pipe.send(("missing", "; ".join(missing)))
        return
    (subject,) = subjects.values()
    clock.value = 0.0
    pipe.send(("here", _facts(subject)))
    timed = replace(subject, functions={n: _timed(f, clock) for n, f in subject.functions.items()})
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(_done(pipe.recv(), timed, clock))


def _done(task: Task, subject: Subject, clock: Any) -> tuple[str, Any]:
    try:
        with quiet():
            return "answer", task(subject)
    except FOREIGN as error:
        return "raised", described(error)
    finally:
        clock.value = 0.0


def _facts(subject: Subject) -> Subject:
    """All that can be sent: what is offered, not the functions themselves."""
    return replace(subject, functions=dict.fromkeys(subject.functions, _absent), bounds={})


def _absent(*arrays: Any) -> Any:
    raise RuntimeError("this function lives in another process")


def _timed(function: Callable[..., Any], clock: Any) -> Callable[..., Any]:
    """The function, telling when a call of it last began or ended."""

    def call(*arrays: Any, **keywords: Any) -> Any:
        clock.value = time.monotonic()
        try:
            return function(*arrays, **keywords)
        finally:
            clock.value = time.monotonic()  # another thread may be in a call that never ends

    return call
