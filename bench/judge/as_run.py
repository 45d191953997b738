"""A verdict file as a run, so that `diff` and the page take both. Computes and measures nothing.

A record is what came of one way to pass the rows of one kind, of a policy, or of a probe of the
contract; its case says of which.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.inputs.kinds import SPECIAL
from bench.judge import verdict_file
from bench.judge.findings import ROWS, findings
from bench.judge.verdicts import PLAIN, Cell, Speed, Verdict, Way
from bench.measure.tally import Tally, merged
from bench.runs import run_file
from bench.runs.fields import plain
from bench.runs.records import Record
from bench.runs.run_file import Run
from bench.runs.tables import accuracy_table, invariance_table, throughput_table
from bench.subjects.subject import printable

FAMILY, RANDOM = "verdict", "random rows"
_FIELDS = {"NaN": "nan_failures", "infinite": "infinity_failures", "lost to zero": "lost_to_zero"}
"""Other kinds of failures are special values that were missed."""


def load(path: Path, label: str | None = None) -> Run:
    """A run file, or a verdict file as one; RunFileError where it is neither."""
    data = run_file.read(path)
    if not _holds_verdicts(data):
        return run_file.load(path, label)
    verdicts, environment = verdict_file.load(path)
    machine = environment.pop("machine", "unknown")
    records = [one for verdict in verdicts for one in _records(verdict)]
    times = [_benchmark(one.subject, speed) for one in verdicts for speed in one.speed]
    return Run(
        label=label or f"verdict, NumPy {plain(environment.get('numpy'))}",
        path=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        datetime="unknown",
        commit="unknown",
        effort=verdicts[0].effort if verdicts else "unknown",
        cpu=plain(machine),
        machine=plain(machine),
        environment=environment,
        accuracy=accuracy_table(path, records),
        throughput=throughput_table(path, times),
        invariance=invariance_table(path, []),
    )


def _holds_verdicts(data: bytes) -> bool:
    if b'"verdicts"' not in data:  # seen at once in a large run file
        return False
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "verdicts" in content


# --- Records -------------------------------------------------------------------------------------


def _records(verdict: Verdict) -> Iterator[dict[str, Any]]:
    for cell in verdict.offered:
        yield _record(verdict, cell, RANDOM, max_ulp=cell.ordinary_ulp)
        yield _record(verdict, cell, "confident rows", max_ulp=cell.confident_ulp)
        for way in cell.ways:
            yield from _of_way(verdict, cell, way)
        for kind in SPECIAL:
            yield from _of_policy(verdict, cell, kind)
        yield _of_process(verdict, cell)
    yield from _of_contract(verdict)


def _record(
    verdict: Verdict, cell: Cell, case: str, message: str = "", **figures: Any
) -> dict[str, Any]:
    """A record of a cell; `message`: what the subject did instead of its part."""
    family = "random" if case == RANDOM else FAMILY
    known = Record(
        verdict.subject, cell.operation, case, family, cell.format, cell.inputs,
        "raised" if message else "measured", printable(message, 300),
    )  # fmt: skip
    return known.as_json() | {"flags": [], "max_ulp_by_width": []} | figures


def _of_way(verdict: Verdict, cell: Cell, way: Way) -> Iterator[dict[str, Any]]:
    """By kind of row. Where no bit is another one than plainly, the error is that of plainly."""
    said = ", ".join(f"{n} {outcome}" for outcome, n in way.outcomes.items())
    yield _record(verdict, cell, f"{way.presentation}: calls", message=said)
    for kind, tally in cell.plain.tallies.items():
        both = tally
        if way.presentation != PLAIN:
            both = merged([tally, way.tallies.get(kind, Tally())])
        counts: dict[str, Any] = {name: both.failures.get(k, 0) for k, name in _FIELDS.items()}
        counts["missed_special"] = sum(n for k, n in both.failures.items() if k not in _FIELDS)
        yield _record(
            verdict, cell, f"{way.presentation}: {ROWS[kind]}", elements=both.outputs,
            misrounded=both.misrounded, max_ulp=both.max_ulp, **counts,
        )  # fmt: skip


def _of_policy(verdict: Verdict, cell: Cell, kind: str) -> Iterator[dict[str, Any]]:
    """Other policies are other bits."""
    names = cell.policies.get(kind, {})
    if names:
        bits = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
        elements = sum(names.values())
        yield _record(verdict, cell, f"policy: {ROWS[kind]}", elements=elements, output_sha256=bits)


def _of_process(verdict: Verdict, cell: Cell) -> dict[str, Any]:
    place = cell.operation, cell.format
    died = [f"{d.call}: {d.how}" for d in verdict.deaths if (d.operation, d.format) == place]
    return _record(verdict, cell, "its process", message="; ".join(died))


def _of_contract(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """A probe is measured where nothing is wrong."""
    wrong: Mapping[tuple[str, str, str], str] = {
        (one.operation, one.format, one.key): one.what for one in findings(verdict)
    }
    cells = {(cell.operation, cell.format): cell for cell in verdict.cells}
    for probe in verdict.contract:
        place = probe.operation, probe.format
        message = wrong.get((*place, probe.probe), "")
        yield _record(verdict, cells[place], f"contract: {probe.probe}", message=message)


def _benchmark(subject: str, speed: Speed) -> dict[str, Any]:
    info = {
        "subject": subject, "operation": speed.operation, "format": speed.format,
        "rows": speed.rows, "columns": speed.columns,
        "ns_per_element": speed.ns_per_element, "iqr_ns_per_element": _spread(speed),
    }  # fmt: skip
    stats: dict[str, Any] = {"rounds": max(1, len(speed.seconds)), "data": speed.seconds}
    return {"extra_info": info, "stats": stats}


def _spread(speed: Speed) -> float:
    """Between the quartiles of the rounds, in ns per element."""
    if len(speed.seconds) < 2:
        return 0.0
    low, _, high = statistics.quantiles(speed.seconds, n=4)
    return (high - low) * 1e9 / (speed.rows * speed.columns)
