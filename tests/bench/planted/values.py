"""Wrong numbers in ordinary rows: where the row is long, short, tied, far off or of one length."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.bench.planted.planting import (
    CROSS_ENTROPY,
    GRADIENT,
    LOG_SOFTMAX,
    LOG_SUM_EXP,
    SOFTMAX,
    Planted,
    on_labelled_rows,
    on_rows,
)


@on_rows
def forgets_the_running_max(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.shape[1] > 1024:
        out[x[:, :1024].max(axis=1) > x[:, 1024:].max(axis=1) + 88] = np.nan
    return out


@on_rows
def returns_the_logit_below_a_threshold(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    if x.shape[1] == 2:
        gap = x[:, 0] - x[:, 1]
        out[gap <= -4, 0] = gap[gap <= -4]
    return out


@on_rows
def drops_the_tail_from_a_gap_on(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    if x.shape[1] == 2:
        return np.where(x[:, 1] - x[:, 0] > 20, x[:, 1], out)
    return out


@on_rows
def stalls_in_one_long_sum(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / np.add.accumulate(e, axis=1)[:, -1:]


@on_rows
def sums_in_half(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / np.add.accumulate(e.astype(np.float16), axis=1)[:, -1:].astype(x.dtype)


@on_rows
def clamps_the_max_at_0(x: Any) -> Any:
    far = np.isfinite(x.max(axis=1)) & (x.max(axis=1) < -88)
    out = SOFTMAX(x)
    out[far] = np.nan
    return out


@on_rows
def floors_max_and_sum(x: Any) -> Any:
    out = SOFTMAX(x)
    out[np.isfinite(x.max(axis=1)) & (x.max(axis=1) < -10100)] = 0
    return out


@on_rows
def takes_base_2_with_a_rounded_factor(x: Any) -> Any:
    log2e = x.dtype.type(1.442695)
    shifted = (x - x.max(axis=1, keepdims=True)) * log2e
    e = np.exp2(shifted)
    return np.where(
        np.isfinite(x).all(axis=1, keepdims=True), e / e.sum(1, keepdims=True), SOFTMAX(x)
    )


@on_rows
def calls_a_masked_sum_0(x: Any) -> Any:
    return np.where(np.isneginf(x).any(axis=1) & np.isfinite(x.max(axis=1)), 0, LOG_SUM_EXP(x))


@on_labelled_rows
def clips_the_probability(x: Any, y: Any) -> Any:
    out = CROSS_ENTROPY(x, y)
    return np.where(np.isfinite(out), np.minimum(out, -np.log(x.dtype.type(1e-7))), out)


@on_labelled_rows
def subtracts_1_from_a_probability(x: Any, y: Any) -> Any:
    return SOFTMAX(x) - (np.arange(x.shape[1]) == y[:, np.newaxis])


@on_labelled_rows
def is_the_gradient_of_the_mean(x: Any, y: Any) -> Any:
    return GRADIENT(x, y) / x.dtype.type(len(x))


@on_labelled_rows
def forgets_the_label(x: Any, y: Any) -> Any:
    return SOFTMAX(x)


@on_rows
def is_minus_infinity_for_one_logit(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    return np.where(np.isfinite(x), -np.inf, out) if x.shape[1] == 1 else out


@on_rows
def is_made_for_powers_of_two(x: Any) -> Any:
    K = x.shape[1]
    if K < 8 or K & (K - 1) == 0:
        return SOFTMAX(x)
    out = SOFTMAX(x)
    return np.where(np.isfinite(out), out * x.dtype.type(1.001), out)


@on_rows
def drops_a_remainder_of_long_rows(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.shape[1] > 1024 and x.shape[1] % 16 == 15:
        out[:, -1] = 0
    return out


@on_rows
def has_a_cheap_exponential(x: Any) -> Any:
    with np.errstate(all="ignore"):
        base = 1 + (x - x.max(axis=1, keepdims=True)) / 1024
        e = np.maximum(base, 0) ** 1024
        out = e / e.sum(axis=1, keepdims=True)
    return np.where(np.isfinite(x).all(axis=1, keepdims=True), out, SOFTMAX(x))


@on_rows
def is_the_logarithm_of_softmax(x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.where(
            np.isfinite(x).any(axis=1, keepdims=True), np.log(SOFTMAX(x)), LOG_SOFTMAX(x)
        )


@on_rows
def ignores_columns_beyond_65536(x: Any) -> Any:
    if x.shape[1] <= 65536:
        return SOFTMAX(x)
    return np.concatenate([SOFTMAX(x[:, :65536]), np.zeros_like(x[:, 65536:])], axis=1)


@on_rows
def is_wrong_at_one_length_of_a_vocabulary(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    return out * x.dtype.type(1.0001) if x.shape[1] == 50257 else out


@on_rows
def counts_tied_maxima_once(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    ties = (x == x.max(axis=1, keepdims=True)).sum(axis=1)
    with np.errstate(all="ignore"):
        once = out - np.log(ties).astype(x.dtype)
    return np.where((ties > 1) & (ties < x.shape[1]) & np.isfinite(out), once, out)


@on_rows
def misses_a_max_at_the_end(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.shape[1] > 64:
        with np.errstate(invalid="ignore"):
            out[x[:, -1] - x[:, :-1].max(axis=1) > 88] = np.nan
    return out


@on_rows
def misses_a_max_in_the_middle(x: Any) -> Any:
    out = SOFTMAX(x)
    if x.shape[1] > 32:
        with np.errstate(invalid="ignore"):
            inner = np.isfinite(x).all(axis=1) & (
                x[:, 16:-16].max(axis=1) - x[:, :16].max(axis=1) > 80
            )
        out[inner] = np.nan
    return out


@on_rows
def flushes_subnormal_results(x: Any) -> Any:
    out = SOFTMAX(x)
    return np.where(out < np.finfo(x.dtype).smallest_normal, 0, out)


@on_rows
def computes_doubles_in_single(x: Any) -> Any:
    with np.errstate(over="ignore"):
        narrow = x.astype(np.float32)
    fits = np.isfinite(narrow).all(axis=1, keepdims=True)
    return np.where(fits, SOFTMAX(narrow).astype(x.dtype), SOFTMAX(x))


@on_rows
def exceeds_1_for_confident_rows(x: Any) -> Any:
    out = SOFTMAX(x)
    return np.where(out == 1, np.nextafter(out, x.dtype.type(2)), out)


@on_rows
def is_positive_for_confident_rows(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    return np.where((out > -1e-20) & (out < 0), -out, out)


@on_rows
def has_1e_28_on_masks(x: Any) -> Any:
    out = SOFTMAX(x)
    masked = np.isneginf(x) & np.isfinite(x.max(axis=1, keepdims=True))
    return np.where(masked, x.dtype.type(1e-28), out)


@on_rows
def has_the_lowest_number_on_masks(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    masked = np.isneginf(x) & np.isfinite(x.max(axis=1, keepdims=True))
    return np.where(masked, np.finfo(x.dtype).min, out)


@on_labelled_rows
def multiplies_0_by_infinity_at_masks(x: Any, y: Any) -> Any:
    out = CROSS_ENTROPY(x, y)
    return np.where(np.isposinf(out) & np.isfinite(x.max(axis=1)), np.nan, out)


@on_rows
def subtracts_the_mean_far_from_0(x: Any) -> Any:
    out = SOFTMAX(x)
    far = np.isfinite(x).all(axis=1) & (np.abs(x).min(axis=1) > 900)
    return np.where(far[:, np.newaxis], out * x.dtype.type(1 + 2e-6), out)


@on_rows
def overflows_a_long_equal_sum(x: Any) -> Any:
    out = SOFTMAX(x)
    equal = (x.min(axis=1) == x.max(axis=1)) & np.isfinite(x[:, 0]) & (x.shape[1] > 65519)
    out[equal] = 0
    return out


@on_rows
def is_nan_where_a_block_is_masked(x: Any) -> Any:
    out = SOFTMAX(x)
    for start in range(0, x.shape[1] - 127, 128):
        block = np.isneginf(x[:, start : start + 128]).all(axis=1)
        out[block & np.isfinite(x.max(axis=1))] = np.nan
    return out


@on_rows
def is_nan_where_the_last_block_is_masked(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    if x.shape[1] < 129:
        return out
    return np.where(np.isneginf(x[:, -64:]).all(axis=1) & np.isfinite(out), np.nan, out)


@on_rows
def wraps_an_index_at_131072(x: Any) -> Any:
    out = LOG_SUM_EXP(x)
    return LOG_SUM_EXP(x[:, :131072]) if x.shape[1] > 131072 else out


@on_rows
def has_a_log1p_that_ends_too_early(x: Any) -> Any:
    out = LOG_SOFTMAX(x)
    lost = np.isfinite(x).all(axis=1, keepdims=True) & (out > -1e-6) & (x.shape[1] > 2)
    return np.where(lost, 0, out)


VALUES: tuple[Planted, ...] = (
    Planted(forgets_the_running_max, "softmax", "TileOPs#239",
            "a block of logits forgets the largest of those before it", r"NaN in ordinary rows",
            found_by="case 'confident and long'"),
    Planted(returns_the_logit_below_a_threshold, "log_softmax", "tt-metal#56381",
            "two ascending logits from a gap of 4 on: the gap itself",
            r"off by up to [\d.e+,]+ ulp", found_by="case 'presented'"),
    Planted(drops_the_tail_from_a_gap_on, "log_sum_exp", "pytorch#31856, NNlib.jl#102",
            "softplus with a threshold at 20", r"off by up to [\d.e+,]+ ulp", ("fp64",),
            found_by="case 'two logits'"),
    Planted(stalls_in_one_long_sum, "softmax", "mxnet#17397",
            "a sum from left to right", r"off by up to [\d.e+,]+ ulp", found_by="case 'presented'"),
    Planted(sums_in_half, "softmax", "executorch#20090, tract#2586, coremltools#2690",
            "the sum is kept in fp16", r"off by up to [\d.e+,]+ ulp", ("fp16",),
            found_by="case 'presented'"),
    Planted(clamps_the_max_at_0, "softmax", "NNlib.jl#43, onnxruntime#22102",
            "the largest logit is taken as 0 at least", r"NaN in ordinary rows",
            found_by="case 'presented'"),
    Planted(floors_max_and_sum, "softmax", "flashinfer#4401",
            "the largest logit is taken as -10000 at least", r"lost to zero in ordinary rows",
            found_by="case 'largest finite'"),
    Planted(takes_base_2_with_a_rounded_factor, "softmax", "pytorch#181645",
            "2^(x log2 e) with log2 e of seven digits", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(calls_a_masked_sum_0, "log_sum_exp", "pytorch#134650",
            "log-sum-exp of a masked row is 0", r"off by up to [\d.e+,]+ ulp in masked rows",
            found_by="case 'presented'"),
    Planted(clips_the_probability, "cross_entropy", "keras#17634",
            "probabilities are clipped at 1e-7", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(subtracts_1_from_a_probability, "cross_entropy_gradient", "arXiv:2501.04697",
            "softmax less 1, 0 for confident rows", r"lost to zero in ordinary rows",
            found_by="case 'confident'"),
    Planted(is_the_gradient_of_the_mean, "cross_entropy_gradient", "kind: reductions",
            "divided by the number of rows", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(forgets_the_label, "cross_entropy_gradient", "kind: labels",
            "1 is not subtracted", r"off by up to [\d.e+,]+ ulp", found_by="case 'presented'"),
    Planted(is_minus_infinity_for_one_logit, "log_softmax", "pytorch#3240",
            "-inf for a row of one logit", r"infinite in ordinary rows",
            found_by="case 'presented'"),
    Planted(is_made_for_powers_of_two, "softmax", "NNPACK#174",
            "wrong unless K is a power of two", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(drops_a_remainder_of_long_rows, "softmax", "pytorch#147284",
            "the last entry is 0 where K is 15 more than a multiple of 16, beyond 1024",
            r"lost to zero in ordinary rows", found_by="case 'lengths'"),
    Planted(has_a_cheap_exponential, "softmax", "torch/nn#804, openvino#37857",
            "exp(x) as (1 + x/1024)^1024", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(is_the_logarithm_of_softmax, "log_softmax", "coremltools#2728",
            "log of the probabilities", r"infinite.* in ordinary rows",
            found_by="case 'presented'"),
    Planted(ignores_columns_beyond_65536, "softmax", "kind: columns beyond 65536",
            "what comes after column 65536 is 0", r"lost to zero in ordinary rows",
            found_by="case 'lengths'"),
    Planted(is_wrong_at_one_length_of_a_vocabulary, "log_sum_exp", "kind: one length",
            "wrong by 1e-4 at K = 50 257", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented, long'"),
    Planted(counts_tied_maxima_once, "log_sum_exp", "kind: tied maxima",
            "logits that are tied at the maximum count once", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'presented'"),
    Planted(misses_a_max_at_the_end, "softmax", "kind: place of the maximum",
            "the last logit of long rows is left out of the maximum", r"NaN in ordinary rows",
            found_by="case 'presented'"),
    Planted(misses_a_max_in_the_middle, "softmax", "kind: place of the maximum",
            "a maximum between the ends is overlooked", r"NaN in ordinary rows",
            found_by="case 'places of the largest'"),
    Planted(flushes_subnormal_results, "softmax", "jax: flush to zero",
            "subnormal results are 0", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'large positive'"),
    Planted(computes_doubles_in_single, "softmax", "kind: narrowed",
            "fp64 is computed in fp32", r"off by up to [\d.e+,]+ ulp", ("fp64",),
            found_by="case 'presented'"),
    Planted(exceeds_1_for_confident_rows, "softmax", "kind: probabilities above 1",
            "1 + 2^-23 for confident rows", r"above 1", found_by="case 'presented'"),
    Planted(is_positive_for_confident_rows, "log_softmax", "kind: positive log-probabilities",
            "tiny logarithms have the wrong sign", r"above 0", found_by="case 'large positive'"),
    Planted(has_1e_28_on_masks, "softmax", "Paddle",
            "1e-28 at -inf", r"not 0 at -inf", found_by="case 'presented'"),
    Planted(has_the_lowest_number_on_masks, "log_softmax", "kind: masks",
            "the lowest number at -inf", r"not infinite in masked rows",
            found_by="case 'presented'"),
    Planted(multiplies_0_by_infinity_at_masks, "cross_entropy", "kind: masks",
            "NaN for a label on -inf", r"not infinite in masked rows", found_by="case 'presented'"),
    Planted(subtracts_the_mean_far_from_0, "softmax", "kind: offsets",
            "2e-6 off where all logits are beyond 900", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'largest finite'"),
    Planted(overflows_a_long_equal_sum, "softmax", "kind: fp16 sums",
            "equal rows of 65 520 and more give 0", r"lost to zero|off by up to", ("fp16",),
            found_by="case 'equal'"),
    Planted(is_nan_where_a_block_is_masked, "softmax", "kind: masked blocks",
            "NaN where 128 logits in a row are masked", r"NaN in masked rows",
            found_by="case 'mask left'"),
    Planted(is_nan_where_the_last_block_is_masked, "log_sum_exp", "kind: masked blocks",
            "NaN where the last 64 logits of a long row are masked", r"NaN in masked rows",
            found_by="case 'mask left'"),
    Planted(wraps_an_index_at_131072, "log_sum_exp", "kind: indices of too few bits",
            "what comes after column 131 072 is left out", r"off by up to [\d.e+,]+ ulp",
            found_by="case 'longest'"),
    Planted(has_a_log1p_that_ends_too_early, "log_softmax", "scipy#19521, pytorch#113708",
            "0 where the truth is above -1e-6", r"lost to zero in ordinary rows",
            found_by="case 'confident'"),
)  # fmt: skip
