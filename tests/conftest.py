"""Options of the tests; what those of `exact` measure can be kept for docs/exact.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import settings

Claim: TypeAlias = Callable[..., None]

settings.register_profile("here", deadline=None)  # how long an example takes is not asserted
settings.load_profile("here")

CLAIMS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--claims",
        type=Path,
        metavar="FILE.json",
        help="keep every error of a stage of `exact` that is measured, beside what is claimed",
    )
    parser.addoption(
        "--whole-verdicts",
        action="store_true",
        help="ask everything of every planted defect, not only the step that finds it",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--claims") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--claims: keeps what one process measures, without -n")
    config.stash[CLAIMS] = []


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> Claim:
    """Asserts measured <= claimed <= the constant of the code that stands for it; keeps all."""
    kept, test = request.config.stash[CLAIMS], request.node.originalname

    def check(stage: str, what: str, claimed: float, measured: Any, **constant: float) -> None:
        errors = {"claimed": float(claimed), "measured": float(measured)}
        kept.append({"stage": stage, "what": what, "constant": constant, "test": test} | errors)
        assert measured <= claimed, what
        assert all(claimed <= allowed for allowed in constant.values()), what

    return check


def pytest_sessionfinish(session: pytest.Session) -> None:
    file = session.config.getoption("--claims")
    if file is not None:
        made = {"numpy": np.__version__, "python": platform.python_version()}
        made["machine"] = platform.machine()
        content = {"environment": made, "claims": session.config.stash[CLAIMS]}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
