"""Where committed results lie: paths, and nothing else."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""

CORPUS = ROOT / "tests" / "numerics" / "exact_sha256.json"
"""sha256 of what `exact` makes of its corpus."""

VERSIONS = Path("runs") / "versions"
"""The committed runs by NumPy version, inside the committed results folder."""
REFERENCE = Path("runs") / "reference.json.xz"
"""The committed reference run, inside the committed results folder."""
RACE = "race.json"
"""The committed race, in the same folder."""
CLAIMS = "claims.json"
"""Errors of the stages of `exact`, claimed and measured."""
CALLS = "calls.json"
"""The committed calls on a few numbers, in the same folder."""
MISROUNDED = "misrounded.json"
"""The committed counts and times of `exact`, in the same folder."""
GRADIENT = "gradient.json"
"""What is left of the gradient on confident rows, in the same folder; its picture is beside it."""
PROCESSORS = "processors.json"
"""What held on which processor, in the same folder."""
SWEEPS = "sweeps"
VERDICTS = "verdicts.json.xz"
"""The committed verdicts on other libraries, in the same folder."""
MINE = "verdict-mine.json.xz"
"""The committed verdict on docs/mine.py, in the same folder."""
