"""--label: what a run is called in tables and pictures."""

from __future__ import annotations

import argparse


def add_label(parser: argparse.ArgumentParser) -> None:
    """One for each run, in their order."""
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="what to call a run; once for each, in their order (default: its NumPy, and where "
        "several have the same, the name of the file)",
    )
