"""The lab's driver: naive against stable on its eight cases, predictions against reality.

`python -m bench.compare` writes results/results.json, results/manifest.json and
results/softmax_break.png, and the lab's tables into README.md. Everything is made before anything
is written, so that an interruption leaves the old results whole.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.inputs.cases import CASES, LAB_LABEL, SEED, Case, checksum
from bench.runs import run_file
from bench.runs.files import replace_between_markers, write_all
from numerics import FORMATS, METHODS, Format, Method

PREDICTIONS = Path(__file__).with_name("predictions.toml")
LAB_METHODS = ("naive", "stable")
FIGURES = ("naive_nan", "stable_nan", "cross_entropy")


class PredictionError(ValueError):
    """predictions.toml does not explain what diverged, or explains what did not."""


@dataclass(frozen=True)
class Outcome:
    """What one implementation made of one case: its output, and the figures the lab asks for.

    `cross_entropy` is a float, or the message of the IndexError where label 1 does not exist.
    """

    output: list[float]
    has_nan: bool
    sum: float
    largest: float
    cross_entropy: float | str


@dataclass(frozen=True)
class Comparison:
    """Both implementations on one case in one format.

    `relative_difference` is |naive - stable| / stable for each entry, NaN where naive is not valid.
    """

    case: str
    format: str
    naive: Outcome
    stable: Outcome
    relative_difference: list[float]


def run_lab() -> list[Comparison]:
    """The eight cases in all three formats, in the lab's order."""
    cases = [case for case in CASES if case.family == "lab"]
    return [_compare(case, format) for case in cases for format in FORMATS.values()]


def _compare(case: Case, format: Format) -> Comparison:
    x = case.batches(format)[0].x[0]
    naive, stable = (_outcome(METHODS[name], x) for name in LAB_METHODS)
    return Comparison(
        case=case.name,
        format=format.name,
        naive=naive,
        stable=stable,
        relative_difference=list(map(_relative_difference, naive.output, stable.output)),
    )


def _outcome(method: Method, x: Any) -> Outcome:
    with np.errstate(all="ignore"):  # naive warns where it breaks; its NaNs are the finding
        output = [float(p) for p in method.softmax(x)]
        try:
            cross_entropy: float | str = float(method.cross_entropy(x, LAB_LABEL))
        except IndexError as error:
            cross_entropy = f"IndexError: {error}"
    has_nan = any(math.isnan(p) for p in output)
    return Outcome(
        output=output,
        has_nan=has_nan,
        sum=math.nan if has_nan else math.fsum(output),
        largest=math.nan if has_nan else max(output),
        cross_entropy=cross_entropy,
    )


def _relative_difference(naive: float, stable: float) -> float:
    if math.isnan(naive):
        return math.nan
    return abs(naive - stable) / stable if stable else abs(naive - stable)


# --- Predictions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Divergence:
    """A figure that was predicted wrong, in some formats, and the arithmetic reason."""

    case: str
    figure: str
    formats: tuple[str, ...]
    predicted: str
    because: str


def predictions() -> dict[str, Any]:
    """predictions.toml, by case."""
    return tomllib.loads(PREDICTIONS.read_text(encoding="utf-8"))


def reality(comparison: Comparison) -> dict[str, str]:
    """The predicted figures as they came out, in the words of predictions.toml."""
    loss = comparison.stable.cross_entropy
    return {
        "naive_nan": "yes" if comparison.naive.has_nan else "no",
        "stable_nan": "yes" if comparison.stable.has_nan else "no",
        "cross_entropy": "undefined" if isinstance(loss, str) else repr(loss),
    }


def agrees(predicted: str, actual: str, format: Format) -> bool:
    """Whether a prediction holds: equal words, or within half a unit of its last digit.

    The number that came out may be off by the rounding of its own format on top.
    """
    if predicted in (actual, "?"):
        return True
    try:
        expected, value = float(predicted), float(actual)
    except ValueError:
        return False
    digits = len(predicted.partition(".")[2])
    rounding = format.unit_roundoff * abs(value)
    return abs(expected - value) <= 0.5 * 10.0**-digits + rounding


def diverged(comparisons: Sequence[Comparison]) -> set[tuple[str, str, str]]:
    """(case, figure, format) of every prediction that did not hold."""
    predicted = predictions()
    return {
        (c.case, figure, c.format)
        for c in comparisons
        for figure in FIGURES
        if not agrees(predicted[c.case][c.format][figure], reality(c)[figure], FORMATS[c.format])
    }


def explanations() -> list[Divergence]:
    """The reasons that predictions.toml gives."""
    return [
        Divergence(
            case=case,
            figure=entry["figure"],
            formats=tuple(entry["formats"]),
            predicted=table[entry["formats"][0]][entry["figure"]],
            because=entry["because"],
        )
        for case, table in predictions().items()
        for entry in table.get("diverged", [])
    ]


def unexplained(comparisons: Sequence[Comparison]) -> set[tuple[str, str, str]]:
    """Divergences without a reason, and reasons without a divergence; should be empty."""
    explained = {(e.case, e.figure, f) for e in explanations() for f in e.formats}
    return explained ^ diverged(comparisons)


# --- What is written -----------------------------------------------------------------------------


def results_json(comparisons: Sequence[Comparison]) -> str:
    """All comparisons; floats are numbers, and NaN and infinities the strings of their names."""
    return run_file.to_json(
        {"label": LAB_LABEL, "comparisons": [_plain(asdict(c)) for c in comparisons]}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def manifest_json(files: dict[str, bytes]) -> str:
    """Seed, versions, CPU and commit of this run, and checksums of its inputs and files."""
    from pytest_benchmark import plugin, utils

    # The same facts as in a run file, from the same place; pytest-benchmark has no types.
    commit: dict[str, Any] = utils.get_commit_info()  # type: ignore[no-untyped-call]
    machine: Any = plugin.pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    return run_file.to_json(
        {
            "command": "python -m bench.compare",
            "seed": SEED,
            "label": LAB_LABEL,
            "commit": commit.get("id", "unknown"),
            "dirty": bool(commit.get("dirty")),
            "cpu": machine["cpu"].get("brand_raw", "unknown"),
            "environment": run_file.environment(),
            "inputs_sha256": {
                f"{case.name} {format.name}": checksum(case.batches(format))
                for case in CASES
                if case.family == "lab"
                for format in FORMATS.values()
            },
            "files_sha256": {
                name: hashlib.sha256(content).hexdigest() for name, content in files.items()
            },
        }
    )


def fill_readme(document: str, comparisons: Sequence[Comparison]) -> str:
    """The README with the lab's four tables between their markers."""
    from bench.show import tables

    sections: dict[str, Callable[[], str]] = {
        "lab predictions": lambda: tables.predictions(predictions()),
        "lab results": lambda: tables.lab_results(comparisons),
        "lab divergences": lambda: tables.divergences(comparisons, explanations()),
    }
    for name, content in sections.items():
        document = replace_between_markers(document, name, content())
    return document


def write(results: Path, readme: Path) -> list[Path]:
    """Run the lab and write everything that it makes; returns the paths."""
    from bench.lab import figure as lab_figure

    comparisons = run_lab()
    if missing := unexplained(comparisons):
        raise PredictionError(f"{PREDICTIONS.name}: needs or has too many reasons for {missing}")
    document = fill_readme(readme.read_text(encoding="utf-8"), comparisons)
    files = {
        "results.json": results_json(comparisons).encode(),
        "softmax_break.png": lab_figure.softmax_break(comparisons),
    }
    files["manifest.json"] = manifest_json(files).encode()
    written = {results / name: content for name, content in files.items()}
    written[readme] = document.encode()
    write_all(written)
    return list(written)
