"""What a hunt makes of rows: rows of the format, finite, and steps that do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from bench.hunt import boxes, moves, starts
from bench.hunt.domains import DOMAINS, RUNS
from bench.hunt.numbers import as_runs, count_runs, numbers, place_of, places, row_of
from numerics import FORMATS, FP16, FP32, Format

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


def test_places_are_the_order_of_all_finite_numbers() -> None:
    finite = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = np.unique(finite[np.isfinite(finite)])  # sorted, with one zero
    place = places(finite)
    assert (np.diff(place) == 1).all()
    assert (numbers(place, FP16) == finite).all()
    assert place_of(65504.0, FP16) == place.max()


@EVERY
def test_steps_beyond_the_largest_number_end_there(format: Format) -> None:
    end = places(np.array([format.largest, -format.largest], format.dtype))
    beyond = numbers(end * 1 + np.array([7, -7]), format)
    assert beyond.tolist() == [format.largest, -format.largest]


@EVERY
@pytest.mark.parametrize("width", [1, 2, 5, 600])
def test_children_are_finite_rows(format: Format, width: int) -> None:
    rng = np.random.default_rng(5)
    parents = starts.fresh(rng, (96, width), format)
    for _ in range(8):
        parents = moves.children(rng, parents, format)
        assert parents.dtype == format.dtype
        assert parents.shape == (96, width)
        assert np.isfinite(parents).all()


@pytest.mark.parametrize("move", moves.MOVES, ids=lambda move: move.name)
def test_every_move_changes_something(move: moves.Move) -> None:
    rng = np.random.default_rng(6)
    x = starts.fresh(rng, (200, 5), FP32)
    assert (move.apply(rng, x, FP32) != x).any(axis=1).mean() > 0.2


def test_ties_stay_ties_where_all_move() -> None:
    rng = np.random.default_rng(7)
    x = np.repeat(rng.normal(size=(300, 1)).astype(np.float32), 4, axis=1)
    kept = {"ulps, apart", "offset", "gap to the largest", "scale", "cancellation", "order", "ties"}
    for move in moves.MOVES:
        if move.name in kept:
            moved = move.apply(rng, x, FP32)
            assert (moved == moved[:, :1]).all(), move.name


def test_long_rows_have_few_runs() -> None:
    rng = np.random.default_rng(8)
    assert count_runs(starts.fresh(rng, (60, 600), FP32)).max() <= starts.VALUES
    drawn = boxes.drawn(rng, 30, 600, FP32)
    assert count_runs(boxes.rows(rng, drawn, 2, FP32)).max() <= 2 * starts.VALUES <= RUNS


@EVERY
def test_halves_of_a_box_are_that_box(format: Format) -> None:
    rng = np.random.default_rng(9)
    drawn = boxes.drawn(rng, boxes.KEPT, 3, format)
    assert (drawn.low <= drawn.high).all()
    halves = boxes.split(rng, drawn, 3, format)
    lower, upper = (slice(k * boxes.KEPT, (k + 1) * boxes.KEPT) for k in (0, 1))
    order = np.argsort(-drawn.score, kind="stable")
    assert (halves.low[lower] == drawn.low[order]).all()
    assert (halves.high[upper] == drawn.high[order]).all()
    along = halves.high[lower] != drawn.high[order]
    assert (along.sum(axis=1) <= 1).all()
    assert (halves.high[lower][along] == halves.low[upper][along]).all()


def test_rows_in_runs() -> None:
    row = np.repeat(np.array([0.1, -0.0, 3.0], np.float32), [2, 600, 1])
    assert len(as_runs(row)) == 3
    assert row_of(as_runs(row), FP32).tobytes() == row.tobytes()
    with pytest.raises(ValueError, match="no row of fp32"):
        row_of([[(0.1).hex(), 2]], FP32)
    with pytest.raises(ValueError, match="no row of fp32"):
        row_of([], FP32)


def test_in_range() -> None:
    x = np.array([[1, 2], [88, 88], [-87, 0], [-88, 0], [85, 85]], np.float32)
    holds = {domain.name: domain.holds(x, FP32).tolist() for domain in DOMAINS}
    assert holds["any"] == [True] * 5
    assert holds["in range"] == [True, False, True, False, True]
