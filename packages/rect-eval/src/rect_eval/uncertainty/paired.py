"""Two systems on the same cases: the interval of their difference, and a permutation test."""

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_eval.scores import Statistic
from rect_eval.uncertainty.bootstrap import Interval, bootstrap
from rect_eval.uncertainty.draws import check_groups, swaps_of


def paired_bootstrap(
    a: Statistic,
    b: Statistic,
    groups: Int64[np.ndarray, " n"],
    *,
    resamples: int = 1000,
    seed: int = 0,
    interval: str = "percentile",
    inflated: Bool[np.ndarray, " m"] | None = None,
) -> Interval:
    """The interval of b - a, both on the same resamples of patients. inflated: as in `bootstrap`."""
    return bootstrap(
        lambda w: b(w) - a(w), groups, resamples=resamples, seed=seed, interval=interval, inflated=inflated
    )


def permutation_test(
    both: Statistic, groups: Int64[np.ndarray, " n"], *, permutations: int = 1000, seed: int = 0
) -> Float[np.ndarray, " m"]:
    """Two-sided p-values of "the two systems are exchangeable": each patient's two predictions are swapped or not.

    both: scores of 2n cases, the n cases of system a and then the same n of system b. The smallest p-value that can
    come out is 1 / (permutations + 1) (Phipson and Smyth, 2010); NaN where the difference is undefined.
    """
    check_groups(groups)
    real = np.abs(_differences(both, np.zeros((1, len(groups))))[0])
    found = [np.abs(_differences(both, swapped)) for swapped in swaps_of(groups, permutations, seed)]
    drawn = np.concatenate(found)
    reached = (drawn >= real - 1e-12).sum(0)
    defined = (~np.isnan(drawn)).sum(0)
    return np.where(np.isnan(real) | (defined == 0), np.nan, (reached + 1) / (defined + 1))


def _differences(both: Statistic, swapped: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
    return both(np.concatenate([swapped, 1 - swapped], 1)) - both(np.concatenate([1 - swapped, swapped], 1))
