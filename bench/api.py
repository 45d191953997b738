"""A verdict from Python: `from bench import verdict`, and the same for pytest's fixture.

The function is asked in this process, so that lambdas and closures can be judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.inputs.formats import FORMATS, USUAL
from bench.judge import verdict_file
from bench.judge.baseline import worse
from bench.judge.conditions import OURS, Conditions, violations
from bench.judge.conditions import strict as all_but_limits
from bench.judge.verdict import Scope, complete
from bench.judge.verdicts import Verdict
from bench.runs.files import to_json
from bench.show.verdict_tables import plain
from bench.show.verdict_words import conclusion, in_lines
from bench.subjects import specs
from bench.subjects.arrays import left_as_it_was
from bench.subjects.isolated import Here
from bench.truth import ahead
from numerics import OPERATIONS


@dataclass(frozen=True)
class Judged:
    """What was found of a function. Prints as `python -m bench verdict` prints.

    `verdict`: every figure, by operation and format. `broken`: a line for each condition that does
    not hold; empty where nothing was asked for.
    """

    verdict: Verdict
    broken: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all conditions hold."""
        return not self.broken

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return conclusion(self.verdict)

    def __str__(self) -> str:  # noqa: D105
        does_not = [f"does not hold: {line}" for line in self.broken]
        return "\n".join([in_lines(self.verdict), plain([self.verdict]), *does_not])

    def json(self) -> dict[str, Any]:
        """As the command prints with `--format json`."""
        said = {"conclusions": [self.sentence], "violations": list(self.broken)}
        made: dict[str, Any] = json.loads(to_json({**said, **verdict_file.content([self.verdict])}))
        return made


def verdict(
    function: Callable[..., Any],
    operation: str | None = None,
    *,
    arrays: str = "",
    max_ulp: float | Mapping[str, float] | None = None,
    no_failures: bool = False,
    special_rows: bool | str = False,
    contract: bool = False,
    same_bits: bool = False,
    steady_time: bool = False,
    strict: bool = False,
    max_time_ratio: float | None = None,
    baseline: str | Path | None = None,
    baseline_time: float = 1.6,
    formats: Iterable[str] = USUAL,
    effort: str = "quick",
    seconds: float = 600.0,
) -> Judged:
    """Judge a function of an array of shape (rows, K) over the last axis.

    `operation` is one of `numerics.OPERATIONS`; by default the function's name. cross_entropy is
    called with labels of shape (rows,), too. `arrays`: the library, "torch" or "torch:cuda", whose
    arrays it gets; by default those of the library that it is from. The conditions are those of
    the command line: `max_ulp` in ulp, for all formats or by format; `special_rows` True or "ours",
    or "consistent". ValueError for a name or value that is none of these; what the function raises
    is a finding.

    >>> from bench import verdict
    >>> from numerics import stable_softmax
    >>> found = verdict(stable_softmax, "softmax", formats=["fp32"], no_failures=True)
    >>> found.holds
    True
    """
    conditions = Conditions(
        _limits(max_ulp), no_failures, _special(special_rows), contract, same_bits, steady_time,
        max_time_ratio,
    )  # fmt: skip
    if strict:
        conditions = all_but_limits(conditions)
    before = verdict_file.load(Path(baseline))[0] if baseline is not None else []
    operation = _operation(function, operation)
    scope = Scope((operation,), _names("format", formats, FORMATS), effort, seconds)
    with left_as_it_was():
        subject = specs.of_function(function, operation, arrays)
        found = complete(Here(subject), ahead.kept, _silent, scope)
    broken = violations(found, conditions)
    if baseline is not None:
        broken += worse(before, found, baseline_time)
    return Judged(found, tuple(broken))


def _operation(function: Callable[..., Any], operation: str | None) -> str:
    given = str(operation or getattr(function, "__name__", ""))
    name = specs.ALIASES.get(given, given)
    if name not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, not {name!r}")
    return name


def _limits(limit: float | Mapping[str, float] | None) -> Mapping[str, float]:
    if limit is None:
        return {}
    if isinstance(limit, Mapping):
        _names("max_ulp: format", limit, FORMATS)
        return dict(limit)
    return dict.fromkeys(FORMATS, float(limit))


def _special(asked: bool | str) -> str:
    if asked in (True, OURS):
        return OURS
    if asked in (False, "", "consistent"):
        return str(asked or "")
    raise ValueError(f"special_rows must be True, 'ours' or 'consistent', not {asked!r}")


def _names(what: str, given: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(given)
    for name in wanted:
        if name not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, not {name!r}")
    return wanted


def _silent(things: Iterable[Any], count: int, doing: str = "", /) -> Iterator[Any]:
    """No progress: whoever calls from Python has a display of their own."""
    yield from things
