"""What a subcommand is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """Grammar and work of one subcommand.

    `add` puts its grammar into the subparsers; `run` does its work, prints, and returns the exit
    status, None for 0. `needs`: the packages without which it cannot end, from the `extra`.
    """

    name: str
    add: Callable[[Any], None]
    run: Callable[[argparse.Namespace], int | None]
    extra: str
    needs: tuple[str, ...]
