"""A verdict on a planted function, and the lines in which it says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.judge import verdict
from bench.judge.conditions import STRICT, Conditions, violations
from bench.judge.findings import findings
from bench.judge.verdict import Scope
from bench.judge.verdicts import Verdict
from bench.subjects import specs
from bench.subjects.isolated import Elsewhere, Here, Home
from bench.truth import ahead
from tests.bench.planted.planting import Planted

EXACTLY = replace(STRICT, max_ulp=dict.fromkeys(("fp16", "fp32", "fp64"), 0.5001))
FATAL_TIMEOUT = 3.0


def judged(one: Planted) -> Verdict:
    """In this process, or in one of its own where it would not survive."""
    return verdict.complete(_home(one), ahead.kept, lambda things, *_: things, _scope(one))


def _scope(one: Planted) -> Scope:
    return Scope((one.operation,), one.formats)


def _home(one: Planted) -> Home:
    module = Path(__file__).parent / f"{one.function.__module__.rpartition('.')[2]}.py"
    text = f"{module}:{one.name}={one.operation}"
    if module.name == "fatal.py":
        return Elsewhere([text], FATAL_TIMEOUT)
    spec = specs.parsed(text)
    subject = specs.subject("planted", {one.operation: (spec, one.function)})
    return Here(replace(subject, formats=one.formats))


def lines(found: Verdict, conditions: Conditions = EXACTLY) -> list[str]:
    """What the verdict says: what is wrong, and what does not hold."""
    return [*(one.line for one in findings(found)), *violations(found, conditions)]
