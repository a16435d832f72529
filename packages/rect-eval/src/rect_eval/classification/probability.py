"""Whether probabilities mean what they say: Brier score, expected calibration error, reliability."""

from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int64

from rect_eval.classification.ratio import once, only, ratio

BINS: Final = 15
"""As Guo et al., On Calibration of Modern Neural Networks, 2017."""

Bins = Literal["width", "mass"]


class Calibration:
    """Probabilities of k labels in bins that are laid once over the scored cases, whatever the weighting.

    bins "width": BINS equal parts of 0..1. bins "mass": the BINS-quantiles of each label's known probabilities, equal
    ones in one bin. A bin holds its upper edge, not its lower one, as in scikit-learn's `calibration_curve`.
    """

    def __init__(
        self, labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"], bins: Bins, count: int = BINS
    ) -> None:
        self._known = (~np.isnan(labels)).astype(np.float64)
        self._gaps = [_gaps(labels[:, k], prob[:, k], bins, count) for k in range(labels.shape[1])]

    def error(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
        """ECE: the gap between mean probability and observed share, averaged over bins by their weight."""
        off = [_off(weights, *gaps) for gaps in self._gaps]
        return ratio(np.stack(off, 1) if off else np.zeros((len(weights), 0)), weights @ self._known)


class Squares:
    """Squared distances of probabilities from labels, to be averaged under any weighting."""

    def __init__(self, labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"]) -> None:
        self._known = (~np.isnan(labels)).astype(np.float64)
        self._squares = np.where(np.isnan(labels), 0.0, (prob - labels) ** 2)

    def mean(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
        """The Brier score."""
        return ratio(weights @ self._squares, weights @ self._known)


def brier(labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " k"]:
    """Mean squared distance of probability from label, one a label; 0 is perfect, NaN without a known label."""
    return only(Squares(labels, prob).mean(once(len(labels))))


def ece(
    labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"], *, bins: Bins = "width", count: int = BINS
) -> Float[np.ndarray, " k"]:
    """Expected calibration error of the probability of "present", one a label; bins as in `Calibration`."""
    return only(Calibration(labels, prob, bins, count).error(once(len(labels))))


def reliability(
    labels: Float[np.ndarray, " n"], prob: Float[np.ndarray, " n"], *, bins: Bins = "width", count: int = BINS
) -> tuple[Float[np.ndarray, " f"], Float[np.ndarray, " f"], Int64[np.ndarray, " f"]]:
    """Mean probability, observed share and number of cases of each bin that holds some."""
    known = ~np.isnan(labels)
    bin_of = _bins(prob[known], bins, count)
    n = np.bincount(bin_of, minlength=count)
    mean, share = (np.bincount(bin_of, x[known], count)[n > 0] / n[n > 0] for x in (prob, labels))
    return mean, share, n[n > 0].astype(np.int64)


def _gaps(
    labels: Float[np.ndarray, " n"], prob: Float[np.ndarray, " n"], bins: Bins, count: int
) -> tuple[Int64[np.ndarray, " c"], Float[np.ndarray, " c"], Int64[np.ndarray, " f"]]:
    """Known cases bin by bin: their rows, probability minus label, and where each bin that holds some begins."""
    known = np.flatnonzero(~np.isnan(labels))
    bin_of = _bins(prob[known], bins, count)
    order = np.argsort(bin_of, kind="stable")
    rows = known[order]
    return rows, prob[rows] - labels[rows], np.unique(bin_of[order], return_index=True)[1]


def _off(
    weights: Float[np.ndarray, "b n"],
    rows: Int64[np.ndarray, " c"],
    gaps: Float[np.ndarray, " c"],
    starts: Int64[np.ndarray, " f"],
) -> Float[np.ndarray, " b"]:
    """Sum over bins of the size of each bin's weighted gap."""
    if not len(rows):
        return np.zeros(len(weights))
    of_bins = np.add.reduceat(np.take(weights, rows, axis=1) * gaps, starts, axis=1)
    total: Float[np.ndarray, " b"] = np.abs(of_bins).sum(1)
    return total


def _bins(prob: Float[np.ndarray, " n"], bins: Bins, count: int) -> Int64[np.ndarray, " n"]:
    edges = np.linspace(0, 1, count + 1)
    if bins == "mass" and len(prob):
        edges = np.percentile(prob, edges * 100)
    return np.searchsorted(edges[1:-1], prob).astype(np.int64)
