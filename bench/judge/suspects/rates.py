"""How surely formulas are told: of functions whose formula is known from their sources.

From these shares the one that names a formula, `contest.AT_LEAST`, was taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.inputs import probes
from bench.inputs.cases import Batch
from bench.judge.suspects.explain import explained
from bench.judge.suspects.explanation import Explanation, Habit
from bench.judge.suspects.formulas import LOGARITHM, OF_SHIFT, REST, SUBTRACTED, TEXTBOOK, UNSHIFTED
from bench.measure.asking import Answer
from bench.measure.presentations import Presented
from bench.runs.environment import environment
from bench.runs.files import RunFileError
from bench.subjects.isolated import Here
from bench.subjects.subject import Subject
from bench.truth import ahead
from numerics import FORMATS, OPERATIONS

OF_LARGEST = TEXTBOOK + OF_SHIFT
LESS_1 = "softmax minus 1 at the label: "
_SHIFTED = {
    "softmax": OF_LARGEST,
    "log_softmax": LOGARITHM + OF_SHIFT,
    "log_sum_exp": "the largest logit plus the log of the sum",
    "cross_entropy": f"log-sum-exp minus the label's logit{OF_SHIFT}",
    "cross_entropy_gradient": LESS_1 + OF_LARGEST,
}
_OF_LOG_SOFTMAX = {**_SHIFTED, "cross_entropy": "minus the log-softmax of the label"}
_BY_LOG1P = {
    "log_softmax": "shifted logits minus log1p of the other terms",
    "cross_entropy": "log1p of the other terms minus the label's shifted logit",
}
_OF_ITS_OWN = dict.fromkeys(OPERATIONS, "")
SOURCES: Mapping[str, Mapping[str, str]] = {
    "naive": {
        "softmax": TEXTBOOK + UNSHIFTED,
        "log_softmax": f"the log of softmax{UNSHIFTED}",
        "log_sum_exp": f"the log of the sum{UNSHIFTED}",
        "cross_entropy": f"minus the log of the label's softmax{UNSHIFTED}",
        "cross_entropy_gradient": LESS_1 + TEXTBOOK + UNSHIFTED,
    },
    "stable": _SHIFTED,
    "online": _SHIFTED,
    "log1p": {**_BY_LOG1P, "softmax": OF_LARGEST},
    "division_free": {
        **_SHIFTED,
        "softmax": SUBTRACTED,
        "log_softmax": REST,
        "cross_entropy_gradient": LESS_1 + SUBTRACTED,
    },
    "base2": {"softmax": "powers of 2 over their sum, with log2(e) rounded"},
    "fast": {**_BY_LOG1P, "softmax": "", "cross_entropy_gradient": ""},
    "compensated": _OF_ITS_OWN,
    "exact": _OF_ITS_OWN,
    "two_pass": {"softmax": "", "cross_entropy_gradient": ""},
    "scipy": {name: _SHIFTED[name] for name in ("softmax", "log_softmax")},
    "sklearn": {"softmax": OF_LARGEST},
    "torch": {**_OF_LOG_SOFTMAX, "cross_entropy_gradient": f"{LESS_1}exp of the log-softmax"},
    "jax": _OF_LOG_SOFTMAX,
    "onnxruntime": _OF_LOG_SOFTMAX,
}
"""What the sources of a subject say of an operation in fp32 and fp64; "": none of ours."""
SURE = ("fp32", "fp64")
"""In fp16 libraries round in between as they like, and their sources say little of it."""


@dataclass(frozen=True)
class Rate:
    """What was named of a subject's operation in a format."""

    subject: str
    operation: str
    format: str
    found: Explanation

    @property
    def source(self) -> str | None:
        """What its sources say; None where they were not read."""
        known = SOURCES.get(self.subject, {}) if self.format in SURE else {}
        return known.get(self.operation)

    @property
    def wrong(self) -> bool:
        """Whether a formula is named that is none of it."""
        return self.source is not None and self.found.name not in ("", self.source)


def measure(subjects: Sequence[Subject]) -> Iterator[list[Rate]]:
    """An operation in a format at a time."""
    for operation in OPERATIONS:
        for name in FORMATS:
            exact = ahead.of((operation, probes.TELLING.name, name))
            assert exact is not None  # its labels are in range
            offered = [one for one in subjects if one.offers(operation, name)]
            yield [Rate(one.name, operation, name, found) for one in offered
                   if (found := _explained(one, operation, name, exact)) is not None]  # fmt: skip


def _explained(subject: Subject, operation: str, name: str, exact: Any) -> Explanation | None:
    home, format = Here(subject), FORMATS[name]

    def ask(batches: Sequence[Batch]) -> list[Answer]:
        answers: list[Answer] = home.run(Presented(operation, "plain", batches))
        return answers

    return explained(operation, format, probes.TELLING.batches(format), exact, ask)


def content(found: Sequence[Rate], versions: Mapping[str, str]) -> dict[str, Any]:
    """What a file holds."""
    rates = [asdict(one) for one in found]
    return {"environment": environment(), "versions": dict(versions), "rates": rates}


def load(path: Path) -> tuple[list[Rate], str]:
    """What a file holds, and where it was found; RunFileError for any other file."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        versions = {"NumPy": file["environment"]["numpy"], **file["versions"]}
        made = ", ".join(f"{name} {version}" for name, version in versions.items())
        return [_rate(one) for one in file["rates"]], made
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise RunFileError(f"{path}: not a file of `bench suspects` ({error})") from None


def _rate(one: dict[str, Any]) -> Rate:
    found = one["found"]
    habits = [Habit(**habit) for habit in found["habits"]]
    return Rate(**{**one, "found": Explanation(**{**found, "habits": habits})})
