"""Where results and caches lie: in the checkout, or with whoever uses an installed harness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout, or where the harness is installed."""
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()
COMMITTED = ROOT / "results"
"""The committed results; an installed harness has none."""
RESULTS = COMMITTED if IN_CHECKOUT else Path("softmax-results")
"""Where to write: never into an installation."""
README = ROOT / "README.md" if IN_CHECKOUT else None

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
SUSPECTS = "suspects.json"
"""How surely formulas were told, in the same folder."""
PROCESSORS = "processors.json"
"""What held on which processor, in the same folder."""
SWEEPS = "sweeps"
"""The committed sweeps, in the same folder."""
WORST = "worst"
"""The worst rows that a hunt has found, in the same folder."""
VERDICTS = "verdicts.json.xz"
"""The committed verdicts on other libraries, in the same folder."""
MINE = "verdict-mine.json.xz"
"""The committed verdict on docs/mine.py, in the same folder."""


def reference_cache() -> Path:
    """Where exact values are kept: in the checkout, or in the user's cache folder."""
    if IN_CHECKOUT:
        return ROOT / ".reference-cache"
    from platformdirs import user_cache_path

    return user_cache_path("softmax-numerics", appauthor=False) / "references"


def need_committed(files: Sequence[Path]) -> None:
    """CheckoutError where no file is given, and there is no checkout to take the default from."""
    if not files and not IN_CHECKOUT:
        raise CheckoutError("give a FILE: only a checkout has committed runs to take instead")


class CheckoutError(Exception):
    """What only a checkout has was asked of an installed harness."""
