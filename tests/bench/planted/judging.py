"""A verdict on a planted function, and the lines in which it says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.inputs.probes import IN_MANY_WAYS
from bench.judge import verdict
from bench.judge.conditions import STRICT, Conditions, violations
from bench.judge.findings import findings
from bench.judge.verdict import Scope
from bench.judge.verdicts import Verdict
from bench.measure.presentations import BY_NAME
from bench.subjects import specs
from bench.subjects.isolated import Elsewhere, Here, Home
from bench.subjects.subject import Subject
from bench.truth import ahead
from tests.bench.planted.planting import Function, Planted
from tests.bench.planted.sound import Sound

EXACTLY = replace(STRICT, max_ulp=dict.fromkeys(("fp16", "fp32", "fp64"), 0.5001))
FATAL_TIMEOUT = 3.0


def of_defect(one: Planted, whole: bool) -> tuple[list[str], list[str]]:
    """What the verdict says of it, and what does not hold: of the step that finds it, or of all."""
    only = () if whole else _needed(one.found_by)
    found = _complete(_home(one), Scope((one.operation,), one.formats, only=only))
    return lines(found), violations(found, EXACTLY)


def of_sound(one: Sound) -> list[str]:
    """What does not hold of all that is asked of it."""
    subject = _subject(one.functions, one.formats)
    found = _complete(Here(subject), Scope(tuple(one.functions), one.formats))
    return violations(found, one.asked)


def _needed(step: str) -> tuple[str, ...]:
    """A step, and what has to be asked before it."""
    plainly = (f"case {name!r}" for name in IN_MANY_WAYS)
    return (*plainly, step) if step in BY_NAME else (step,)


def _complete(home: Home, scope: Scope) -> Verdict:
    try:
        return verdict.complete(home, ahead.kept, lambda things, *_: things, scope)
    finally:
        if isinstance(home, Elsewhere):
            home.close()


def _home(one: Planted) -> Home:
    """In this process, or in one of its own where it would not survive."""
    module = Path(__file__).parent / f"{one.function.__module__.rpartition('.')[2]}.py"
    text = f"{module}:{one.name}={one.operation}"
    if module.name == "fatal.py":
        return Elsewhere([text], FATAL_TIMEOUT)
    return Here(_subject({one.operation: one.function}, one.formats))


def _subject(functions: Mapping[str, Function], formats: tuple[str, ...]) -> Subject:
    """As the command line would have it."""
    by_spec = {
        operation: (specs.Spec(f"planted.py:{operation}", "planted.py", operation, operation), f)
        for operation, f in functions.items()
    }
    return replace(specs.subject("planted", by_spec), formats=formats)


def lines(found: Verdict, conditions: Conditions = EXACTLY) -> list[str]:
    """What the verdict says: what is wrong, and what does not hold."""
    return [*(one.line for one in findings(found)), *violations(found, conditions)]
