"""What tests of several rooms share."""

from __future__ import annotations

import pytest

from bench.inputs import probes
from bench.judge import verdict
from bench.measure import slow_paths

NAMES = ("large positive", "confident", "near tie", "masked entry", "empty rows", "equal")
NAMES += (probes.PRESENTED, probes.PRESENTED_SPECIAL)


@pytest.fixture
def small_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts of a few cases and shapes, each timed once: for tests of what is not a time."""
    monkeypatch.setattr(verdict, "asked_at", lambda effort: [probes.named(n) for n in NAMES])
    monkeypatch.setattr(verdict, "COLUMNS", (5, 64))
    monkeypatch.setattr(verdict, "BATCH_BYTES", 2**12)
    monkeypatch.setattr(verdict, "ROUNDS", 1)
    monkeypatch.setattr(slow_paths, "VARIANTS", slow_paths.VARIANTS[:2])
    monkeypatch.setattr(slow_paths, "LEAST", 1)
    monkeypatch.setattr(slow_paths, "ROUNDS", 1)
