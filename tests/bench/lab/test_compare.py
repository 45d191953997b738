"""The lab: its results, its predictions, and README's copy of both."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.lab import predictions
from bench.lab import results as lab_results
from bench.lab.comparison import Comparison, Outcome, run_lab
from bench.lab.predictions import agrees
from bench.lab.results import results_json
from numerics import FORMATS

ROOT = Path(__file__).parents[3]


def read_results(text: str) -> list[Comparison]:
    """The comparisons of a results.json."""

    def outcome(fields: dict[str, Any]) -> Outcome:
        loss = fields["cross_entropy"]
        undefined = isinstance(loss, str) and loss.startswith("IndexError")
        numbers = {name: float(fields[name]) for name in ("sum", "largest")}
        return Outcome(
            output=[float(p) for p in fields["output"]],
            has_nan=fields["has_nan"],
            cross_entropy=loss if undefined else float(loss),
            **numbers,
        )

    return [
        Comparison(
            case=c["case"],
            format=c["format"],
            naive=outcome(c["naive"]),
            stable=outcome(c["stable"]),
            relative_difference=[float(d) for d in c["relative_difference"]],
        )
        for c in json.loads(text)["comparisons"]
    ]


@pytest.fixture(scope="module")
def lab() -> dict[tuple[str, str], Comparison]:
    return {(c.case, c.format): c for c in run_lab()}


def test_naive_gives_nan_where_the_arithmetic_says_and_stable_nowhere(
    lab: dict[tuple[str, str], Comparison],
) -> None:
    broken = {key for key, c in lab.items() if c.naive.has_nan}
    assert broken == {
        ("large positive", "fp16"),
        ("large positive", "fp32"),
        ("large negative", "fp16"),
        ("single element", "fp16"),
    }
    assert not any(c.stable.has_nan for c in lab.values())


def test_cross_entropies(lab: dict[tuple[str, str], Comparison]) -> None:
    assert lab["masked entry", "fp64"].stable.cross_entropy == math.inf
    assert str(lab["single element", "fp32"].stable.cross_entropy).startswith("IndexError: label 1")
    assert lab["large negative", "fp64"].stable.cross_entropy == 100.0


def test_every_divergence_is_explained_and_nothing_else() -> None:
    assert predictions.unexplained(run_lab()) == set()


def test_an_unexplained_divergence_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = predictions.explanations()
    monkeypatch.setattr(predictions, "explanations", lambda: reasons[1:])
    case, figure = reasons[0].case, reasons[0].figure
    assert predictions.unexplained(run_lab()) == {(case, figure, f) for f in reasons[0].formats}


def test_the_lab_authors_predictions_stand_slips_included() -> None:
    predicted = predictions.predictions()
    assert predicted["small magnitudes"]["fp32"]["cross_entropy"] == "1.50"
    assert predicted["large positive"]["fp64"] == {
        "naive_nan": "yes",
        "stable_nan": "no",
        "cross_entropy": "91",
    }
    assert predicted["large negative"]["fp32"]["cross_entropy"] == "0"


def test_agreement_is_half_a_unit_of_the_last_digit() -> None:
    fp16, fp64 = FORMATS["fp16"], FORMATS["fp64"]
    assert agrees("1.72", "1.719", fp64)
    assert not agrees("1.72", "1.7149", fp64)
    assert agrees("inf", "inf", fp64)
    assert agrees("?", "3.0", fp64)
    assert not agrees("0", "undefined", fp64)
    assert agrees("6.397", "6.3984375", fp16)
    assert not agrees("6.397", "6.3984375", fp64)


def test_results_json_has_no_nan_token_and_reads_back() -> None:
    text = results_json(run_lab())
    json.loads(text, parse_constant=lambda token: pytest.fail(f"bare {token}"))
    assert results_json(read_results(text)) == text


def test_the_committed_results_are_whole_and_readme_shows_them() -> None:
    folder, readme = ROOT / "results", (ROOT / "README.md").read_text(encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 42
    assert manifest["dirty"] is False, "run `python -m bench.compare` on a clean checkout"
    for name, digest in manifest["files_sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    committed = read_results((folder / "results.json").read_text())
    assert lab_results.fill_readme(readme, committed) == readme

    def findings(comparisons: list[Comparison]) -> list[tuple[str, str, bool, bool]]:
        return [(c.case, c.format, c.naive.has_nan, c.stable.has_nan) for c in comparisons]

    assert findings(committed) == findings(run_lab())


def test_a_divergence_without_a_reason_stops_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predictions, "explanations", list)
    assert main(["compare", "-o", str(tmp_path / "results")]) == 2
    assert "predictions.toml" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_an_interruption_leaves_the_old_results_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme, results = tmp_path / "README.md", tmp_path / "results"
    readme.write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    arguments = ["compare", "-o", str(results), "--readme", str(readme)]
    monkeypatch.setattr("bench.lab.figure.softmax_break", lambda comparisons: b"a figure")
    assert main(arguments) == 0
    before = {path.name: path.read_bytes() for path in results.iterdir()}
    assert set(before) == {"results.json", "manifest.json", "softmax_break.png"}

    def interrupt(comparisons: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.lab.figure.softmax_break", interrupt)
    assert main(arguments) == 130
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before


def test_a_readme_without_markers_is_an_error_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.lab.figure.softmax_break", lambda comparisons: b"a figure")
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    assert main(["compare", "-o", str(tmp_path / "results"), "--readme", str(readme)]) == 2
    assert "markers" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
