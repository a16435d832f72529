"""Bootstrap intervals: percentile, and bias-corrected and accelerated (BCa; Efron, JASA 1987)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_eval.scores import Statistic
from rect_eval.uncertainty.draws import check_groups, left_out, resamples_of, value_of

INTERVALS: Final = ("percentile", "bca")
_TAILS: Final = np.array([0.025, 0.975])


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """m scores with their 95 % intervals; NaN where a score, or more than half of its replicates, is undefined."""

    value: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]


def bootstrap(
    statistic: Statistic,
    groups: Int64[np.ndarray, " n"],
    *,
    resamples: int = 1000,
    seed: int = 0,
    interval: str = "percentile",
    inflated: Bool[np.ndarray, " m"] | None = None,
) -> Interval:
    """95 % intervals of m scores, drawing whole groups (patients) with replacement.

    groups: the patient of each case, numbered from 0. interval: "percentile" or "bca". inflated: scores that are too
    high in every finite sample, and higher still in a resample of it, as the ECE: their replicates are moved back by
    their mean excess (Efron and Tibshirani, 1993, chapter 10). With one patient, or no resamples, the intervals are
    NaN: there is nothing to draw from.
    """
    if interval not in INTERVALS:
        raise ValueError(f"interval {interval!r} is not one of {', '.join(INTERVALS)}")
    value = value_of(statistic, len(groups))
    if resamples < 1 or len(np.unique(groups)) < 2:
        return Interval(value=value, low=np.full_like(value, np.nan), high=np.full_like(value, np.nan))
    check_groups(groups)
    replicates = np.concatenate([statistic(weights) for weights in resamples_of(groups, resamples, seed)])
    if inflated is not None:
        replicates[:, inflated] -= _mean(replicates[:, inflated]) - value[inflated]
    tails = np.tile(_TAILS, (len(value), 1))
    if interval == "bca":
        outside = np.concatenate([statistic(weights) for weights in left_out(groups)])
        tails = _bca_tails(value, replicates, outside)
    return between(value, replicates, tails)


def between(
    value: Float[np.ndarray, " m"], replicates: Float[np.ndarray, "b m"], tails: Float[np.ndarray, "m 2"] | None = None
) -> Interval:
    """The interval that replicates leave between two tails, 2.5 % each unless given."""
    ends = np.full((len(value), 2), np.nan)
    for column, score in enumerate(value):
        found = replicates[:, column]
        found = found[~np.isnan(found)]
        cut = _TAILS if tails is None else tails[column]
        if not np.isnan(score) and 2 * len(found) >= len(replicates) and not np.isnan(cut).any():
            ends[column] = np.quantile(found, cut)
    return Interval(value=value, low=ends[:, 0], high=ends[:, 1])


def _mean(replicates: Float[np.ndarray, "b m"]) -> Float[np.ndarray, " m"]:
    """The mean of each score's defined replicates, NaN without one."""
    known = ~np.isnan(replicates)
    total, count = np.where(known, replicates, 0.0).sum(0), known.sum(0)
    mean: Float[np.ndarray, " m"] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return mean


def _bca_tails(
    value: Float[np.ndarray, " m"], replicates: Float[np.ndarray, "b m"], outside: Float[np.ndarray, "g m"]
) -> Float[np.ndarray, "m 2"]:
    """Tails moved by the bias of the replicates and by the skew of the jackknife; scores without spread keep 2.5 %."""
    from scipy.special import ndtr, ndtri

    tails = np.tile(_TAILS, (len(value), 1))
    for column, score in enumerate(value):
        found = replicates[:, column][~np.isnan(replicates[:, column])]
        around = outside[:, column][~np.isnan(outside[:, column])]
        if not len(found) or np.ptp(found) == 0 or not len(around):
            continue
        below = ((found < score).sum() + 0.5 * (found == score).sum()) / len(found)
        away = around.mean() - around
        spread = float((away**2).sum()) ** 1.5
        skew = float((away**3).sum()) / (6 * spread) if spread else 0.0
        bias = ndtri(np.clip(below, 0.5 / len(found), 1 - 0.5 / len(found)))
        reach = bias + ndtri(_TAILS)
        tails[column] = ndtr(bias + reach / (1 - skew * reach))
    return tails
