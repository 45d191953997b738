"""verdict: everything worth knowing about a subject, asked of it where it lives.

For each operation and format: its formula, all cases plainly, then the same rows presented in many
ways, the contract, the time by kind of row and against our methods. Whoever dies is asked the next
thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bench.inputs import probes
from bench.inputs.cases import SEED, Batch, Case
from bench.inputs.formats import FORMATS, USUAL
from bench.inputs.probes import asked_at
from bench.judge import by_value
from bench.judge.by_value import Plain
from bench.judge.suspects.explain import explained
from bench.judge.suspects.explanation import Explanation
from bench.judge.verdicts import COLUMNS, PLAIN, Cell, Death, Speed, Verdict, Way, together
from bench.measure import contract, slow_paths, sums, timing
from bench.measure.asking import Answer
from bench.measure.contract import Found, Probed
from bench.measure.presentations import PRESENTATIONS, Presentation, Presented
from bench.measure.slow_paths import Pace
from bench.measure.sums import Sums
from bench.runs.track import Track
from bench.subjects.isolated import DiedError, Home
from bench.subjects.subject import FOREIGN, SUBJECTS, Subject
from bench.truth.ahead import Key, Truth
from numerics import ALL_FORMATS, OPERATIONS
from numerics.method import arguments

CONFIDENT, FORMULA = "confident", "formula"
BATCH_BYTES = 2**18
ROUNDS, SECONDS = 15, 0.1
"""At most so many rounds for each timing against our methods, and so long."""
DEATHS = 4
"""After so many, an operation is asked no more in that format."""
FORMAT_ORDER = ("fp32", "fp64", "fp16", "bf16")


@dataclass(frozen=True)
class Scope:
    """What is asked: operations, formats, how much, and for how many seconds a subject.

    `only` has the names of the steps to be asked, as a verdict names them; empty: all.
    """

    operations: tuple[str, ...] = OPERATIONS
    formats: tuple[str, ...] = USUAL
    effort: str = "quick"
    seconds: float = 600.0
    only: tuple[str, ...] = ()

    def cases(self, format_name: str) -> list[Case]:
        """The cases in a format."""
        return [case for case in asked_at(self.effort) if format_name in case.formats]

    def cells(self) -> list[tuple[str, str]]:
        """Operations and formats, an operation at a time."""
        formats = [name for name in FORMAT_ORDER if name in self.formats]
        return [(op, name) for op in OPERATIONS if op in self.operations for name in formats]

    def keys(self, subject: Subject) -> list[Key]:
        """The exact values that a subject is compared with, in their order."""
        return [
            (operation, case.name, name)
            for operation, name in self.cells()
            if subject.offers(operation, name)
            for case in (probes.TELLING, *self.cases(name))
        ]


def measure(home: Home, truth: Truth, track: Track, scope: Scope) -> Iterator[Cell | Verdict]:
    """Each cell when it is done, and the verdict on all of them at the end."""
    subject = home.subject
    asked = _Asking(home, truth, scope, time.monotonic() + scope.seconds)
    cells = []
    left = sum(subject.offers(*place) for place in scope.cells())
    for operation, format_name in scope.cells():
        cell = _refused(subject, operation, format_name)
        if cell is None:
            asked.share(left)
            cell = asked.cell(operation, format_name, track)
            left -= 1
        cells.append(cell)
        yield cell
    order = [(operation, name) for operation in OPERATIONS for name in ALL_FORMATS]
    cells.sort(key=lambda cell: order.index((cell.operation, cell.format)))
    yield Verdict(
        subject.name, subject.version, scope.effort, cells, asked.found, asked.paces,
        asked.speed, asked.deaths, dict(subject.origins),
    )  # fmt: skip


def complete(home: Home, truth: Truth, track: Track, scope: Scope) -> Verdict:
    """The verdict alone."""
    *_, last = measure(home, truth, track, scope)
    assert isinstance(last, Verdict)
    return last


def _refused(subject: Subject, operation: str, format_name: str) -> Cell | None:
    if subject.offers(operation, format_name):
        return None
    refusal = subject.refused.get((operation, format_name))
    return Cell(operation, format_name, False, [refusal] if refusal else [])


@dataclass
class _Asking:
    """One subject being asked, and what was found so far."""

    home: Home
    truth: Truth
    scope: Scope
    last: float
    end: float = 0.0
    found: list[Found] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    speed: list[Speed] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)

    def share(self, cells: int) -> None:
        """The time that is left, shared by so many cells: no format is left without any."""
        now = time.monotonic()
        self.end = now + (self.last - now) / cells

    def cell(self, operation: str, format_name: str, track: Track) -> Cell:
        """Everything about an operation in a format."""
        asking = _Cell(self, operation, format_name)
        steps = asking.steps()
        doing = f"{self.home.subject.name}: {operation} {format_name}"
        for what, step in track(steps, len(steps), doing):
            asking.take(what, step)
        return asking.result()


@dataclass
class _Cell:
    asked: _Asking
    operation: str
    format_name: str
    plain: list[tuple[Case, Way]] = field(default_factory=list)
    rows: list[Plain] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    formula: Explanation | None = None
    sums: list[Sums] = field(default_factory=list)

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """What is asked, each with its name, in order."""
        steps: list[tuple[str, Callable[[], None]]] = [(FORMULA, self._explained)]
        steps += [
            (f"case {case.name!r}", partial(self._case, case))
            for case in self.asked.scope.cases(self.format_name)
        ]
        over_axis = self.asked.home.subject.over_axis(self.operation)
        for way in PRESENTATIONS[1:]:
            if over_axis or not way.over_axis:
                steps.append((way.name, partial(self._presented, way)))
        offered = self.asked.home.subject
        names = [n for n in FORMAT_ORDER if n in self.asked.scope.formats
                 and offered.offers(self.operation, n)]  # fmt: skip
        for probe in contract.of(self.operation, self.format_name == names[0]):
            steps.append((probe, partial(self._probed, probe)))
        steps += [("time by kind of row", self._paced), ("time against ours", self._raced)]
        only = self.asked.scope.only
        return [(name, step) for name, step in steps if not only or name in only]

    def take(self, what: str, step: Callable[[], None]) -> None:
        """One step, unless there is no time or the subject died too often."""
        died = [d for d in self.asked.deaths
                if (d.operation, d.format) == (self.operation, self.format_name)]  # fmt: skip
        hung = sum("no answer" in death.how for death in died)
        if time.monotonic() > self.asked.end or len(died) + hung >= DEATHS:
            self.unmeasured.append(what)
            return
        try:
            step()
        except DiedError as error:
            self.unmeasured.append(what)
            self.asked.deaths.append(Death(self.operation, self.format_name, what, str(error)))

    def result(self) -> Cell:
        """All of it."""
        plain = together(PLAIN, [way for _, way in self.plain])
        random = [way for case, way in self.plain if case.family == "random"]
        confident = [way for case, way in self.plain if case.name == CONFIDENT]
        return Cell(
            self.operation, self.format_name, True, ways=[plain, *self.ways],
            ordinary_ulp=_max_ulp(random), confident_ulp=_max_ulp(confident),
            unmeasured=self.unmeasured,
            inputs=by_value.checksum([case.name for case, _ in self.plain], self.format_name),
            formula=self.formula, sums=sums.together(self.sums) if self.sums else None,
        )  # fmt: skip

    def _case(self, case: Case) -> None:
        exact = self.asked.truth((self.operation, case.name, self.format_name))
        if exact is None:
            return
        rows = by_value.rows_of(case.name, self.format_name)
        answers = self._plainly(rows.batches)
        plain = Plain(self.operation, rows, exact, [one.outputs for one in answers])
        way = by_value.judged(PLAIN, plain, answers, range(len(rows.batches)))
        self.plain.append((case, way))
        if self.operation == "softmax" and case.family == "random":
            self.sums += [sums.of_rows(got) for got in plain.outputs if got is not None]
        if case.name in probes.IN_MANY_WAYS:
            self.rows.append(plain)

    def _explained(self) -> None:
        name = probes.TELLING.name
        exact = self.asked.truth((self.operation, name, self.format_name))
        assert exact is not None  # its labels are in range
        rows = by_value.rows_of(name, self.format_name)
        self.formula = explained(self.operation, rows.format, rows.batches, exact, self._plainly)

    def _plainly(self, batches: Sequence[Batch]) -> Sequence[Answer]:
        answers: list[Answer] = self.asked.home.run(Presented(self.operation, PLAIN, batches))
        return answers

    def _presented(self, way: Presentation) -> None:
        found = []
        for plain in self.rows:
            places = [i for i, b in enumerate(plain.rows.batches) if way.takes(*b.x.shape)]
            if places:
                batches = [plain.rows.batches[i] for i in places]
                answers = self.asked.home.run(Presented(self.operation, way.name, batches))
                found.append(by_value.judged(way.name, plain, answers, places))
        if found:
            self.ways.append(together(way.name, found))
        else:
            self.unmeasured.append(way.name)

    def _probed(self, probe: str) -> None:
        task = Probed(self.operation, self.format_name, probe)
        self.asked.found.append(self.asked.home.run(task))

    def _paced(self) -> None:
        task = slow_paths.Paced(self.operation, self.format_name, self.asked.scope.effort)
        self.asked.paces += self.asked.home.run(task)

    def _raced(self) -> None:
        self.asked.speed += self.asked.home.run(Raced(self.operation, self.format_name))


def _max_ulp(ways: Sequence[Way]) -> float | None:
    ulps = [t.max_ulp for way in ways for t in way.tallies.values() if t.max_ulp is not None]
    return max(ulps, default=None)


# --- Speed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raced:
    """A task: times against our methods, one for each K; none where the subject raises."""

    operation: str
    format: str

    def __call__(self, subject: Subject) -> list[Speed]:
        """A speed for each K."""
        try:
            return [self._speed(subject, columns) for columns in COLUMNS]
        except FOREIGN:
            return []

    def _speed(self, subject: Subject, columns: int) -> Speed:
        dtype = FORMATS[self.format].dtype
        rows = BATCH_BYTES // dtype.itemsize // columns
        rng = np.random.default_rng(SEED)
        x = rng.normal(scale=3.0, size=(rows, columns)).astype(dtype)
        labels = rng.integers(0, columns, size=rows)
        given = arguments(self.operation, x, labels)
        raced = {"subject": subject, "stable": SUBJECTS["stable"], "fast": SUBJECTS["fast"]}
        calls: dict[str, timing.Call] = {
            name: partial(one.functions[self.operation], *given) for name, one in raced.items()
        }
        seconds = timing.interleaved(calls, ROUNDS, SECONDS)
        cell = timing.Cell(self.operation, self.format, 0, rows, columns, seconds)
        over_stable, over_fast = (cell.ratio("subject", to) for to in ("stable", "fast"))
        own = cell.ns_per_element("subject")
        return Speed(self.operation, self.format, columns, own, over_stable, over_fast, rows,
                     seconds["subject"])  # fmt: skip
