"""What matters most of what was measured, as README says it: each with its numbers and a link.

The words are written here, every number comes from the committed files. Where a result would
contradict the words, a FindingError says so before anything is written.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bench.judge import diff, verdicts
from bench.measure.calls import LINES
from bench.measure.timing import Cell
from bench.show.markdown import figure, item
from bench.show.tables import provenance
from numerics import ALL_FORMATS, FORMATS

if TYPE_CHECKING:
    from bench.measure.misrounded import Found
    from bench.runs.run_file import Run
    from bench.show.kept import Committed


class FindingError(ValueError):
    """The committed results no longer say what the words of a finding do."""


def as_list(kept: Committed) -> str:
    """The findings as a Markdown list, in lines that a terminal shows whole."""
    parts = (_confident, _gradient, _shift, _exact, _known, _upgrades, _fast)
    found = [part(kept) for part in parts]
    return "\n".join([*map(item, found), "", f"*Committed run: {provenance(kept.run)}*"])


def _holds(true: bool, finding: str) -> None:
    if not true:
        raise FindingError(f"README's finding does not hold any more: {finding}")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]])


def _each(value: Callable[[str], float]) -> str:
    """A figure for each format, side by side."""
    return " / ".join(figure(value(name)) for name in FORMATS)


# --- Errors --------------------------------------------------------------------------------------

NAMES = {
    "scipy": "SciPy",
    "torch": "PyTorch",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "sklearn": "scikit-learn",
}


def _confident(kept: Committed) -> str:
    """Log-softmax where one logit is far above the rest."""
    offering = [one for one in kept.libraries if any(map(_is_log_softmax, one.offered))]
    libraries = _listed([NAMES[one.subject] for one in offering])
    theirs = {name: _least_confident_error(kept, name) for name in FORMATS}
    # An error of a quarter of the value itself leaves no digit.
    lost = all(theirs[name] > 2.0 ** (FORMATS[name].precision - 2) for name in ("fp32", "fp64"))
    _holds(lost, "log-softmax of confident rows has no right digit in any library")
    ours = kept.run.accuracy
    ours = ours[(ours["case"] == "confident") & (ours["operation"] == "log_softmax")]
    log1p = ours[ours["subject"] == "log1p"].set_index("format")["max_ulp"]
    _holds(bool((log1p < 100).all()), "log1p keeps the digits of confident rows")
    return f"""
        **Confident rows lose every digit of their log-softmax in every library tried.** Where one
        logit is 10 to 40 above the rest, {libraries} err by {figure(theirs["fp32"])} ulp in fp32
        and {figure(theirs["fp64"])} in fp64, nearly the value itself; our `log1p` by
        {figure(log1p["fp32"])} and {figure(log1p["fp64"])}.
        [Verdicts](docs/verdict.md#scipy-pytorch-and-jax)
    """


def _least_confident_error(kept: Committed, format_name: str) -> float:
    """The smallest of the largest errors of the libraries, so that all err by as much."""
    return min(
        cell.confident_ulp or 0.0
        for one in kept.libraries
        for cell in filter(_is_log_softmax, one.offered)
        if cell.format == format_name
    )


GAP = 10.0
"""At which the gradients of libraries are compared."""


def _gradient(kept: Committed) -> str:
    """p_y - 1 of a confident row, as frameworks subtract it, and as a sum of the others."""
    found = {(one.subject, one.format): one for one in kept.faded}
    fp32, bf16 = (
        [found[name, format] for name in ("torch", "jax") if (name, format) in found]
        for format in ("fp32", "bf16")
    )
    lost = fp32 and bf16 and all(one.nothing_from for one in fp32 + bf16)
    _holds(bool(lost), "libraries lose the gradient")
    ours = found["fast", "fp32"]
    _holds(max(ours.errors) < 1e-6, "`fast` keeps the digits of the gradient")
    gaps, sooner = (figure(max(one.nothing_from or 0.0 for one in of)) for of in (fp32, bf16))
    errors = " and ".join(figure(one.at(GAP) or 0.0) for one in fp32)
    return f"""
        **The gradient of a confident row is 0 in {_listed([NAMES[o.subject] for o in fp32])}.**
        They subtract 1 from p_y: with the label {gaps} above the rest nothing is left of it in
        fp32 (bf16: {sooner}), and at {GAP:g} the relative error is {errors}. `fast`
        adds up what the others have, and errs by {figure(ours.at(GAP) or 0.0)}, at any gap by
        {figure(max(ours.errors))} at most. [The gradient](docs/gradient.md)
    """


def _is_log_softmax(cell: verdicts.Cell) -> bool:
    return cell.operation == "log_softmax"


def _shift(kept: Committed) -> str:
    """What subtracting the largest logit costs, where nothing would overflow without."""
    ordinary = kept.run.accuracy
    ordinary = ordinary[(ordinary["family"] == "random") & (ordinary["operation"] == "softmax")]
    fp64 = ordinary[ordinary["format"] == "fp64"].groupby("subject")
    worst, failures = fp64["max_ulp"].max(), fp64["failures"].sum()
    _holds(failures["naive"] == 0 and worst["naive"] < worst["stable"], "the shift costs digits")
    return f"""
        **Subtracting the maximum has a price.** The difference is rounded, and on ordinary fp64
        rows the usual softmax (`stable`) errs by up to {figure(worst["stable"])} ulp. `naive`,
        which subtracts nothing and does not overflow there, errs by {figure(worst["naive"])};
        `fast`, which subtracts only where it must, by {figure(worst["fast"])}.
        [Methods](docs/methods.md)
    """


# --- exact ---------------------------------------------------------------------------------------


def _exact(kept: Committed) -> str:
    """How many results of `exact` are not the nearest number, and how it was tried."""
    fresh, directed = kept.counts["fresh"], kept.counts["directed"]
    counted = {kind: _count(found, "exact") for kind, found in kept.counts.items()}
    _holds(all(wrong == 0 for wrong, _ in counted.values()), "`exact` is always the nearest number")
    wrong, outputs = map(sum, zip(_count(fresh, "scipy"), _count(directed, "scipy"), strict=True))
    return f"""
        **`exact` rounds every result correctly.** Of {counted["fresh"][1]:,} results on random
        rows and {counted["directed"][1]:,} on rows built to be hard, 0 are not the nearest number
        (SciPy: {100 * wrong / outputs:.0f} %). The claim was refuted once: until 2026-11-25, fp64
        rows came out wrong whose results lie just below a power of two, or whose gaps between
        logits round to 620. Such rows are counted since, and each defect, planted again, makes the
        count fail. Softmax takes {_exact_times(kept)} times as long as SciPy's, in fp16 / fp32 /
        fp64.
        [Proof and counts](docs/exact.md)
    """


def _count(found: Found, subject: str) -> tuple[int, int]:
    """Misrounded, and all outputs, over operations and formats."""
    keys = [key for key in found.outputs if key.split()[0] == subject]
    return sum(found.misrounded[key] for key in keys), sum(found.outputs[key] for key in keys)


def _exact_times(kept: Committed) -> str:
    cells = [cell for cell in kept.exact_times if cell.operation == "softmax"]
    return _each(lambda name: _mean(cells, name, "exact", "scipy"))


def _mean(cells: Iterable[Cell], format_name: str, one: str, to: str) -> float:
    """Geometric mean over sizes and K of the ratio of two times."""
    return statistics.geometric_mean(c.ratio(one, to) for c in cells if c.format == format_name)


def _known(kept: Committed) -> str:
    """What a search finds where a sample ends, and what sweeps say of `exact`."""
    from bench.show import known_tables  # which needs mpmath, as the command line does not

    hunted = known_tables.in_range(kept.worst)
    ours = {name: hunted["fast", "softmax", name].ulp for name in ("fp32", "fp64")}
    theirs = {name: hunted["scipy", "softmax", name].ulp for name in ("fp32", "fp64")}
    ordinary = kept.run.accuracy
    ordinary = ordinary[(ordinary["family"] == "random") & (ordinary["operation"] == "softmax")]
    sampled = ordinary[(ordinary["format"] == "fp64") & (ordinary["subject"] == "fast")]
    sample = sampled["max_ulp"].max()
    _holds(ours["fp64"] > sample, "a hunt finds more than a sample")
    parts = [part for content in kept.sweeps for part in content["parts"]]
    found = [(p, c["summary"]) for p in parts for c in p["cells"] if c["subject"] == "exact"]
    whole = {part["format"] for part, _ in found if part["family"] == "x0" and part["exhaustive"]}
    of_all = [name for name in ALL_FORMATS if name in whole]
    swept = [summary for _, summary in found]
    _holds(not any(one["misrounded"] for one in swept), "`exact` is right in every sweep")
    return f"""
        **A sample is no maximum.** Samples of ordinary fp64 rows show {figure(sample)} ulp in the
        softmax of `fast`; a search finds {figure(ours["fp64"])} on rows that need no shift, and
        {figure(ours["fp32"])} in fp32 (SciPy: {figure(theirs["fp64"])} and
        {figure(theirs["fp32"])}). In sweeps, all rows [x, 0] of {_listed(of_all)} among
        them, `exact` has {sum(one["outputs"] for one in swept):,} results, all of them right.
        [Largest errors known](docs/methods.md#the-largest-errors-known),
        [how they were found](docs/sweep.md)
    """


# --- NumPy and time ------------------------------------------------------------------------------


def _upgrades(kept: Committed) -> str:
    """What changed from the first version to the second, after it, and on a smaller CPU."""
    plain = [run for run in kept.by_version if not run.environment["simd_disabled"]]
    switched = [run for run in kept.by_version if run.environment["simd_disabled"]]
    first, second, last = plain[0], plain[1], plain[-1]
    later = max(_other_bits(a, b) for a, b in itertools.pairwise(plain[1:]))
    _holds(later == 0, f"no bit changes from {second.label} to {last.label}")
    step = diff.diff(first, second).accuracy["error"]
    without = max(_other_bits(last, run) for run in switched)
    _holds(without > later, "a smaller CPU changes more than later upgrades")
    return f"""
        **NumPy's upgrades changed results once**, from {_short(first)} to {_short(second)}: other
        bits in {_percent(_other_bits(first, second))} of the records (a method, an operation, a
        case, a format); {(step == diff.BETTER).sum()} largest errors became smaller,
        {(step == diff.WORSE).sum()} larger. From {_short(second)} to {_short(last)} no bit changed;
        without AVX-512 the same NumPy has other bits in {_percent(without)}.
        [NumPy versions](docs/numpy-versions.md)
    """


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _other_bits(before: Run, after: Run) -> float:
    """Share of cells whose bits differ."""
    bits = diff.diff(before, after).accuracy["bits_equal"].dropna().astype(bool)
    return float((~bits).mean())


def _short(run: Run) -> str:
    return ".".join(str(run.environment["numpy"]).split(".")[:2])


def _fast(kept: Committed) -> str:
    """`fast` beside the libraries in time: on large arrays, and on one row."""
    cells = [cell for cell in kept.raced.cells if cell.operation == "softmax"]
    peers = [name for name in NAMES if name in cells[0].seconds]
    times = ", ".join(f"{NAMES[peer]} takes {_race_means(cells, peer)}" for peer in peers)
    lost = sum(cell.ratio(peer) < 1 for cell in cells for peer in peers)
    row = next(one for one in kept.calls if (one.format, one.shape) == ("fp32", [600]))
    ours, two_lines = (row.microseconds[name] for name in ("`fast`", LINES))
    return f"""
        **`fast` is for large arrays.** On one thread, in fp16 / fp32 / fp64, {times} times
        as long (geometric means over rows of 5 to 50,257; less than `fast` in {lost} of
        {len(cells) * len(peers)} cells). For one row of 600 in fp32 it takes {figure(ours)} µs, two
        lines of NumPy {figure(two_lines)}. [The race](docs/race.md)
    """


def _race_means(cells: Sequence[Cell], peer: str) -> str:
    return _each(lambda name: _mean(cells, name, peer, "fast"))
