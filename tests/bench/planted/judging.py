"""A verdict on a planted function, and the lines in which it says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from tests.bench.planted.sound import SOUND, Sound
from tests.bench.planted.table import PLANTED

EXACTLY = replace(STRICT, max_ulp=dict.fromkeys(("fp16", "fp32", "fp64"), 0.5001))
FATAL_TIMEOUT = 3.0


def judge_all(names: Sequence[str], whole: bool) -> dict[str, tuple[list[str], list[str]]]:
    """What the verdict says of each function, and what does not hold."""
    return {name: judge(name, whole) for name in names}


def judge(name: str, whole: bool) -> tuple[list[str], list[str]]:
    """Of one planted or sound function; of a planted one the step that finds it, or all."""
    defects = {one.name: one for one in PLANTED}
    if name in defects:
        one = defects[name]
        only = () if whole else _needed(one.found_by)
        found = _complete(_home(one), Scope((one.operation,), one.formats, only=only))
        return lines(found), violations(found, EXACTLY)
    (sound,) = [sound for sound in SOUND if sound.name == name]
    found = _complete(Here(_sound(sound)), Scope(tuple(sound.functions), sound.formats))
    return lines(found, sound.asked), violations(found, sound.asked)


def _needed(step: str) -> tuple[str, ...]:
    """A step, and what has to be asked before it."""
    plainly = (f"case {name!r}" for name in IN_MANY_WAYS)
    return (*plainly, step) if step in BY_NAME else (step,)


def shares(number: int, whole: bool) -> list[list[str]]:
    """All names in shares of which each needs few exact values, the largest first."""
    keys = [(one.operation, one.formats, one.name) for one in PLANTED]
    keys += [(next(iter(one.functions)), one.formats, one.name)
             for one in SOUND if whole or one.always]  # fmt: skip
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for operation, formats, name in sorted(keys):
        groups.setdefault((operation, formats), []).append(name)
    size = max(4, -(-len(keys) // (2 * number)))
    parts = [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]
    return sorted(parts, key=len, reverse=True)


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


def _sound(one: Sound) -> Subject:
    return _subject(one.functions, one.formats)


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
