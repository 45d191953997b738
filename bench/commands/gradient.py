"""gradient: what is left of p_y - 1 on confident rows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.commands.command import Command
from bench.commands.progress import progress
from bench.runs.files import check_writable, to_json, write_all


def add(commands: Any) -> None:
    """Its name, and where to keep what was found."""
    faded = commands.add_parser(
        "gradient",
        help="what is left of the gradient on ever more confident rows, of methods and libraries",
        description="The relative error of p_y - 1, the gradient of cross-entropy at the label, "
        "against the gap between its logit and the others: our methods, and the libraries that "
        "are installed, in the formats of NumPy, and in bf16 where ml_dtypes is there. A table; "
        "with -o FILE.json the figures, and the picture beside them.",
    )
    faded.add_argument(
        "-o", "--output", type=Path, metavar="FILE.json", help="keep it, and draw it beside that"
    )


def run(options: argparse.Namespace) -> None:
    """Measure, keep and draw, print."""
    from bench.inputs.formats import FORMATS
    from bench.measure import confidence
    from bench.show import confidence_plot

    output: Path | None = options.output
    if output:
        check_writable(output)
    subjects, versions = confidence.subjects()
    measured = progress(confidence.measure(subjects), len(FORMATS), "rows")
    found = [one for of_format in measured for one in of_format]
    if output:
        file = to_json(confidence.content(found, versions))
        write_all({output: file, output.with_suffix(".png"): confidence_plot.picture(found)})
    print(confidence_plot.table(found))


COMMAND = Command("gradient", add, run, "report", ("matplotlib", "mpmath", "rich", "tabulate"))
