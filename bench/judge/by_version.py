"""Runs of several NumPy versions, oldest first: same bits, and times as ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.judge import diff
from bench.runs import run_file
from bench.runs.keep import BITS
from bench.runs.run_file import Run

if TYPE_CHECKING:
    import pandas as pd


def identity(shown: Sequence[Run]) -> dict[str, npt.NDArray[np.float64]]:
    """For each subject, run x run: the share of records with the same bits in both."""
    import pandas as pd

    tables = [run.accuracy.set_index(diff.CELL)["output_sha256"] for run in run_file.shared(shown)]
    bits = pd.concat([table.str[:BITS] for table in tables], axis=1, join="inner")
    bits = bits[(bits != "").all(axis=1)]
    found = {}
    for subject, rows in bits.groupby("subject", sort=False):
        of_runs = rows.to_numpy()
        found[str(subject)] = (of_runs[:, :, None] == of_runs[:, None, :]).mean(axis=0)
    return found


def time_ratios(shown: Sequence[Run], by: Sequence[str]) -> pd.DataFrame:
    """Geometric mean of times over those of the first run, a column for each run.

    NaN where a run was made on another machine than the first.
    """
    import pandas as pd

    first = _times(shown[0])
    columns = {}
    for run in shown:
        logs = np.log(_times(run) / first)
        ratios = np.exp(logs.groupby(level=list(by), sort=False).mean())
        columns[run.label] = ratios if run.machine == shown[0].machine else ratios * np.nan
    return pd.DataFrame(columns)


def _times(run: Run) -> Any:
    return run.throughput.set_index(diff.SHAPE)["ns_per_element"]
