"""The bounds of all methods once more, of one row, in mpmath, as their docstrings derive them.

Written from the theorems, number by number, where `numerics.bounds` works on arrays in fp64:
what the two share is what they rest on, `facts.ELEMENTARY` and `facts.summation_depth`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import mp, mpf

from numerics import ALL_FORMATS as FORMATS
from numerics import Format
from numerics.facts import ELEMENTARY, summation_depth
from numerics.two_pass import LN2, REACH

INF = mp.inf
BLOCK = 64
"""Columns that `online` takes at a time."""
WIDER = {"fp16": FORMATS["fp32"], "bf16": FORMATS["fp32"], "fp32": FORMATS["fp64"]}
HALVES = ("fp16", "bf16")


@dataclass
class Row:
    """A row of finite logits and -inf, and what theorems need to know of it."""

    x: list[Any]
    label: int
    format: Format

    def __post_init__(self) -> None:
        self.u, self.tiny = mpf(self.format.unit_roundoff), mpf(self.format.smallest_normal)
        self.x = list(map(mpf, self.x))
        self.top = max(self.x)
        self.gap = [self.top - x for x in self.x]
        self.exp = [mp.exp(-gap) for gap in self.gap]
        largest = self.x.index(self.top)
        self.rest = mp.fsum(self.exp[:largest] + self.exp[largest + 1 :])
        self.p = [e / (1 + self.rest) for e in self.exp]
        self.share = mp.fsum(self.others(self.exp)) / (1 + self.rest)  # 1 - p_y
        self.gradient = [self.share if i == self.label else p for i, p in enumerate(self.p)]
        self.log = mp.log1p(self.rest)
        self.y = self.top + self.log
        self.surprise = [gap + self.log for gap in self.gap]
        self.constants = ELEMENTARY[self.format.name]
        # Rows of 16 bits are summed in fp32, and what is computed from the sum is, too.
        of_sum = "fp32" if self.format.name in HALVES else self.format.name
        self.unit = mpf(FORMATS[of_sum].unit_roundoff) / self.u
        self.of_sum = {k: v * self.unit for k, v in vars(ELEMENTARY[of_sum]).items()}
        self.depth = self.unit * summation_depth(len(self.x))

    def others(self, values: list[Any]) -> list[Any]:
        """Without that of the label."""
        return values[: self.label] + values[self.label + 1 :]

    def wider(self) -> Row:
        return Row(self.x, self.label, WIDER[self.format.name])

    def mean(self, values: list[Any]) -> Any:
        return mp.fsum(p * v for p, v in zip(self.p, values, strict=True) if p)

    def grown(self, roundings: Any) -> Any:
        """exp(T u / (1 - 8 u)) - 1, in u: a product of factors that are at most 8 u off each."""
        grown = mp.expm1(self.of_logarithm(roundings) * self.u) / self.u
        return grown if grown <= FORMATS["fp64"].largest else INF

    def of_logarithm(self, roundings: Any) -> Any:
        return roundings / (1 - 8 * self.u)

    def underflowing(self, function: float) -> Any:
        """Terms below the smallest normal number, each off by function u smallest_normal."""
        short = mp.fsum(self.tiny - e for e in self.exp if 0 < e < self.tiny)
        return function * short / (1 - self.u * function * short)

    def rounded(self, value: Any, before: Any) -> Any:
        """What went in, moved by the last rounding too, and the last rounding itself."""
        return (0 if mp.isinf(value) else abs(value)) + (1 + self.u) * before + self.tiny

    def once(self, values: list[Any], wide: list[Any], besides: Any = 0) -> list[Any]:
        """Computed in the wider format, to within `wide` of its u, and rounded."""
        ratio = mpf(WIDER[self.format.name].unit_roundoff) / self.u
        return [
            self.rounded(v, b * ratio + besides / self.u) for v, b in zip(values, wide, strict=True)
        ]


Four = tuple[list[Any], list[Any], Any]
"""Bounds of softmax, log-softmax and log-sum-exp."""


# --- With a shift --------------------------------------------------------------------------------


def _paid(row: Row, factor: Any, function: float) -> list[Any]:
    """The shift, and the exponential, but exp(0) = 1 is exact."""
    return [factor * gap + (function if gap else 0) for gap in row.gap]


def _quotient(row: Row, terms: list[Any], total: Any) -> list[Any]:
    division = 1 + (row.unit if row.format.name in HALVES else 0)
    floor = (row.constants.exp + 1) * row.tiny
    return [
        p * row.grown(term + total + division) + floor if p else floor
        for p, term in zip(row.p, terms, strict=True)
    ]


def _log_of(row: Row, total: Any, log: Any) -> Any:
    argument = row.of_logarithm(total)
    return argument + log * (row.log + row.u * argument)


def _with_log(row: Row, of_log: Any) -> tuple[list[Any], Any]:
    """(x_i - m) - log s, and m + log s."""
    each = zip(row.surprise, row.gap, strict=True)
    return [row.rounded(s, gap + of_log) for s, gap in each], row.rounded(row.y, of_log)


def stable(row: Row) -> Four:
    terms = _paid(row, 1, row.constants.exp)
    total = row.mean(terms) + row.underflowing(row.constants.exp) + row.depth
    log = _log_of(row, total, row.of_sum["log"])
    return _quotient(row, terms, total), *_with_log(row, log)


def online(row: Row) -> Four:
    terms, tops = _paid(row, 1, row.constants.exp), []
    for start in range(0, len(row.x), BLOCK):
        tops.append(max(row.x[start : start + BLOCK]))
    rises = sum(top > max(tops[:i]) for i, top in enumerate(tops) if i)
    exp = row.constants.exp
    rescaled = rises * (exp + row.unit + exp * len(row.x) * row.tiny)
    depth = row.unit * (summation_depth(min(len(row.x), BLOCK)) + len(tops) - 1)
    total = row.mean(terms) + rescaled + row.underflowing(exp) + depth
    log = _log_of(row, total, row.of_sum["log"])
    return _quotient(row, terms, total), *_with_log(row, log)


def base2(row: Row) -> Four:
    exp2 = row.constants.exp2
    terms = _paid(row, 3 * (1 + 2 * row.u), exp2)
    total = row.mean(terms) + row.underflowing(exp2) + row.depth
    log = _log_of(row, total, row.of_sum["log2"] + 2 * row.unit)
    return _quotient(row, terms, total), *_with_log(row, log)


def _of_others(row: Row, terms: list[Any], depth: Any) -> Any:
    """Error of r over 1 + r: of all terms but one of the largest, which is 1."""
    largest = row.gap.index(0)
    others = [e * row.grown(t + depth) for e, t in zip(row.exp, terms, strict=True) if e]
    others.pop(sum(e > 0 for e in row.exp[:largest]))
    return (mp.fsum(others) + row.underflowing(row.constants.exp)) / (1 + row.rest)


def _log1p_of(row: Row, error: Any, log1p: Any) -> Any:
    argument = error / max(1 - row.u * error, row.u)
    return argument + log1p * (row.log + row.u * argument)


def log1p(row: Row) -> Four:
    terms = _paid(row, 1, row.constants.exp)
    error = _of_others(row, terms, row.depth)
    log = _log1p_of(row, error, row.of_sum["log1p"])
    return _quotient(row, terms, error + row.unit), *_with_log(row, log)


def division_free(row: Row) -> Four:
    _, _, of_y = stable(row)
    floor = row.constants.exp * row.tiny
    softmax = [
        p * row.grown((1 + row.u) * of_y + s + row.constants.exp) + floor if p else floor
        for p, s in zip(row.p, row.surprise, strict=True)
    ]
    return softmax, [row.rounded(s, of_y) for s in row.surprise], of_y


# --- Without -------------------------------------------------------------------------------------


def naive(row: Row) -> Four:
    exp, log, u = row.constants.exp, row.constants.log, row.u
    terms = [exp * max(row.tiny * mp.exp(-x), 1) for x in row.x]
    share = row.tiny * mp.exp(-row.y)
    short = (share - p for p, x in zip(row.p, row.x, strict=True) if p < share and mp.isfinite(x))
    lost = u * exp * mp.fsum(short)
    in_fp32 = row.format.name == "bf16"  # and rounded to bf16
    count = row.depth + 1 if in_fp32 else summation_depth(len(row.x))
    total = exp + (lost / (1 - lost) / u if lost < 0.5 else INF) + count
    if row.y + u * total > math.log(row.format.largest) or row.top > row.format.exp_overflow:
        return [INF] * len(row.x), [INF] * len(row.x), INF
    softmax = [
        p * row.grown(t + total + 1) + row.tiny if p else row.tiny
        for p, t in zip(row.p, terms, strict=True)
    ]
    argument = row.of_logarithm(total)
    of_y = argument + log * (abs(row.y) + u * argument) + row.tiny
    logs = []
    for p, bound, s in zip(row.p, softmax, row.surprise, strict=True):
        lost_all = not p or u * bound >= p
        moved = INF if lost_all else -mp.log1p(-u * bound / p) / u
        logs.append(moved if lost_all else moved + log * (s + u * moved) + row.tiny)
    return softmax, logs, of_y


def two_pass(row: Row) -> Four:
    name, reach = row.format.name, REACH[row.format.name]
    within, low = abs(row.top) <= reach, abs(mpf(LN2[name][1]))
    terms = []
    for x, gap in zip(row.x, row.gap, strict=True):
        distance = min(abs(x) if within else gap, 2 * reach)  # n ln 2, to within 1.45 times
        reduction = mpf(0.4) + 2 * low * (mpf(1.45) * distance + 1)
        terms.append((0 if within else gap) + reduction + row.constants.exp)
    small = sum(0 < e < 2 * row.tiny for e in row.exp)
    total = row.mean(terms) + mpf(1.5) * row.tiny * small + row.depth
    wide = "fp32" if name in HALVES else name
    n_low = mpf(1.45) * abs(mpf(LN2[wide][1])) * ((abs(row.top) if within else 0) + 1)
    inner = row.of_sum["log"] * (row.log + mpf(0.4)) + row.unit * (row.log + mpf(0.4) + 3 * n_low)
    log = row.of_logarithm(total) + inner
    of_y = (1 + row.unit) * log + row.unit * abs(row.y)
    logs = [row.rounded(s, of_y) for s in row.surprise]
    return _quotient(row, terms, total), logs, row.rounded(row.y, log)


# --- Little more than the last rounding ----------------------------------------------------------


def _once(row: Row, of: Callable[[Row], Four], besides: Any = 0) -> Four:
    softmax, logs, of_y = of(row.wider())
    return (
        row.once(row.p, softmax, besides),
        row.once(row.surprise, logs, besides),
        row.once([row.y], [of_y], besides)[0],
    )


def compensated(row: Row) -> Four:
    if row.format.name in HALVES:
        return _once(row, compensated)
    lost = 2 * row.tiny / (1 + row.rest)
    softmax = [p * row.grown(1 + 3 * mpf("0.1") + lost) + 2 * row.tiny for p in row.p]
    # Newton's step is relative to a small r; around 0.4 the computed r may be on either side.
    log = 3 * mpf("0.1") * (row.log if row.rest < 0.39 else 1) + 2 * lost
    return softmax, [row.rounded(s, log) for s in row.surprise], row.rounded(row.y, log)


def widened(row: Row) -> Four:
    return _once(row, log1p)


def half_an_ulp(row: Row, value: Any, doubt: Any = 0) -> Any:
    largest = min(abs(value) * (1 + mpf(2) ** -30) + doubt, mpf(FORMATS["fp64"].largest))
    return max(mpf(2) ** (mp.mag(largest) - 1) if largest else 0, row.tiny)


def exact(row: Row) -> Four:
    in_doubt = (abs(row.top) + row.log) * mpf(2) ** -48
    return (
        [half_an_ulp(row, p) for p in row.p],
        [half_an_ulp(row, s if mp.isfinite(s) else mp.inf) for s in row.surprise],
        half_an_ulp(row, row.y, in_doubt),
    )


# --- fast ----------------------------------------------------------------------------------------

SUMS = {"fp16": (-80, 126), "bf16": (-1, 126), "fp32": (-1, 126), "fp64": (-1, 1020)}
"""Exponents of sums of exponentials between which nothing is shifted."""


def _fast_depth(length: int) -> int:
    if length <= 8:
        return length - 1
    return length // 4 + 6 if length <= 64 else summation_depth(length)


def fast_shifts(row: Row) -> bool:
    """Whether a sum is out of range, or so near to it that the computed one might be."""
    low, high = (e * mp.ln2 for e in SUMS[row.format.name])
    working = row.format if row.format.name not in HALVES else FORMATS["fp32"]
    normal = row.y > low + mpf("1e-3") or min(row.x) >= working.exp_underflow
    return not (normal and row.y < high - mpf("1e-3"))


def _fast_in_its_format(row: Row, shifts: bool, quotient: int) -> Four:
    exp, depth = row.constants.exp, _fast_depth(len(row.x))
    shared = 2 * exp + depth + 2 * exp * len(row.x) * row.tiny + quotient
    of_sum = row.mean(row.gap) + row.underflowing(exp)
    softmax = [
        (p * row.grown(shared + (gap + of_sum if shifts else 0)) if p else 0)
        + 2 * (exp + 1) * row.tiny
        for p, gap in zip(row.p, row.gap, strict=True)
    ]
    error = _of_others(row, [gap + exp for gap in row.gap], depth)
    return softmax, *_with_log(row, _log1p_of(row, error, row.constants.log1p))


def fast(row: Row) -> Four:
    shifts = fast_shifts(row)
    if row.format.name in HALVES:  # in fp32, and on its way to fp16 to multiples of 2^-37
        lost = mpf(2) ** -38 if row.format.name == "fp16" else 0
        return _once(row, lambda wide: _fast_in_its_format(wide, shifts, 1), lost)
    return _fast_in_its_format(row, shifts, 2 if row.format.name == "fp64" else 1)


# --- Gradients -----------------------------------------------------------------------------------


def _less_one(row: Row, softmax: list[Any]) -> list[Any]:
    """softmax less 1 at the label: rounded in fp32, and then to fp16."""
    narrowed = row.unit * row.share if row.format.name in HALVES else 0
    at_label = row.rounded(row.share, softmax[row.label] + narrowed)
    return [*softmax[: row.label], at_label, *softmax[row.label + 1 :]]


def _split_at_the_label(row: Row) -> list[Any]:
    """e_i / (t + e), and t / (t + e) at the label: of log1p."""
    terms, lost = _paid(row, 1, row.constants.exp), row.underflowing(row.constants.exp)
    each = [e * row.grown(t + row.depth) if e else 0 for e, t in zip(row.exp, terms, strict=True)]
    of_t = mp.fsum(row.others(each)) + lost
    of_e = (row.exp[row.label] * row.grown(terms[row.label]) if row.exp[row.label] else 0) + lost
    total = 1 + row.rest
    error = of_t * row.p[row.label] + of_e * row.share
    error /= max(total - row.u * (of_t + of_e), row.u)
    error += (row.share + row.u * error) * row.grown(2 * row.unit)
    found = _quotient(row, terms, (of_t + of_e) / total + row.unit)
    found[row.label] = row.rounded(row.share if row.format.name in HALVES else 0, error)
    return found


def _two_sums(row: Row, shifts: bool) -> Any:
    """t / s at the label: of fast."""
    exp, least = row.constants.exp, 2 * row.tiny
    subnormal = sum(p < least and mp.isfinite(x) for p, x in zip(row.p, row.x, strict=True))
    lost = row.underflowing(exp) if shifts else 2 * exp * row.tiny * subnormal
    depth = _fast_depth(len(row.x))
    each = [
        p * row.grown(exp + depth + (gap if shifts else 0)) if p else 0
        for p, gap in zip(row.p, row.gap, strict=True)
    ]
    of_t, of_s = mp.fsum(row.others(each)) + lost, mp.fsum(each) + lost
    error = (of_t + of_s * row.share) / max(1 - row.u * of_s, row.u)
    return row.rounded(row.share, error)


def _in_pairs(row: Row) -> list[Any]:
    if row.format.name in HALVES:
        return row.once(row.gradient, _in_pairs(row.wider()))
    roundings = 1 + 4 * mpf("0.1") + 2 * row.tiny / (1 + row.rest)
    return [g * row.grown(roundings) + 2 * row.tiny for g in row.gradient]


def _unshifted(row: Row) -> list[Any]:
    softmax, shifts = fast(row)[0], fast_shifts(row)
    if row.format.name in HALVES:
        wide = _two_sums(row.wider(), shifts)
        lost = mpf(2) ** -38 if row.format.name == "fp16" else 0
        (softmax[row.label],) = row.once([row.share], [wide], lost)
    else:
        softmax[row.label] = _two_sums(row, shifts)
    return softmax


GRADIENTS: dict[str, Callable[[Row], list[Any]]] = {
    "log1p": _split_at_the_label,
    "compensated": _in_pairs,
    "widened": lambda row: row.once(row.gradient, _split_at_the_label(row.wider())),
    "fast": _unshifted,
    "exact": lambda row: [half_an_ulp(row, g) for g in row.gradient],
}
"""Of the methods that do not subtract 1."""

METHODS: dict[str, Callable[[Row], Four]] = {
    "naive": naive,
    "stable": stable,
    "log1p": log1p,
    "division_free": division_free,
    "online": online,
    "two_pass": two_pass,
    "base2": base2,
    "compensated": compensated,
    "widened": widened,
    "fast": fast,
    "exact": exact,
}


def bounds(method: str, row: Row) -> dict[str, list[Any]]:
    """|computed - exact| <= u times this, for each output of a row, by operation."""
    softmax, logs, of_y = METHODS[method](row)
    loss = logs[row.label]
    if method in ("stable", "online", "base2"):
        loss = row.rounded(row.surprise[row.label], of_y)  # (m + log s) - x_y
    gradient = GRADIENTS[method](row) if method in GRADIENTS else _less_one(row, softmax)
    return {
        "softmax": softmax,
        "log_softmax": logs,
        "log_sum_exp": [of_y],
        "cross_entropy": [loss],
        "cross_entropy_gradient": gradient,
    }
