"""diff: two runs -> what got worse, what got better, and what cannot be compared and why.

Errors and bits are compared where both runs had the same input, times where both were taken on the
same machine. Computes and decides; `bench.diff_tables` formats.

A time has changed when three things agree: the Mann-Whitney test on the raw rounds says so at
`SIGNIFICANT`, and both the medians and the fastest rounds moved, the same way, by more than
`MIN_EFFECT`. The test alone is not enough: it knows the noise within a run, but what a machine does
between two runs is larger.

Nothing is better whose outputs became NaN: fewer outputs have an error then, and NaN is soon made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.judge import rank_test
from bench.runs import keep
from bench.runs.files import RunFileError
from bench.runs.run_file import Run

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05
MIN_EFFECT = 1.6
"""Ratio of times below which nothing is said to have changed.

Measured with `python -m bench diff` on pairs of `pytest bench --effort quick` of one NumPy, on a
virtual machine with two cores that others kept busy: 95 % of the 232 times (the smaller of the
changes of median and fastest round) stayed within 1.16, 1.31, 1.36 and, under the heaviest load,
1.59. An idle machine needs less: `diff` prints the figure, `--min-effect` takes it."""

CELL = ["subject", "operation", "case", "format"]
SHAPE = ["subject", "operation", "format", "rows", "columns"]
WORSE, SAME, BETTER = "worse", "same", "better"


@dataclass(frozen=True)
class Diff:
    """Two runs joined, one row for each cell that both have.

    `accuracy`: CELL, max_ulp_before, max_ulp_after, error (worse, same or better), failures_before,
    failures_after (infinite where the subject raised), failing, bits_equal (None: not recorded),
    became_nan (more outputs are NaN where the truth is a number).
    `time`: SHAPE, ns_before, ns_after, ratio (of medians), effect (of medians or fastest rounds,
    what is nearer to 1), p_value, time. `left_out` says what was not compared, and why.
    """

    before: Run
    after: Run
    accuracy: pd.DataFrame
    time: pd.DataFrame
    left_out: tuple[str, ...]


def diff(before: Run, after: Run, min_effect: float = MIN_EFFECT) -> Diff:
    """Join two runs and judge every cell."""
    accuracy, other_input, records_missing = _accuracy(before, after)
    time, incomparable, times_missing = _time(before, after, min_effect)
    time["time"] = _none_better(time["time"], _became_nan(time, accuracy))
    left_out = (*incomparable, *other_input, *records_missing, *times_missing)
    return Diff(before, after, accuracy, time, left_out)


def against_first(runs: Sequence[Run], min_effect: float = MIN_EFFECT) -> list[Diff]:
    """Every run against the first one."""
    return [diff(runs[0], run, min_effect) for run in runs[1:]]


def environment_changes(before: Run, after: Run) -> list[tuple[str, str, str]]:
    """(what, before, after) of all that differs in the environments of two runs."""
    sides = [
        {"machine": run.machine, "effort": run.effort, "commit": run.commit, **run.environment}
        for run in (before, after)
    ]
    return [
        (name[:40], _text(sides[0].get(name)), _text(sides[1].get(name)))
        for name in dict.fromkeys([*sides[0], *sides[1]])
        if _text(sides[0].get(name)) != _text(sides[1].get(name)) and name.isprintable()
    ]


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        value = " ".join(value)
    if not isinstance(value, str) or not value.isprintable():
        return "unknown" if value else "none"
    return value[:100] or "none"


# --- Errors, failures, bits ----------------------------------------------------------------------

_SIDES = ("before", "after")


def _accuracy(before: Run, after: Run) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Cells that both have, lines on those of another input, lines on those of one run."""
    joined = before.accuracy.merge(
        after.accuracy, how="outer", on=CELL, suffixes=("_before", "_after"), indicator=True
    )
    missing = list(_only_in_one(joined, ["subject", "case"], "records", before, after))
    both = joined[joined["_merge"] == "both"]
    same_input = both["input_sha256_before"] == both["input_sha256_after"]
    other = [
        f"case {case} in {format_name}: another definition of its input ({len(cells)} records)"
        for (case, format_name), cells in both[~same_input].groupby(["case", "format"])
    ]
    return _judged_errors(both[same_input]), other, missing


def _judged_errors(both: pd.DataFrame) -> pd.DataFrame:
    ulp = [both[f"max_ulp_{side}"].map(keep.rounded, na_action="ignore") for side in _SIDES]
    failures = [
        both[f"failures_{side}"].where(both[f"outcome_{side}"] != "raised", np.inf)
        for side in _SIDES
    ]
    became_nan = _nan_outputs(both, "after") > _nan_outputs(both, "before")
    bits = zip(both["output_sha256_before"], both["output_sha256_after"], strict=True)
    equal: Any = [_same_bits(*pair) for pair in bits]
    table = both[CELL].assign(
        max_ulp_before=ulp[0],
        max_ulp_after=ulp[1],
        error=_none_better(_verdicts(*ulp), became_nan | (failures[1].gt(failures[0]))),
        failures_before=failures[0],
        failures_after=failures[1],
        failing=_none_better(_verdicts(*failures), became_nan),
        bits_equal=equal,
        became_nan=became_nan,
    )
    return table.reset_index(drop=True)


def _verdicts(before: pd.Series[float], after: pd.Series[float]) -> Any:
    return np.select([after > before, after < before], [WORSE, BETTER], SAME)


def _nan_outputs(both: pd.DataFrame, side: str) -> pd.Series[float]:
    """NaN where the truth is a number; none of a subject that raised."""
    return both[f"nan_failures_{side}"].fillna(0)


def _none_better(verdicts: Any, where: Any) -> Any:
    """The same verdicts; `BETTER` is `SAME` where it must not be said."""
    return np.where((verdicts == BETTER) & where, SAME, verdicts)


def _became_nan(time: pd.DataFrame, accuracy: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Of each time, whether any output of what was timed became NaN in some case."""
    names = ["subject", "operation", "format"]
    spoilt = set(accuracy.loc[accuracy["became_nan"], names].itertuples(index=False, name=None))
    cells = time[names].itertuples(index=False, name=None)
    return np.array([cell in spoilt for cell in cells], bool)


def _same_bits(one: str, other: str) -> bool | None:
    """Of checksums that may have been cut; None where there is none."""
    length = min(len(one), len(other))
    return one[:length] == other[:length] if length else None


def _only_in_one(
    joined: pd.DataFrame, names: list[str], what: str, before: Run, after: Run
) -> Iterator[str]:
    """A line for each subject, then each case or shape, that one run lacks; then single cells."""
    for run, side in ((before, "left_only"), (after, "right_only")):
        only = joined[joined["_merge"] == side]
        for name in names:
            elsewhere = set(joined.loc[joined["_merge"] != side, name])
            for value, cells in only[~only[name].isin(elsewhere)].groupby(name, sort=False):
                yield f"{name} {value}: only in {run.label} ({len(cells)} {what})"
            only = only[only[name].isin(elsewhere)]
        if len(only):
            first = " ".join(map(str, only.iloc[0][["subject", "operation", "format", names[-1]]]))
            yield f"{len(only)} {what} only in {run.label}, such as {first}"


# --- Times ---------------------------------------------------------------------------------------


def _time(before: Run, after: Run, min_effect: float) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Cells that can be compared, lines on why others cannot, lines on those of one run."""
    joined = before.throughput.merge(
        after.throughput, how="outer", on=SHAPE, suffixes=("_before", "_after"), indicator=True
    )
    missing = list(_only_in_one(joined, ["subject", "columns"], "times", before, after))
    both, incomparable = joined[joined["_merge"] == "both"], []
    if len(both) and (before.machine != after.machine or "unknown" in before.machine):
        machines = f"{before.machine} and {after.machine}"
        incomparable.append(f"times: measured on different machines ({machines})")
        both = both.iloc[:0]
    for run, side in zip((before, after), _SIDES, strict=True):
        raw = (both[f"raw_seconds_{side}"].map(len) > 0).astype(bool)
        if not raw.all():
            incomparable.append(f"times: {run.label} has no raw rounds ({(~raw).sum()} times)")
        both = both[raw]
    return _judged_times(both, min_effect), incomparable, missing


def _judged_times(both: pd.DataFrame, min_effect: float) -> pd.DataFrame:
    ratio = both["ns_per_element_after"] / both["ns_per_element_before"]
    effect = _nearer_to_1(ratio, both["fastest_seconds_after"] / both["fastest_seconds_before"])
    rounds = zip(both["raw_seconds_before"], both["raw_seconds_after"], strict=True)
    p_values = [rank_test.p_value(*pair) for pair in rounds]
    surely = np.array(p_values, dtype=float) < SIGNIFICANT
    table = both[SHAPE].assign(
        ns_before=both["ns_per_element_before"],
        ns_after=both["ns_per_element_after"],
        ratio=ratio,
        effect=effect,
        p_value=p_values,
        time=np.select(
            [surely & (effect > min_effect), surely & (effect < 1 / min_effect)],
            [WORSE, BETTER],
            SAME,
        ),
    )
    return table.reset_index(drop=True)


def _nearer_to_1(one: Any, other: Any) -> Any:
    """The smaller of two changes; 1 where they contradict each other."""
    slower, faster = np.minimum(one, other), np.maximum(one, other)
    return slower.where(slower > 1, faster.where(faster < 1, 1.0))


# --- Conditions of --fail-on ---------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """What must not happen: `max_ulp` or `time` above a ratio, new `failures`, other `bits`."""

    text: str
    quantity: str
    limit: float = 1.0


def condition(text: str) -> Condition:
    """Read max_ulp>1.0x, time>1.25x, failures or bits; a ValueError for anything else.

    >>> condition("time > 1.25x").limit
    1.25
    """
    if text in ("failures", "bits"):
        return Condition(text, text)
    found = re.fullmatch(r"(max_ulp|time)\s*>\s*(\d{1,6}(?:\.\d{1,6})?)x", text.strip())
    if not found or float(found[2]) < 1:
        raise ValueError(
            f"{text!r}: expected max_ulp>RATIOx, time>RATIOx (a ratio of at least 1), "
            "failures or bits"
        )
    return Condition(text, found[1], float(found[2]))


def broken(found: Diff, condition: Condition) -> pd.DataFrame:
    """The cells in which a condition does not hold; RunFileError where none could be compared."""
    table = found.time if condition.quantity == "time" else found.accuracy
    if condition.quantity == "bits":
        table = table[table["bits_equal"].notna()]
    if table.empty:
        why = found.left_out[0] if found.left_out else "neither run has any"
        raise RunFileError(f"--fail-on {condition.text}: nothing could be compared: {why}")
    return table.loc[_breaks(table, condition)]


def _breaks(table: pd.DataFrame, condition: Condition) -> pd.Series[bool]:
    if condition.quantity == "time":
        return (table["p_value"] < SIGNIFICANT) & (table["effect"] > condition.limit)
    if condition.quantity == "max_ulp":
        return table["max_ulp_after"] > condition.limit * table["max_ulp_before"]
    if condition.quantity == "failures":
        return table["failing"] == WORSE
    return ~table["bits_equal"].astype(bool)
