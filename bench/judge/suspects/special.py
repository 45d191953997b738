"""What a formula makes of special rows: a subject that gives something else takes them apart."""

from __future__ import annotations

import math

import numpy as np

from bench.inputs.kinds import EMPTY, PLUS_INF, WITH_NAN
from bench.judge.policies import named
from bench.judge.suspects.arithmetic import Arithmetic
from bench.judge.suspects.formulas import SUSPECTS
from numerics.formats import FP64
from numerics.method import ELEMENTWISE

_ROWS: dict[str, tuple[tuple[float, ...], ...]] = {
    EMPTY: ((-math.inf,), (-math.inf, -math.inf, -math.inf)),
    PLUS_INF: ((math.inf,), (0.0, math.inf, 1.0), (math.inf, -math.inf), (math.inf, math.inf, 0.0)),
    WITH_NAN: ((math.nan,), (0.0, math.nan, 1.0), (math.nan, -math.inf), (math.inf, math.nan)),
}


def by_formula(operation: str, name: str, kind: str) -> set[str]:
    """The policies that follow from a formula alone, by the name that an explanation gives it.

    None of a formula that is not in the table, as in a file that was kept before.

    >>> by_formula("softmax", "exponentials over their sum, without a shift", EMPTY)
    {'NaN row'}
    >>> by_formula("log_sum_exp", "the log of the sum, without a shift", EMPTY)
    {'-inf'}
    """
    fitting = [one for one in SUSPECTS[operation] if name.startswith(one.name)]
    if not fitting:
        return set()
    suspect = max(fitting, key=lambda one: len(one.name))  # words on its arithmetic follow
    program = suspect.program(Arithmetic("", FP64.dtype))
    found = set()
    for row in _ROWS[kind]:
        for label in range(len(row)):
            x = np.array([row])
            with np.errstate(all="ignore"):
                got = program(x, np.array([label]))[0]
            outputs = got if operation in ELEMENTWISE else got[0]
            found.add(named(operation, kind, x[0], label, outputs))
    return found
