"""Options, parameter axes and pytest-benchmark's hooks. The figures are made elsewhere.

A run goes: collect -> compute the references that the selected tests need -> run -> write.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.commands.progress import took
from bench.inputs.cases import EFFORTS, Case, at_effort
from bench.inputs.formats import FORMATS, PACKAGE, USUAL
from bench.measure import confirmation
from bench.runs import run_file
from bench.runs.committed import reference_cache
from bench.runs.environment import environment
from bench.runs.files import check_writable, to_json, write_whole
from bench.runs.records import Invariance, Record
from bench.subjects import specs
from bench.subjects.subject import SUBJECTS, Subject
from bench.truth.audited import confirm, exact_values
from bench.truth.exact import Exact
from bench.truth.reference import Cache
from numerics import ALL_FORMATS, OPERATIONS

COLUMNS = {
    "quick": (5, 600),
    "normal": (5, 10, 64, 600, 4096, 50_257),
    "full": (5, 10, 64, 600, 4096, 50_257),
}
"""Lengths of a row at which throughput is measured."""
TIMING = {"quick": (0.01, 4), "normal": (0.03, 4), "full": (0.5, 10)}
"""Seconds and least number of rounds for each benchmark."""


@dataclass
class Measurements:
    """What one run has gathered."""

    exact: dict[tuple[str, str], dict[str, Exact]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    invariance: list[Invariance] = field(default_factory=list)
    saved: bool = False
    began: float = field(default_factory=time.perf_counter)


T = TypeVar("T")
SUBJECTS_OF_RUN = pytest.StashKey[dict[str, Subject]]()
MISSING = pytest.StashKey[list[str]]()
MEASUREMENTS = pytest.StashKey[Measurements]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("softmax")
    group.addoption(
        "--effort",
        choices=EFFORTS,
        default="normal",
        help="how many cases, shapes and rounds: quick (under 60 s), normal (under 3 minutes; "
        "default) or full",
    )
    group.addoption(
        "--subject",
        action="append",
        default=[],
        metavar="NAME",
        help="measure this, too (may be given again; a library that is not installed is left out "
        f"by name): {specs.HELP}",
    )
    group.addoption(
        "--format",
        action="append",
        choices=tuple(ALL_FORMATS),
        default=[],
        help="measure this format (may be given again; default: "
        f"{', '.join(USUAL)}; bf16 needs {PACKAGE})",
    )
    group.addoption(
        "--accuracy-json",
        metavar="FILE",
        type=Path,
        help="write a run file with the accuracy records alone, as with --benchmark-disable",
    )
    group.addoption(
        "--reference-cache",
        metavar="DIR",
        type=Path,
        default=reference_cache(),
        help="where exact values are kept between runs (default: .reference-cache in a checkout, "
        "else the user's cache folder)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("measure in one process: pytest-xdist (-n) is not supported")
    for option in ("accuracy_json", "benchmark_json"):
        _prepare_for_writing(option, getattr(config.option, option, None))
    try:
        environment()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if missing := set(config.getoption("--format")) - set(FORMATS):
        raise pytest.UsageError(f"--format: {missing.pop()} needs {PACKAGE}: pip install '.[bf16]'")
    config.stash[MEASUREMENTS] = Measurements()
    config.stash[SUBJECTS_OF_RUN], config.stash[MISSING] = _subjects(config.getoption("--subject"))
    seconds, rounds = TIMING[config.getoption("--effort")]
    defaults: dict[str, Any] = {
        "max_time": seconds,
        "min_rounds": rounds,
        "columns": ["median", "iqr", "rounds"],
        "sort": "fullname",
    }
    given = " ".join(config.invocation_params.args)
    for name, value in defaults.items():
        if f"--benchmark-{name.replace('_', '-')}" not in given:
            setattr(config.option, f"benchmark_{name}", value)


def _subjects(names: list[str]) -> tuple[dict[str, Subject], list[str]]:
    """Our methods and the subjects asked for; a line for each library that is not installed."""
    try:
        chosen, missing = specs.load(names)
    except specs.SpecError as error:
        raise pytest.UsageError(f"--subject: {error}") from None
    return {**SUBJECTS, **chosen}, missing


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"left out: {line}" for line in config.stash[MISSING]]


def _prepare_for_writing(option: str, path: Path | None) -> None:
    """Find out before the first test what would lose the run after the last."""
    if path is None:
        return
    name = f"--{option.replace('_', '-')}"
    try:
        check_writable(path)
    except OSError as error:
        raise pytest.UsageError(f"{name}: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    effort = metafunc.config.getoption("--effort")
    cells = [
        (subject.name, operation, format_name)
        for operation in OPERATIONS
        for format_name in metafunc.config.getoption("--format") or USUAL
        for subject in metafunc.config.stash[SUBJECTS_OF_RUN].values()
        if subject.offers(operation, format_name)
    ]
    if "case" in metafunc.fixturenames:
        rows: list[tuple[str, str, str, Any]] = [
            (*cell, case) for case in at_effort(effort) for cell in cells if cell[2] in case.formats
        ]
        ids = ["-".join((*cell, case.slug)) for *cell, case in rows]
        metafunc.parametrize(("subject_name", "operation", "format_name", "case"), rows, ids=ids)
    elif "columns" in metafunc.fixturenames:
        rows = [(*cell, columns) for columns in COLUMNS[effort] for cell in cells]
        ids = ["-".join((*cell, str(columns))) for *cell, columns in rows]
        metafunc.parametrize(("subject_name", "operation", "format_name", "columns"), rows, ids=ids)
    elif "invariance" in metafunc.fixturenames:
        pairs = list(dict.fromkeys((subject, name) for subject, _, name in cells))
        ids = ["-".join(pair) for pair in pairs]
        metafunc.parametrize(("subject_name", "format_name"), pairs, ids=ids)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark-disable"):
        timed = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=timed)
        items[:] = [item for item in items if item not in set(timed)]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Exact values of all selected cases before the first test; after the last one the audit.

    mpmath is asked about the rows that the largest errors are on, in all cores.
    """
    config = session.config
    wanted: dict[tuple[str, str], Case] = {}
    for item in session.items:
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        if "case" in parameters:
            case: Case = parameters["case"]
            wanted[case.name, parameters["format_name"]] = case
    if config.option.collectonly or not wanted:
        return (yield)
    measured = config.stash[MEASUREMENTS]
    jobs = [(case.batches(FORMATS[name]), name) for (_, name), case in wanted.items()]
    cache, workers = Cache(config.getoption("--reference-cache")), os.cpu_count() or 1
    keys, found = list(wanted), exact_values(jobs, cache, workers)
    for index, values in _tracked(config, "exact values", found, len(jobs)):
        measured.exact[keys[index]] = values
    result = yield
    asked = confirmation.asked(measured.records, measured.exact)
    list(_tracked(config, "audit of the largest", confirm(asked, cache, workers), len(asked)))
    return result


def _tracked(config: pytest.Config, doing: str, things: Iterable[T], count: int) -> Iterator[T]:
    """Show how many of them are done, past pytest's capture."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), _progress() as progress:
        task = progress.add_task(doing, total=count)
        for thing in things:
            progress.advance(task)
            yield thing


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@pytest.fixture
def subject(pytestconfig: pytest.Config, subject_name: str) -> Subject:
    """The subject of a cell."""
    return pytestconfig.stash[SUBJECTS_OF_RUN][subject_name]


@pytest.fixture
def exact(pytestconfig: pytest.Config, case: Case, format_name: str) -> dict[str, Exact]:
    """Exact values of a case in a format, by operation."""
    return pytestconfig.stash[MEASUREMENTS].exact[case.name, format_name]


@pytest.fixture
def records(pytestconfig: pytest.Config) -> list[Record]:
    """Where every record of the run goes."""
    return pytestconfig.stash[MEASUREMENTS].records


@pytest.fixture
def invariance(pytestconfig: pytest.Config) -> list[Invariance]:
    """Where the invariances of the run go."""
    return pytestconfig.stash[MEASUREMENTS].invariance


# --- Run files -----------------------------------------------------------------------------------


def _section(config: pytest.Config) -> dict[str, Any]:
    measured = config.stash[MEASUREMENTS]
    return run_file.section(measured.records, measured.invariance, config.getoption("--effort"))


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["softmax"] = environment()


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    output_json["softmax"] = _section(config)
    config.stash[MEASUREMENTS].saved = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what pytest-benchmark does not: accuracy alone, and runs in which nothing was timed."""
    config = session.config
    paths = [config.getoption("--accuracy-json")]
    if not config.stash[MEASUREMENTS].saved:
        paths.append(getattr(config.option, "benchmark_json", None))
    wanted = [path for path in paths if path is not None]
    if not wanted or config.option.collectonly or session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    # The same hooks as pytest-benchmark calls, so that the file is what it would have written.
    machine_info = config.hook.pytest_benchmark_generate_machine_info(config=config)
    config.hook.pytest_benchmark_update_machine_info(config=config, machine_info=machine_info)
    content = config.hook.pytest_benchmark_generate_json(
        config=config,
        benchmarks=[],
        include_data=False,
        machine_info=machine_info,
        commit_info=config.hook.pytest_benchmark_generate_commit_info(config=config),
    )
    for path in wanted:
        write_whole(path, to_json({**content, "softmax": _section(config)}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    records = config.stash[MEASUREMENTS].records
    if records:
        terminalreporter.section("accuracy: largest ulp error of ordinary cases")
        for line in _worst_lines(records):
            terminalreporter.write_line(line)
        seconds = time.perf_counter() - config.stash[MEASUREMENTS].began
        terminalreporter.write_line(took("measuring", seconds))


def _worst_lines(records: list[Record]) -> list[str]:
    worst: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        if record.family == "random" and record.summary:
            cell = worst.setdefault((record.subject, record.format), {})
            figure = record.summary.max_ulp or 0.0
            cell[record.operation] = max(cell.get(record.operation, 0.0), figure)
    header = f"{'':24s}" + "".join(f"{operation:>15s}" for operation in OPERATIONS)
    return [header] + [
        f"{subject:16s}{format_name:8s}"
        + "".join(
            f"{cell[operation]:15.4g}" if operation in cell else f"{'-':>15s}"
            for operation in OPERATIONS
        )
        for (subject, format_name), cell in sorted(worst.items())
    ]
